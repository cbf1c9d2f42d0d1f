"""Writing: what a recording means in SQL. One transaction, and the place first: two writers never interleave."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, update

from crewd.errors import StoreError
from crewd.model.accounts import NO_ATTEMPT, Attempt, Key
from crewd.policy.accounting import worker_of
from crewd.reconcile.storage import Recording, Row
from crewd.store.tables import ATTEMPTS, EVENTS, PLACE, TOTALS

_MOVE = (
    update(PLACE)
    .where(PLACE.c.generation == bindparam("since_generation"), PLACE.c.sequence == bindparam("since_sequence"))
    .values(
        generation=bindparam("until_generation"),
        sequence=bindparam("until_sequence"),
        events=PLACE.c.events + bindparam("count"),
    )
    .returning(PLACE.c.events)
)
_ADD_EVENTS = insert(EVENTS)
_FORGET = delete(ATTEMPTS).where(ATTEMPTS.c.instance == bindparam("forgotten"))


def insert_into(connection: Connection, table: Table) -> Any:
    """Return the statement that knows ON CONFLICT: the same, under a name in each dialect. Of those one is imported."""
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)


def record(connection: Connection, recording: Recording, database: str) -> None:
    """Write it, whole or not at all."""
    with connection.begin():
        events = _move(connection, recording, database)
        if recording.rows:
            first = events - len(recording.rows) + 1
            connection.execute(_ADD_EVENTS, [_event(first + n, row) for n, row in enumerate(recording.rows)])
        if recording.amounts:
            add_amounts(connection, recording.amounts)
        _keep_attempts(connection, recording)


def _move(connection: Connection, recording: Recording, database: str) -> int:
    """Move the place; return how many events there were ever, these included."""
    since, until = recording.since, recording.until
    places = {"since_generation": since.generation, "since_sequence": since.sequence}
    places |= {"until_generation": until.generation, "until_sequence": until.sequence}
    events = connection.scalar(_MOVE, {**places, "count": len(recording.rows)})
    if events is None:
        raise StoreError(
            f"cannot record in {database}: it is no longer where this daemon left it "
            f"({since.generation or 'the beginning'}, {since.sequence}): another daemon uses this database",
            retryable=True,
        )
    return events


def _event(id_: int, row: Row) -> dict[str, Any]:
    return {
        "id": id_,
        "generation": row.generation,
        "sequence": row.sequence,
        "at": row.at,
        "type": row.type,
        "worker_id": worker_of(row.instance) or None if row.instance else None,
        "instance": row.instance,
        "line": row.line,
    }


def add_amounts(connection: Connection, amounts: Mapping[Key, float]) -> None:
    """Add these to the totals; within a transaction."""
    connection.execute(_add_amounts(connection), [_amount(*item) for item in amounts.items()])


def _amount(key: Key, amount: float) -> dict[str, Any]:
    return {"total": key.total, "worker": key.worker, "label": key.label, "amount": amount}


def _add_amounts(connection: Connection) -> Any:
    statement = insert_into(connection, TOTALS)
    added = TOTALS.c.amount + statement.excluded.amount
    return statement.on_conflict_do_update(index_elements=TOTALS.primary_key.columns, set_={"amount": added})


def _keep_attempts(connection: Connection, recording: Recording) -> None:
    kept = [_attempt(name, attempt) for name, attempt in recording.attempts.items() if attempt != NO_ATTEMPT]
    forgotten = [{"forgotten": name} for name, attempt in recording.attempts.items() if attempt == NO_ATTEMPT]
    if kept:
        statement = insert_into(connection, ATTEMPTS)
        values = {column.name: statement.excluded[column.name] for column in ATTEMPTS.c if not column.primary_key}
        connection.execute(statement.on_conflict_do_update(index_elements=[ATTEMPTS.c.instance], set_=values), kept)
    if forgotten:
        connection.execute(_FORGET, forgotten)


def _attempt(instance: str, attempt: Attempt) -> dict[str, Any]:
    return {
        "instance": instance,
        "ended_at": attempt.ended_at,
        "spawned_at": attempt.spawned_at,
        "counted": attempt.counted,
        "reason": attempt.reason,
    }
