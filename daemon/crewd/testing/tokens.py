"""Tokens in memory."""

from dataclasses import replace

from crewd.errors import StoreError
from crewd.reconcile.tokens import Token


class FakeTokens:
    """Implements ``reconcile.tokens.Tokens``. ``trouble``: why each call fails; empty where none does."""

    def __init__(self, *tokens: Token) -> None:
        self.kept = {token.token_id: token for token in tokens}
        self.trouble = ""

    async def add(self, token: Token) -> None:
        """Keep a new one."""
        self._fail("write to")
        if token.token_id in self.kept:
            raise StoreError("cannot write to the fake database: there is such a token already")
        self.kept[token.token_id] = token

    async def all(self) -> tuple[Token, ...]:
        """Return all that were not forgotten, revoked ones included, oldest first."""
        self._fail("read")
        return tuple(sorted(self.kept.values(), key=lambda token: (token.created_at, token.token_id)))

    async def revoke(self, token_id: str, now: float) -> bool:
        """Let it be worth nothing from now on; return whether there was one that was worth something."""
        self._fail("write to")
        token = self.kept.get(token_id)
        if token is None or not token.valid(now):
            return False
        self.kept[token_id] = replace(token, revoked_at=now)
        return True

    async def forget(self, before: float) -> int:
        """Remove those that were worth nothing by then already; return how many."""
        self._fail("write to")
        ended = [token_id for token_id, token in self.kept.items() if token.ended_at < before]
        for token_id in ended:
            del self.kept[token_id]
        return len(ended)

    def _fail(self, verb: str) -> None:
        if self.trouble:
            raise StoreError(f"cannot {verb} the fake database: {self.trouble}", retryable=True)
