"""Pruning: events that are too old, or too many, a few thousand in each transaction.

Rules:

1. Totals are never pruned.
2. How much space a table takes is estimated without reading it: rows have numbers without holes, so there are about
   as many as lie between the first and the last, and a few of both ends tell how long one is. What is deleted in a
   database gives no space back at once, so the size of files says nothing here.
3. Each step says whether there is more to do: between two of them ``record`` gets its turn.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select

from crewd.reconcile.storage import Retention
from crewd.store.tables import EVENTS, RESTART_EVENTS, WORKER_LOGS

CHUNK_ROWS = 2000
SAMPLE_ROWS = 200

PRUNABLE = (EVENTS, RESTART_EVENTS, WORKER_LOGS)
"""Tables of this form: ``id`` without holes, ``at``, ``line``."""


@dataclass(frozen=True, slots=True)
class Excess:
    """What of a table goes: rows from before ``at``, and rows below ``id``."""

    at: float | None = None
    id: int | None = None


def excess(connection: Connection, table: Table, row_bytes: int, retention: Retention, now: float) -> Excess:
    """Return what of the table is beyond the retention, as of now. ``row_bytes``: of a row besides its line."""
    before = now - retention.age_sec if isfinite(retention.age_sec) else None
    if retention.size_bytes <= 0:
        return Excess(before)
    with connection.begin():
        first, last = connection.execute(select(func.min(table.c.id), func.max(table.c.id))).one()
        if first is None:
            return Excess(before)
        fitting = retention.size_bytes / (_line_bytes(connection, table) + row_bytes)
    return Excess(before, max(first, last + 1 - int(fitting)))


def delete_some(connection: Connection, table: Table, beyond: Excess) -> int:
    """Delete the oldest few of what is beyond; return how many: fewer than CHUNK_ROWS when that was all."""
    deleted = 0
    if beyond.at is not None:
        deleted = _delete(connection, table, select(table.c.id).where(table.c.at < beyond.at).order_by(table.c.at))
    if beyond.id is not None and deleted < CHUNK_ROWS:
        deleted += _delete(connection, table, select(table.c.id).where(table.c.id < beyond.id).order_by(table.c.id))
    return deleted


def _delete(connection: Connection, table: Table, doomed: Any) -> int:
    with connection.begin():
        return connection.execute(delete(table).where(table.c.id.in_(doomed.limit(CHUNK_ROWS)))).rowcount


def _line_bytes(connection: Connection, table: Table) -> float:
    """Return how long a line is on average, by a few of the oldest and of the newest."""
    lengths: list[int] = []
    for order in (table.c.id.asc(), table.c.id.desc()):
        lengths += connection.scalars(select(func.length(table.c.line)).order_by(order).limit(SAMPLE_ROWS))
    return sum(lengths) / max(1, len(lengths))
