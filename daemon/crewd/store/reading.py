"""Reading: what is known when the database is opened, and the events that somebody asks for."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from crewd.model.accounts import Attempt, Key, Total
from crewd.reconcile.port import Position
from crewd.reconcile.storage import EventQuery, Remembered, Row, StoredEvent
from crewd.store.pages import last_id, within
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
    order = EVENTS.c.id.asc() if query.forward else EVENTS.c.id.desc()
    with connection.begin():
        conditions = _conditions(query)
        if query.behind is not None:
            conditions.append(EVENTS.c.id > _id_at(connection, query.behind))
        wanted = select(EVENTS).where(*conditions).order_by(order).limit(max(0, query.limit))
        found = [_stored(row) for row in connection.execute(wanted)]
    return tuple(found if query.forward else reversed(found))


def _id_at(connection: Connection, place: Position) -> int:
    """Return the id of the last event up to this place, or of where it would be: by the index of places, three rows."""
    column = EVENTS.c
    own, down = column.generation == place.generation, column.sequence.desc()
    at = connection.scalar(select(column.id).where(own, column.sequence <= place.sequence).order_by(down).limit(1))
    if at is not None:
        return at
    beyond = connection.scalar(select(column.id).where(own).order_by(column.sequence).limit(1))
    if beyond is None:  # none of its generation is stored
        later = column.generation > place.generation
        beyond = connection.scalar(select(column.id).where(later).order_by(column.generation, column.sequence).limit(1))
    if beyond is None:  # nor of a later one
        return last_id(connection, EVENTS)
    return beyond - 1


def _conditions(query: EventQuery) -> list[ColumnElement[bool]]:
    column = EVENTS.c
    conditions = within(EVENTS, query)
    if query.instances:
        conditions.append(column.instance.in_(query.instances))
    if query.types:
        conditions.append(column.type.in_(query.types))
    if query.after_id is not None:
        conditions.append(column.id > query.after_id)
    return conditions


def _stored(row: Any) -> StoredEvent:
    return StoredEvent(row.id, Row(row.generation, row.sequence, row.at, row.type, row.instance, row.line))
