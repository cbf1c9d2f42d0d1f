"""The store: the port of ``crewd.reconcile.storage`` on a database.

Where it is, in words:

- CLOSED: nothing is connected; only ``open`` may be called.
- OPEN: the tables are of this crewd's version. A failure does not close it: the next call connects again, and a
  recording is refused where the place is not what the recorder believes.

Rules:

1. One seat writes, one reads: whoever looks at events never delays the recorder.
2. Every call has a deadline. It is longer than the database's own patience, so mostly the database says why.
3. Pruning takes turns with recording, step by step.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Table

from crewd.errors import StoreError
from crewd.model.home import Home
from crewd.reconcile.storage import EventQuery, Recording, Remembered, Retention, StoredEvent
from crewd.store import pruning, reading
from crewd.store.choice import database_of
from crewd.store.database import Database, Role
from crewd.store.migration import migrate_in_child
from crewd.store.recording import record
from crewd.store.seat import Seat, Work
from crewd.store.versions import is_behind, revision_of

T = TypeVar("T")
SQLITE = "sqlite"
DEADLINE_SEC = 10.0
PATIENCE_SHARE = 0.5
"""Of the deadline: how long a lock or a server is waited for."""
MIGRATION_SEC = 3600.0
PRUNE_SEC = 60.0
"""So long pruning goes on at most; the rest has time until it is called next."""


def store_of(database: str, home: Home, deadline_sec: float = DEADLINE_SEC) -> "SqlStore":
    """Return the store that the configuration means: ``sqlite`` or a ``postgresql://`` URL. Touches nothing.

    Raises StoreError where psycopg is not installed, or the URL cannot be read.
    """
    address = f"{home.lib}/crewd.db" if database == SQLITE else database
    return SqlStore(database_of(address, deadline_sec * PATIENCE_SHARE), deadline_sec)


class SqlStore:
    """Implements ``reconcile.storage.Store``."""

    def __init__(self, database: Database, deadline_sec: float = DEADLINE_SEC) -> None:
        self._database = database
        self._deadline_sec = deadline_sec
        self._writer: Seat | None = None
        self._reader: Seat | None = None
        self._is_open = False

    async def open(self) -> Remembered:
        """Connect, bring the tables up to date, return what is known."""
        self._writer = self._writer or Seat(self._database, Role.WRITER)
        self._reader = self._reader or Seat(self._database, Role.READER)
        revision = await self._writer.call_anew("open", _revision, self._deadline_sec)
        if is_behind(revision, self._database.name):
            await migrate_in_child(self._database, MIGRATION_SEC)
        known = await self._writer.call("read", reading.remembered, self._deadline_sec)
        self._is_open = True
        return known

    async def record(self, recording: Recording) -> None:
        """Write it, whole or not at all."""
        work = partial(record, recording=recording, database=self._database.name)
        await self._seat("record in", self._writer).call("record in", work, self._deadline_sec)

    async def events(self, query: EventQuery) -> tuple[StoredEvent, ...]:
        """Return what was stored, oldest first."""
        return await self.read(partial(reading.events, query=query))

    async def prune(self, retention: Retention, now: float) -> Mapping[str, int]:
        """Remove what is older than, or beyond, the retention; return how many rows of which table."""
        seat = self._seat("prune", self._writer)
        until = time.monotonic() + PRUNE_SEC
        pruned = {table.name: await self.prune_table(table, retention, now) for table in pruning.PRUNABLE}
        while await seat.call("shrink", self._database.shrink, self._deadline_sec) and time.monotonic() < until:
            pass
        return pruned

    async def read(self, work: Work[T]) -> T:
        """Do it on the connection that reads; for the other shelves of this database."""
        return await self._seat("read", self._reader).call("read", work, self._deadline_sec)

    async def peek(self, work: Work[T]) -> T:
        """As ``read``, also before the store is open: a database that is not there yet is made, its tables are not.

        For what is needed before anything else, and cannot wait for a migration.
        """

        def looked(connection: Connection) -> T:
            is_behind(_revision(connection), self._database.name)  # raises where a newer crewd wrote it
            return work(connection)

        self._reader = self._reader or Seat(self._database, Role.READER)
        call = self._reader.call if self._is_open else self._reader.call_anew  # nobody else may have made it by now
        return await call("read", looked, self._deadline_sec)

    async def write(self, work: Work[T]) -> T:
        """Do it on the connection that writes, in its turn."""
        return await self._seat("write to", self._writer).call("write to", work, self._deadline_sec)

    async def prune_table(self, table: Table, retention: Retention, now: float) -> int:
        """Remove what of one table of the prunable form is beyond the retention; return how many rows."""
        seat = self._seat("prune", self._writer)
        until = time.monotonic() + PRUNE_SEC
        size = self._database.row_bytes
        looking = partial(pruning.excess, table=table, row_bytes=size, retention=retention, now=now)
        beyond = await seat.call("prune", looking, self._deadline_sec)
        work = partial(pruning.delete_some, table=table, beyond=beyond)
        pruned = some = await seat.call("prune", work, self._deadline_sec)
        while some >= pruning.CHUNK_ROWS and time.monotonic() < until:
            some = await seat.call("prune", work, self._deadline_sec)
            pruned += some
        return pruned

    async def close(self) -> None:
        """Let go of it; never fails."""
        seats, self._writer, self._reader, self._is_open = (self._writer, self._reader), None, None, False
        for seat in seats:
            if seat is not None:
                await seat.close(self._deadline_sec)

    def _seat(self, verb: str, seat: Seat | None) -> Seat:
        if seat is None or not self._is_open:
            raise StoreError(f"cannot {verb} {self._database.name}: it is not open", retryable=True)
        return seat


def _revision(connection: Connection) -> str | None:
    with connection.begin():
        return revision_of(connection)
