"""What workers report, in SQL: the latest heartbeat of each instance, and entries of the workers' log."""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select

from crewd.model.report import Heartbeat, Level, LogEntry, LogKind, Pulse
from crewd.policy.accounting import worker_of
from crewd.reconcile.reports import LogQuery
from crewd.store.pages import last_id, newest
from crewd.store.recording import insert_into
from crewd.store.store import SqlStore
from crewd.store.tables import HEARTBEATS, WORKER_LOGS

_ADD = insert(WORKER_LOGS)
_FORGET = delete(HEARTBEATS).where(HEARTBEATS.c.instance == bindparam("forgotten"))


class SqlReports:
    """Implements ``reconcile.reports.Reports``."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def add(self, entries: Sequence[LogEntry]) -> None:
        """Store these, all or none, in this order."""
        if entries:
            await self._store.write(partial(_add, entries=entries))

    async def entries(self, query: LogQuery) -> tuple[LogEntry, ...]:
        """Return what was stored, in the order in which it was."""
        return await self._store.read(partial(_entries, query=query))

    async def keep(self, pulses: Mapping[str, Pulse]) -> None:
        """Keep these, by instance; all or none."""
        if pulses:
            await self._store.write(partial(_keep, pulses=pulses))

    async def pulses(self) -> Mapping[str, Pulse]:
        """Return all that are kept."""
        return await self._store.read(_pulses)

    async def forget(self, instances: Collection[str]) -> None:
        """Keep nothing of these."""
        if instances:
            await self._store.write(partial(_forget, instances=instances))


def _add(connection: Connection, entries: Sequence[LogEntry]) -> None:
    with connection.begin():
        first = last_id(connection, WORKER_LOGS) + 1
        connection.execute(_ADD, [_row(number, entry) for number, entry in enumerate(entries, first)])


def _row(number: int, entry: LogEntry) -> dict[str, Any]:
    return {
        "id": number,
        "at": entry.at,
        "worker_id": worker_of(entry.instance),
        "instance": entry.instance,
        "kind": entry.kind.value,
        "level": entry.level.value,
        "line": json.dumps({"message": entry.message, "details": dict(entry.details)}),
    }


def _entries(connection: Connection, query: LogQuery) -> tuple[LogEntry, ...]:
    return tuple(map(_entry, newest(connection, WORKER_LOGS, query, _conditions(query))))


def _conditions(query: LogQuery) -> list[ColumnElement[bool]]:
    column = WORKER_LOGS.c
    conditions: list[ColumnElement[bool]] = []
    if query.instances:
        conditions.append(column.instance.in_(query.instances))
    if query.kinds:
        conditions.append(column.kind.in_([kind.value for kind in query.kinds]))
    if query.levels:
        conditions.append(column.level.in_([level.value for level in query.levels]))
    return conditions


def _entry(row: Any) -> LogEntry:
    told = json.loads(row.line)
    return LogEntry(row.at, row.instance, LogKind(row.kind), Level(row.level), told["message"], told["details"], row.id)


def _keep(connection: Connection, pulses: Mapping[str, Pulse]) -> None:
    statement = insert_into(connection, HEARTBEATS)
    values = {column.name: statement.excluded[column.name] for column in HEARTBEATS.c if not column.primary_key}
    kept = statement.on_conflict_do_update(index_elements=[HEARTBEATS.c.instance], set_=values)
    with connection.begin():
        connection.execute(kept, [_pulse_row(instance, pulse) for instance, pulse in pulses.items()])


def _pulse_row(instance: str, pulse: Pulse) -> dict[str, Any]:
    heard = pulse.heartbeat
    return {
        "instance": instance,
        "worker_id": worker_of(instance),
        "at": None if heard is None else heard.at,
        "assigned_accounts": None if heard is None else heard.assigned_accounts,
        "active_tasks": None if heard is None else heard.active_tasks,
        "error_count": None if heard is None else heard.error_count,
        "metadata": json.dumps({} if heard is None else dict(heard.metadata)),
        "stale": pulse.stale,
        "stale_count": pulse.stale_count,
    }


def _pulses(connection: Connection) -> Mapping[str, Pulse]:
    with connection.begin():
        return {row.instance: _pulse(row) for row in connection.execute(select(HEARTBEATS))}


def _pulse(row: Any) -> Pulse:
    heard = None
    if row.at is not None:
        known = json.loads(row.metadata)
        heard = Heartbeat(row.at, 0.0, row.assigned_accounts, row.active_tasks, row.error_count, known)
    return Pulse(heard, row.stale, row.stale_count)


def _forget(connection: Connection, instances: Collection[str]) -> None:
    with connection.begin():
        connection.execute(_FORGET, [{"forgotten": instance} for instance in instances])
