"""Reading: what is known when the database is opened, and the events that somebody asks for."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from crewd.model.accounts import Attempt, Key, Total
from crewd.reconcile.port import Position
from crewd.reconcile.storage import EventQuery, Remembered, Row, StoredEvent
from crewd.store.tables import ATTEMPTS, EVENTS, PLACE, TOTALS

_WORDS = frozenset(Total)


def remembered(connection: Connection) -> Remembered:
    """Return what is known. The place first: should another daemon write meanwhile, recording will be refused."""
    with connection.begin():
        place = connection.execute(select(PLACE.c.generation, PLACE.c.sequence)).one()
        totals = connection.execute(select(TOTALS.c.total, TOTALS.c.worker, TOTALS.c.label, TOTALS.c.amount))
        attempts = connection.execute(select(ATTEMPTS))
        return Remembered(
            Position(place.generation, place.sequence),
            {Key(Total(total), worker, label): amount for total, worker, label, amount in totals if total in _WORDS},
            {row.instance: Attempt(row.ended_at, row.spawned_at, row.counted, row.reason) for row in attempts},
        )


def events(connection: Connection, query: EventQuery) -> tuple[StoredEvent, ...]:
    """Return these events, oldest first."""
    forward = query.after_id is not None
    order = EVENTS.c.id.asc() if forward else EVENTS.c.id.desc()
    wanted = select(EVENTS).where(*_conditions(query)).order_by(order).limit(max(0, query.limit))
    with connection.begin():
        found = [_stored(row) for row in connection.execute(wanted)]
    return tuple(found if forward else reversed(found))


def _conditions(query: EventQuery) -> list[ColumnElement[bool]]:
    column = EVENTS.c
    conditions: list[ColumnElement[bool]] = []
    if query.instances:
        conditions.append(column.instance.in_(query.instances))
    if query.types:
        conditions.append(column.type.in_(query.types))
    if query.since is not None:
        conditions.append(column.at >= query.since)
    if query.until is not None:
        conditions.append(column.at < query.until)
    if query.after_id is not None:
        conditions.append(column.id > query.after_id)
    if query.before_id is not None:
        conditions.append(column.id < query.before_id)
    return conditions


def _stored(row: Any) -> StoredEvent:
    return StoredEvent(row.id, Row(row.generation, row.sequence, row.at, row.type, row.instance, row.line))
