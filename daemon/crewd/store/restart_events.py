"""The shelf of manual restarts with a reset. Implements ``reconcile.restart_events.RestartEvents``.

A restart is stored once: its id is unique, and a second try finds it there. The totals are added to in the transaction
that stores it, and read there again, so whoever tried twice knows what they came to.
"""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select, tuple_

from crewd.model.accounts import Key, Total
from crewd.policy.accounting import account_manual
from crewd.reconcile.restart_events import ManualRestart, RestartQuery, StoredRestart
from crewd.reconcile.totals import summed
from crewd.store.pages import last_id, newest
from crewd.store.recording import add_amounts
from crewd.store.store import SqlStore
from crewd.store.tables import RESTART_EVENTS, TOTALS

_COLUMN = RESTART_EVENTS.c
_LINE = ("duration_ms", "by", "source", "user", "reason", "actions")
"""What of a restart is in the line; the rest has columns."""


class SqlRestartEvents:
    """On the database of a store."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def add(self, restart: ManualRestart) -> Mapping[Key, float]:
        """Store it, and what it adds to the totals, once; return what those totals come to now."""
        return await self._store.write(partial(_add, restart=restart))

    async def restarts(self, query: RestartQuery) -> tuple[StoredRestart, ...]:
        """Return what was stored, oldest first."""
        return await self._store.read(partial(_restarts, query=query))


def _add(connection: Connection, restart: ManualRestart) -> Mapping[Key, float]:
    changes = account_manual(restart.worker_id, restart.duration_ms / 1000, success=restart.success)
    amounts = summed(changes)
    with connection.begin():
        if connection.scalar(select(_COLUMN.id).where(_COLUMN.restart_id == restart.restart_id)) is None:
            connection.execute(insert(RESTART_EVENTS), _row(last_id(connection, RESTART_EVENTS) + 1, restart))
            add_amounts(connection, amounts)
        wanted = tuple_(TOTALS.c.total, TOTALS.c.worker, TOTALS.c.label).in_(list(amounts))
        found = connection.execute(select(TOTALS).where(wanted))
        return {Key(Total(row.total), row.worker, row.label): row.amount for row in found}


def _row(id_: int, restart: ManualRestart) -> dict[str, Any]:
    line = {name: getattr(restart, name) for name in _LINE}
    return {
        "id": id_,
        "restart_id": restart.restart_id,
        "at": restart.at,
        "worker_id": restart.worker_id,
        "success": restart.success,
        "line": json.dumps(line),
    }


def _restarts(connection: Connection, query: RestartQuery) -> tuple[StoredRestart, ...]:
    conditions = [_COLUMN.worker_id.in_(query.workers)] if query.workers else []
    return tuple(map(_stored, newest(connection, RESTART_EVENTS, query, conditions)))


def _stored(row: Any) -> StoredRestart:
    members: dict[str, Any] = json.loads(row.line)
    members["actions"] = tuple(members["actions"])
    return StoredRestart(row.id, ManualRestart(row.restart_id, row.at, row.worker_id, row.success, **members))
