"""A store in memory. Several stores may share one database, and it outlives each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from crewd.errors import StoreError
from crewd.model.accounts import NO_ATTEMPT, Attempt, Key
from crewd.model.report import LogEntry, Pulse
from crewd.reconcile.port import BEGINNING, Position
from crewd.reconcile.restart_events import StoredRestart
from crewd.reconcile.storage import EventQuery, Recording, Remembered, Retention, Row, StoredEvent

T = TypeVar("T")
ROW_BYTES = 200
"""What an event takes besides its line, about as in a real one."""


@dataclass(slots=True)
class FakeDatabase:
    """What is stored."""

    position: Position = BEGINNING
    events: list[StoredEvent] = field(default_factory=list[StoredEvent])
    places: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    ever: int = 0
    """How many events were ever recorded: the id of the newest."""
    totals: dict[Key, float] = field(default_factory=dict[Key, float])
    attempts: dict[str, Attempt] = field(default_factory=dict[str, Attempt])
    restarts: list[StoredRestart] = field(default_factory=list[StoredRestart])
    logs: list[LogEntry] = field(default_factory=list[LogEntry])
    pulses: dict[str, Pulse] = field(default_factory=dict[str, Pulse])


class FakeStore:
    """Implements ``reconcile.storage.Store``.

    ``trouble``: why each call fails; empty where none does. ``full``: nothing can be written. ``deaf``: a recording is
    written, and then its call fails all the same, as where the database went away before it could answer. ``closed``:
    it is not open.
    """

    def __init__(self, database: FakeDatabase | None = None) -> None:
        self.database = database or FakeDatabase()
        self.trouble = ""
        self.full = False
        self.deaf = False
        self.closed = True
        self.recordings: list[Recording] = []
        """What was written through this store, in order."""

    async def open(self) -> Remembered:
        """Return what is known."""
        self._fail("open")
        self.closed = False
        known = self.database
        return Remembered(known.position, dict(known.totals), dict(known.attempts))

    async def record(self, recording: Recording) -> None:
        """Write it, whole or not at all."""
        self.usable("record in")
        if self.full:
            raise StoreError("cannot record in the fake database: it is full", retryable=True)
        self._check(recording)
        self._write(recording)
        self.recordings.append(recording)
        if self.deaf:
            raise StoreError("cannot record in the fake database: no answer", retryable=True)

    async def events(self, query: EventQuery) -> tuple[StoredEvent, ...]:
        """Return what was stored, oldest first."""
        self.usable("read")
        found = [event for event in self.database.events if _fits(event, query)]
        limit = max(0, query.limit)
        return tuple(found[:limit] if query.forward else found[len(found) - min(limit, len(found)) :])

    async def prune(self, retention: Retention, now: float) -> Mapping[str, int]:
        """Remove what is older than, or beyond, the retention; return how many rows of which table."""
        self.usable("prune")
        database = self.database
        events = _left([(event.row.at, len(event.row.line), event) for event in database.events], retention, now)
        logs = _left([(entry.at, len(entry.message), entry) for entry in database.logs], retention, now)
        restarts = [one for one in database.restarts if one.restart.at >= now - retention.age_sec]
        pruned = {
            "events": len(database.events) - len(events),
            "restart_events": len(database.restarts) - len(restarts),
            "worker_logs": len(database.logs) - len(logs),
        }
        database.events, database.restarts, database.logs = events, restarts, logs
        database.places = {_place(event.row) for event in events}
        return pruned

    async def close(self) -> None:
        """Let go of it."""
        self.closed = True

    def _fail(self, verb: str) -> None:
        if self.trouble:
            raise StoreError(f"cannot {verb} the fake database: {self.trouble}", retryable=True)

    def usable(self, verb: str) -> None:
        """Raise what keeps it from being used; for the other shelves of this database."""
        self._fail(verb)
        if self.closed:
            raise StoreError(f"cannot {verb} the fake database: it is not open", retryable=True)

    def _check(self, recording: Recording) -> None:
        if recording.since != self.database.position:
            raise StoreError("cannot record in the fake database: another daemon uses this database", retryable=True)
        try:
            "".join(row.line for row in recording.rows).encode()
        except UnicodeError as error:
            raise StoreError(f"cannot record in the fake database: {error}") from None
        places = {_place(row) for row in recording.rows}
        if len(places) < len(recording.rows) or places & self.database.places:
            raise StoreError("cannot record in the fake database: an event is stored already")

    def _write(self, recording: Recording) -> None:
        database = self.database
        rows = enumerate(recording.rows, database.ever + 1)
        database.events += [StoredEvent(number, row) for number, row in rows]
        database.places |= {_place(row) for row in recording.rows}
        database.ever += len(recording.rows)
        database.position = recording.until
        for key, amount in recording.amounts.items():
            database.totals[key] = database.totals.get(key, 0.0) + amount
        for instance, attempt in recording.attempts.items():
            database.attempts.pop(instance, None)
            if attempt != NO_ATTEMPT:
                database.attempts[instance] = attempt


def _left(rows: list[tuple[float, int, T]], retention: Retention, now: float) -> list[T]:
    """Return what is left of rows with their times and lengths, the oldest first."""
    kept = [row for row in rows if row[0] >= now - retention.age_sec]
    if retention.size_bytes > 0 and kept:
        row_bytes = ROW_BYTES + sum(row[1] for row in kept) / len(kept)
        kept = kept[max(0, len(kept) - int(retention.size_bytes / row_bytes)) :]
    return [row[2] for row in kept]


def _place(row: Row) -> tuple[str, int]:
    return row.generation, row.sequence


def _fits(event: StoredEvent, query: EventQuery) -> bool:
    row = event.row
    return (
        (not query.instances or row.instance in query.instances)
        and (not query.types or row.type in query.types)
        and (query.since is None or row.at >= query.since)
        and (query.until is None or row.at < query.until)
        and (query.after_id is None or event.id > query.after_id)
        and (query.before_id is None or event.id < query.before_id)
        and (query.behind is None or Position(row.generation, row.sequence) > query.behind)
    )
