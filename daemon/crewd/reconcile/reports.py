"""What workers report, kept: their latest heartbeats, and what they want written down. A port.

``crewd.store`` has the real one, ``crewd.testing`` the fake. Every failure is a StoreError.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from crewd.model.report import Level, LogEntry, LogKind, Pulse


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which entries: all conditions together, an empty one holds for all. The newest ``limit``, oldest first."""

    instances: tuple[str, ...] = ()
    kinds: tuple[LogKind, ...] = ()
    levels: tuple[Level, ...] = ()
    since: float | None = None
    """Unix seconds, included."""
    until: float | None = None
    """Unix seconds, not included."""
    before_id: int | None = None
    limit: int = 100


class Reports(Protocol):
    """The shelf."""

    async def add(self, entries: Sequence[LogEntry]) -> None:
        """Store these, all or none, in this order."""
        ...

    async def entries(self, query: LogQuery) -> tuple[LogEntry, ...]:
        """Return what was stored, in the order in which it was."""
        ...

    async def keep(self, pulses: Mapping[str, Pulse]) -> None:
        """Keep these, by instance, in the place of what was kept of them; all or none."""
        ...

    async def pulses(self) -> Mapping[str, Pulse]:
        """Return all that are kept. ``boottime`` is not: it is that of a machine's run, and is 0 in all of them."""
        ...

    async def forget(self, instances: Collection[str]) -> None:
        """Keep nothing of these."""
        ...
