"""The tokens, on a shelf of the store."""

import json
from functools import partial
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from crewd.model.access import Role
from crewd.reconcile.tokens import Token
from crewd.store.store import SqlStore
from crewd.store.tables import TOKENS

_COLUMNS = TOKENS.c


class SqlTokens:
    """Implements ``reconcile.tokens.Tokens``."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def add(self, token: Token) -> None:
        """Keep a new one."""
        await self._store.write(partial(_add, token=token))

    async def all(self) -> tuple[Token, ...]:
        """Return all that were not forgotten, revoked ones included, oldest first."""
        return await self._store.read(_all)

    async def revoke(self, token_id: str, now: float) -> bool:
        """Let it be worth nothing from now on; return whether there was one that was worth something."""
        return await self._store.write(partial(_revoke, token_id=token_id, now=now))

    async def forget(self, before: float) -> int:
        """Remove those that were worth nothing by then already; return how many."""
        return await self._store.write(partial(_forget, before=before))


def _add(connection: Connection, token: Token) -> None:
    row = {
        "token_id": token.token_id,
        "digest": token.digest,
        "role": token.role.value,
        "name": token.name,
        "workers": json.dumps(token.workers),
        "created_at": token.created_at,
        "created_by": token.created_by,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    }
    with connection.begin():
        connection.execute(insert(TOKENS), [row])


def _all(connection: Connection) -> tuple[Token, ...]:
    with connection.begin():
        rows = connection.execute(select(TOKENS).order_by(_COLUMNS.created_at, _COLUMNS.token_id))
        return tuple(map(_token, rows))


def _token(row: Any) -> Token:
    return Token(
        row.token_id,
        row.digest,
        Role(row.role),
        row.name,
        tuple(json.loads(row.workers)),
        row.created_at,
        row.created_by,
        row.expires_at,
        row.revoked_at,
    )


def _revoke(connection: Connection, token_id: str, now: float) -> bool:
    unexpired = or_(_COLUMNS.expires_at.is_(None), _COLUMNS.expires_at > now)
    valid = and_(_COLUMNS.token_id == token_id, _COLUMNS.revoked_at.is_(None), unexpired)
    with connection.begin():
        return connection.execute(update(TOKENS).where(valid).values(revoked_at=now)).rowcount > 0


def _forget(connection: Connection, before: float) -> int:
    ended = or_(_COLUMNS.revoked_at < before, _COLUMNS.expires_at < before)
    with connection.begin():
        return connection.execute(delete(TOKENS).where(ended)).rowcount
