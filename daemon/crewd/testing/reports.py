"""What workers report, kept in the memory of a fake database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from crewd.model.report import LogEntry, Pulse
from crewd.reconcile.reports import LogQuery
from crewd.testing.store import FakeStore


class FakeReports:
    """Implements ``reconcile.reports.Reports`` on the database of a fake store, and has its troubles."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def add(self, entries: Sequence[LogEntry]) -> None:
        """Store these, all or none."""
        self._store.usable("write to")
        logs = self._store.database.logs
        last = logs[-1].id if logs else 0
        logs += [replace(entry, id=number) for number, entry in enumerate(entries, last + 1)]

    async def entries(self, query: LogQuery) -> tuple[LogEntry, ...]:
        """Return what was stored, in the order in which it was."""
        self._store.usable("read")
        found = [entry for entry in self._store.database.logs if _fits(entry, query)]
        return tuple(found[len(found) - min(max(0, query.limit), len(found)) :])

    async def keep(self, pulses: Mapping[str, Pulse]) -> None:
        """Keep these, by instance."""
        self._store.usable("write to")
        for instance, pulse in pulses.items():
            heard = None if pulse.heartbeat is None else replace(pulse.heartbeat, boottime=0.0)
            self._store.database.pulses[instance] = replace(pulse, heartbeat=heard)

    async def pulses(self) -> Mapping[str, Pulse]:
        """Return all that are kept."""
        self._store.usable("read")
        return dict(self._store.database.pulses)

    async def forget(self, instances: Collection[str]) -> None:
        """Keep nothing of these."""
        self._store.usable("write to")
        for instance in instances:
            self._store.database.pulses.pop(instance, None)


def _fits(entry: LogEntry, query: LogQuery) -> bool:
    return (
        (not query.instances or entry.instance in query.instances)
        and (not query.kinds or entry.kind in query.kinds)
        and (not query.levels or entry.level in query.levels)
        and (query.since is None or entry.at >= query.since)
        and (query.until is None or entry.at < query.until)
        and (query.before_id is None or entry.id < query.before_id)
    )
