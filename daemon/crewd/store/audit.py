"""The audit, on a shelf of the store.

An entry is known by the run of the daemon that noted it and its number there: a batch whose outcome nobody knows is
simply written again, and what is there already stays as it is.
"""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_

from crewd.model.access import How
from crewd.reconcile.auditing import ACTIONS, AuditQuery, Entry, asked
from crewd.reconcile.storage import Retention
from crewd.store.pages import last_id, newest
from crewd.store.recording import insert_into
from crewd.store.store import SqlStore
from crewd.store.tables import AUDIT

_COLUMNS = AUDIT.c


class SqlAudit:
    """Implements ``reconcile.auditing.Audit``."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def add(self, entries: Sequence[Entry]) -> None:
        """Store these, all or none; what is stored already stays as it is."""
        if entries:
            await self._store.write(partial(_add, entries=entries))

    async def entries(self, query: AuditQuery) -> tuple[Entry, ...]:
        """Return what was stored, oldest first."""
        return await self._store.read(partial(_entries, query=query))

    async def prune(self, retention: Retention, now: float) -> int:
        """Remove what is older than, or beyond, the retention; return how many entries."""
        return await self._store.prune_table(AUDIT, retention, now)


def _add(connection: Connection, entries: Sequence[Entry]) -> None:
    statement = insert_into(connection, AUDIT).on_conflict_do_nothing(index_elements=["run", "sequence"])
    with connection.begin():
        last = last_id(connection, AUDIT)
        connection.execute(statement, [_row(last + n, entry) for n, entry in enumerate(entries, 1)])


def _row(id_: int, entry: Entry) -> dict[str, Any]:
    rest = {
        "how": entry.how.value,
        "claimed": entry.claimed,
        "source": entry.source,
        "status": entry.status,
        "result": entry.result,
        "details": dict(entry.details),
    }
    return {
        "id": id_,
        "run": entry.run,
        "sequence": entry.sequence,
        "at": entry.at,
        "principal": entry.principal,
        "what": entry.what,
        "granted": entry.granted,
        "line": json.dumps(rest, separators=(",", ":")),
    }


def _entries(connection: Connection, query: AuditQuery) -> tuple[Entry, ...]:
    return tuple(map(_entry, newest(connection, AUDIT, query, _conditions(query))))


def _conditions(query: AuditQuery) -> list[ColumnElement[bool]]:
    """Return what must hold. Texts are compared by functions that both databases understand alike: LIKE is not one."""
    conditions: list[ColumnElement[bool]] = []
    if query.principal is not None:
        begin = query.principal + " "
        words = func.substr(_COLUMNS.principal, 1, len(begin)) == begin
        conditions.append(or_(_COLUMNS.principal == query.principal, words))
    if query.what:
        conditions.append(_was_asked(query.what))
    if query.granted is not None:
        conditions.append(_COLUMNS.granted == query.granted)
    return conditions


def _was_asked(text: str) -> ColumnElement[bool]:
    """Return where what was asked for has this in it: the path, or the path and the action of the details."""
    acting = (
        and_(_has(_COLUMNS.line, f'"action":"{action}"'), _has(_COLUMNS.what + asked("", action), text))
        for action in ACTIONS
    )
    return or_(_has(_COLUMNS.what, text), *acting)


def _has(whole: ColumnElement[str], part: str) -> ColumnElement[bool]:
    return func.replace(whole, part, "") != whole


def _entry(row: Any) -> Entry:
    rest: dict[str, Any] = json.loads(row.line)
    return Entry(
        row.at,
        row.principal,
        How(rest["how"]),
        rest["claimed"],
        rest["source"],
        row.what,
        row.granted,
        rest["status"],
        rest["result"],
        rest["details"],
        run=row.run,
        sequence=row.sequence,
        id=row.id,
    )
