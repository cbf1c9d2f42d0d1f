"""The audit: who asked for what, and whether it was granted, as a port."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from crewd.model.access import How


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt. No member ever holds a secret."""

    at: float
    """Unix seconds."""
    principal: str
    how: How
    claimed: str | None
    """Whom the request says that it comes from: a claim, and no more."""
    source: str
    """From where: ``unix``, or an address."""
    what: str
    """``POST /api/v1/workers/web/restart``."""
    granted: bool
    status: int
    """Of the answer."""
    result: str
    """``ok``, or the code of the no."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    id: int = 0
    """Its place among all; 0 before it is stored."""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries: the newest ``limit`` of those that fit all conditions, oldest first."""

    principal: str | None = None
    what: str | None = None
    """Only where ``what`` contains this."""
    granted: bool | None = None
    since: float | None = None
    until: float | None = None
    before_id: int | None = None
    limit: int = 100


class Audit(Protocol):
    """The stored audit. Raises StoreError."""

    async def add(self, entries: Sequence[Entry]) -> None:
        """Store these, all or none."""
        ...

    async def entries(self, query: AuditQuery) -> tuple[Entry, ...]:
        """Return what was stored."""
        ...


class Noting(Protocol):
    """Takes note of an attempt: at once, without waiting for the database."""

    def note(self, entry: Entry) -> None:
        """Take note; never fails, loses nothing while the daemon lives, and logs each."""
        ...
