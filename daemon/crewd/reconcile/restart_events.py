"""Manual restarts with a reset, as they are stored: the words, and the port. ``crewd.store`` has the real one.

Rules:

1. A restart is stored once, however often it is tried: its id tells. What it adds to the totals is in the same
   transaction.
2. Every failure is a StoreError. After one it is not known whether it was stored: trying again is right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from crewd.model.accounts import Key

MANUAL_RESTART = "manual_restart"
"""The type of all of them: the document's word."""


@dataclass(frozen=True, slots=True)
class ManualRestart:
    """One of them. No member ever holds a secret."""

    restart_id: str
    """Unique."""
    at: float
    """When it began, in unix seconds."""
    worker_id: str
    success: bool
    """Whether every action succeeded."""
    duration_ms: int
    by: str
    """Who asked, as the journal has it."""
    source: str = ""
    """From where: ``unix``, or an address."""
    user: str | None = None
    """Whom the request says that it comes from: a claim, and no more."""
    reason: str | None = None
    actions: tuple[Mapping[str, Any], ...] = ()
    """As they were answered."""


@dataclass(frozen=True, slots=True)
class StoredRestart:
    """One as it was stored. ``id`` grows with each."""

    id: int
    restart: ManualRestart


@dataclass(frozen=True, slots=True)
class RestartQuery:
    """Which: all conditions together. The newest ``limit`` of them, oldest first."""

    workers: tuple[str, ...] = ()
    """Of these workers; empty: of all."""
    since: float | None = None
    """Unix seconds, included."""
    until: float | None = None
    """Unix seconds, not included."""
    before_id: int | None = None
    limit: int = 100


class RestartEvents(Protocol):
    """What is stored."""

    async def add(self, restart: ManualRestart) -> Mapping[Key, float]:
        """Store it, and what it adds to the totals, once; return what those totals come to now."""
        ...

    async def restarts(self, query: RestartQuery) -> tuple[StoredRestart, ...]:
        """Return what was stored."""
        ...
