"""The tokens as this process knows them: admission looks one up for each request, and waits for no database.

Rules:

1. A new token is in the database first, and lets in from then on. One that is revoked is worth nothing here at once,
   whatever becomes of the database: that is stored as soon as it can be.
2. Another process may change the database: it is read again every REFRESH_SEC.
3. Those that have been worth nothing for ENDED_KEPT_SEC are forgotten.
4. While the database is away, what was known last holds: a token goes on to let in, and expires by the clock.
"""

from dataclasses import replace
from typing import Any

import structlog

from crewd.errors import StoreError
from crewd.reconcile.port import Clock
from crewd.reconcile.tokens import Token, Tokens

REFRESH_SEC = 30.0
ENDED_KEPT_SEC = 90 * 86400.0
AGAIN_SEC = 0.5
AGAIN_MOST_SEC = 15.0

_log: Any = structlog.get_logger("crewd")


class KnownTokens:
    """All of them. ``add`` and ``refresh`` raise StoreError, and change nothing here then."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self.loaded = False
        """Whether they were read since the daemon began; before, that one is not found means nothing."""
        self._tokens = tokens
        self._clock = clock
        self._known: dict[str, Token] = {}
        self._unstored: dict[str, float] = {}
        """When those were revoked of which the database has not heard yet."""
        self._changes = 0
        self._trouble = ""

    def find(self, token_id: str) -> Token | None:
        """Return the one with this id, valid or not; at once."""
        return self._known.get(token_id)

    def all(self) -> tuple[Token, ...]:
        """Return all that are known, oldest first."""
        return tuple(self._known.values())

    def stored(self, token_id: str) -> bool:
        """Return whether the database has heard of what is known here of this one."""
        return token_id not in self._unstored

    async def refresh(self) -> None:
        """Read all of them. What was changed meanwhile is not undone by what was read before."""
        while True:
            changes = self._changes
            found = await self._tokens.all()
            if changes == self._changes:
                self._known = {token.token_id: self._as_revoked(token) for token in found}
                self.loaded = True
                return

    async def add(self, token: Token) -> None:
        """Keep a new one; it lets in when this returns."""
        await self._tokens.add(token)
        self._changed(token)

    async def revoke(self, token_id: str) -> bool:
        """Let it be worth nothing from now on; return whether there was one that was worth something.

        Raises StoreError where it is not known here, and the database cannot be asked: then nothing was revoked.
        """
        now = self._clock.time()
        known = self._known.get(token_id)
        valid = known is not None and known.valid(now)
        if known is not None and valid:
            self._unstored[token_id] = now
            self._changed(replace(known, revoked_at=now))
        try:
            revoked = await self._tokens.revoke(token_id, now)
        except StoreError as error:
            if known is None:
                message = f"cannot revoke a token that is not known here, it may still let in: {error}"
                raise StoreError(message, retryable=error.retryable) from None
            return valid
        self._heard(token_id)
        if revoked != valid:
            await self.refresh()  # another process made it, or ended it
        return revoked

    async def run(self) -> None:
        """Read them as soon as the database can be, and again and again."""
        pause = AGAIN_SEC
        while True:
            try:
                await self._store_revocations()
                await self.refresh()
                await self._forget_ended()
            except StoreError as error:
                self._troubled(str(error))
                pause = min(AGAIN_MOST_SEC, pause * 2) if self.loaded else AGAIN_SEC
                await self._clock.sleep(pause)
            else:
                self._troubled("")
                pause = AGAIN_SEC
                await self._clock.sleep(REFRESH_SEC)

    async def _store_revocations(self) -> None:
        for token_id, at in tuple(self._unstored.items()):
            await self._tokens.revoke(token_id, at)
            self._heard(token_id)
            _log.info("stored that a token was revoked", token=token_id)

    def _heard(self, token_id: str) -> None:
        """The database has it. What was read of it before may still have the token as valid: that is read again."""
        self._unstored.pop(token_id, None)
        self._changes += 1

    def _as_revoked(self, token: Token) -> Token:
        at = self._unstored.get(token.token_id)
        return token if at is None or not token.valid(at) else replace(token, revoked_at=at)

    async def _forget_ended(self) -> None:
        before = self._clock.time() - ENDED_KEPT_SEC
        if any(token.ended_at < before for token in self._known.values()):
            forgotten = await self._tokens.forget(before)
            await self.refresh()
            _log.info("forgot tokens that ended long ago", tokens=forgotten)

    def _changed(self, token: Token) -> None:
        self._changes += 1
        self._known = {**self._known, token.token_id: token}

    def _troubled(self, trouble: str) -> None:
        """Say the same once; before the database was open for the first time, the recorder says it."""
        if self.loaded and trouble != self._trouble:
            if trouble:
                _log.warning("cannot read the tokens; those that are known hold", why=trouble)
            else:
                _log.info("reading the tokens again")
        self._trouble = trouble if self.loaded else ""
