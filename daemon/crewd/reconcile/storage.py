"""What the recorder needs of a database, as a port. ``crewd.store`` has the real one, ``crewd.testing`` the fake.

Rules:

1. One writer: the recorder. Whatever it writes is written whole or not at all, and is there after a crash.
2. Every failure is a StoreError. After one nothing is known of what was written: ``open`` tells.
3. A call waits in a thread, never on the loop, and has a deadline of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from crewd.model.accounts import Attempt, Key
from crewd.reconcile.port import BEGINNING, Position


@dataclass(frozen=True, slots=True)
class Row:
    """One event to be stored. ``line`` is the journal's own, without its newline."""

    generation: str
    sequence: int
    at: float
    """Unix seconds."""
    type: str
    instance: str | None
    line: str


@dataclass(frozen=True, slots=True)
class Recording:
    """What is written in one transaction."""

    since: Position
    """Where the last one ended: another position in the database is a StoreError."""
    until: Position
    rows: tuple[Row, ...] = ()
    amounts: Mapping[Key, float] = field(default_factory=dict[Key, float])
    """What is added to each total."""
    attempts: Mapping[str, Attempt] = field(default_factory=dict[str, Attempt])
    """By instance; NO_ATTEMPT forgets it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the database knows when it is opened."""

    position: Position = BEGINNING
    totals: Mapping[Key, float] = field(default_factory=dict[Key, float])
    attempts: Mapping[str, Attempt] = field(default_factory=dict[str, Attempt])


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it was stored. ``id`` grows with every event and names its place for whoever reads on."""

    id: int
    row: Row


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: all conditions together. The newest ``limit`` of them, in the order in which they happened.

    With ``after_id`` or ``behind``, the oldest ``limit`` of those behind it instead: for reading on.
    """

    instances: tuple[str, ...] = ()
    """Of these instances; empty: of all, and of none."""
    types: tuple[str, ...] = ()
    """Of these types; empty: of all."""
    since: float | None = None
    """Unix seconds, included."""
    until: float | None = None
    """Unix seconds, not included."""
    after_id: int | None = None
    before_id: int | None = None
    behind: Position | None = None
    """Behind this place of the journal, whether or not an event of that place is stored (any more)."""
    limit: int = 100

    @property
    def forward(self) -> bool:
        """Whether it reads on from somewhere, the oldest first."""
        return self.after_id is not None or self.behind is not None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long, and how much, a table of events keeps. Totals are kept for ever."""

    age_sec: float
    size_bytes: int


class Store(Protocol):
    """The database."""

    async def open(self) -> Remembered:
        """Connect, bring the tables up to date, return what is known. May be called again after a StoreError."""
        ...

    async def record(self, recording: Recording) -> None:
        """Write it, whole or not at all."""
        ...

    async def events(self, query: EventQuery) -> tuple[StoredEvent, ...]:
        """Return what was stored, oldest first."""
        ...

    async def prune(self, retention: Retention, now: float) -> Mapping[str, int]:
        """Remove what is older than, or beyond, the retention; return how many rows of which table. ``now``: unix."""
        ...

    async def close(self) -> None:
        """Let go of it; never fails."""
        ...
