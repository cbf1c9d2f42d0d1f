"""The shelf of the workers that were made over the API: the port of ``crewd.reconcile.configurations``."""

from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError

from crewd.reconcile.configurations import Configuration
from crewd.store.store import SqlStore
from crewd.store.tables import WORKER_CONFIGS

_COLUMN = WORKER_CONFIGS.c


class SqlConfigurations:
    """Implements ``reconcile.configurations.Configurations``."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def all(self) -> tuple[Configuration, ...]:
        """Return all, by worker."""
        return await self._store.peek(_all)

    async def find(self, worker_id: str) -> Configuration | None:
        """Return one; None where there is none."""
        return await self._store.peek(partial(_find, worker_id=worker_id))

    async def add(self, configuration: Configuration) -> bool:
        """Store a new one; return False where there is one of that worker already."""
        return await self._store.write(partial(_add, configuration=configuration))

    async def replace(self, configuration: Configuration, revision: int) -> bool:
        """Store it in the place of that revision; return False where that is not the one that is stored."""
        return await self._store.write(partial(_replace, configuration=configuration, revision=revision))

    async def remove(self, worker_id: str, revision: int) -> bool:
        """Remove that revision; return False where that is not the one that is stored."""
        return await self._store.write(partial(_remove, worker_id=worker_id, revision=revision))


def _all(connection: Connection) -> tuple[Configuration, ...]:
    with connection.begin():
        if not inspect(connection).has_table(WORKER_CONFIGS.name):
            return ()
        found = [_configuration(row) for row in connection.execute(select(WORKER_CONFIGS))]
    return tuple(sorted(found, key=lambda one: one.worker_id))  # not by the server, whose order is its locale's


def _find(connection: Connection, worker_id: str) -> Configuration | None:
    with connection.begin():
        if not inspect(connection).has_table(WORKER_CONFIGS.name):
            return None
        row = connection.execute(select(WORKER_CONFIGS).where(_COLUMN.worker_id == worker_id)).one_or_none()
    return None if row is None else _configuration(row)


def _add(connection: Connection, configuration: Configuration) -> bool:
    try:
        with connection.begin():
            connection.execute(insert(WORKER_CONFIGS).values(_values(configuration)))
    except IntegrityError:
        return False
    return True


def _replace(connection: Connection, configuration: Configuration, revision: int) -> bool:
    theirs = (_COLUMN.worker_id == configuration.worker_id) & (_COLUMN.revision == revision)
    with connection.begin():
        return connection.execute(update(WORKER_CONFIGS).where(theirs).values(_values(configuration))).rowcount == 1


def _remove(connection: Connection, worker_id: str, revision: int) -> bool:
    theirs = (_COLUMN.worker_id == worker_id) & (_COLUMN.revision == revision)
    with connection.begin():
        return connection.execute(delete(WORKER_CONFIGS).where(theirs)).rowcount == 1


def _values(configuration: Configuration) -> dict[str, Any]:
    return {column.name: getattr(configuration, column.name) for column in _COLUMN}


def _configuration(row: Any) -> Configuration:
    return Configuration(**{column.name: getattr(row, column.name) for column in _COLUMN})
