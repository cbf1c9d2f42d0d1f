"""What the tables have in common whose rows have a growing id and a time: pages of them, and the next id. Pure SQL."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select


class Bounds(Protocol):
    """Which rows of a table: ``since``, included, and ``until``, not included, are unix seconds. None: no bound."""

    @property
    def since(self) -> float | None: ...

    @property
    def until(self) -> float | None: ...

    @property
    def before_id(self) -> int | None: ...


class Page(Bounds, Protocol):
    """The newest ``limit`` of these."""

    @property
    def limit(self) -> int: ...


def within(table: Table, bounds: Bounds) -> list[ColumnElement[bool]]:
    """Return what must hold of the rows."""
    column, conditions = table.c, list[ColumnElement[bool]]()
    if bounds.since is not None:
        conditions.append(column.at >= bounds.since)
    if bounds.until is not None:
        conditions.append(column.at < bounds.until)
    if bounds.before_id is not None:
        conditions.append(column.id < bounds.before_id)
    return conditions


def newest(
    connection: Connection, table: Table, page: Page, conditions: Sequence[ColumnElement[bool]]
) -> list[Row[Any]]:
    """Return the rows of a page for which these hold, too, oldest first; in a transaction of its own."""
    wanted = select(table).where(*within(table, page), *conditions).order_by(table.c.id.desc())
    with connection.begin():
        found = connection.execute(wanted.limit(max(0, page.limit))).all()
    return list(reversed(found))


def last_id(connection: Connection, table: Table) -> int:
    """Return the id of the newest row, 0 where there is none."""
    return connection.scalar(select(func.max(table.c.id))) or 0
