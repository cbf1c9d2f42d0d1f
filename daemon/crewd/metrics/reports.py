"""The lines of what workers say of themselves: made anew each time, for they are of those few that report.

They are of a worker, all its instances together: an instance has as many series as it may have without them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from crewd.metrics.families import (
    ACTIVE_TASKS,
    ASSIGNED_ACCOUNTS,
    HEARTBEAT_AGE,
    HEARTBEAT_STALE,
    HEARTBEATS_STALE,
    OF_REPORTS,
    REPORTED_ERRORS,
    Family,
)
from crewd.metrics.pace import unhurried
from crewd.metrics.text import encoded, head, labelled, number
from crewd.model.record import Record
from crewd.model.report import Pulse
from crewd.model.spec import CrewSpec
from crewd.policy.accounting import worker_of

_SAID = ((ASSIGNED_ACCOUNTS, "assigned_accounts"), (ACTIVE_TASKS, "active_tasks"), (REPORTED_ERRORS, "error_count"))


@dataclass(slots=True)
class _Together:
    """What the instances of one worker said; None: nothing of that."""

    values: dict[Family, float] = field(default_factory=dict[Family, float])

    def add(self, family: Family, value: float) -> None:
        self.values[family] = self.values.get(family, 0) + value

    def take(self, record: Record, pulse: Pulse, now: float) -> None:
        self.add(HEARTBEAT_STALE, int(pulse.stale))
        heard = pulse.heartbeat
        if heard is None or not record.pid:
            return
        age = max(0.0, now - heard.boottime)
        self.values[HEARTBEAT_AGE] = max(self.values.get(HEARTBEAT_AGE, 0.0), age)
        for family, name in _SAID:
            said = getattr(heard, name)
            if said is not None:
                self.add(family, said)


def report_lines(
    records: Mapping[str, Record], pulses: Mapping[str, Pulse], spec: CrewSpec | None, now: float, *, counted: bool
) -> Iterable[bytes]:
    """Return the lines, by family; ``now`` is of CLOCK_BOOTTIME. ``counted``: whether the pulses' counts are whole."""
    known = (spec or CrewSpec()).workers
    found: dict[str, _Together] = {}
    for instance, record in unhurried(records.items()):
        worker_id = worker_of(instance)
        pulse = pulses.get(instance)
        worker = known.get(worker_id)
        if pulse is not None or (worker is not None and worker.heartbeat_stale_sec is not None):
            found.setdefault(worker_id, _Together()).take(record, pulse or Pulse(), now)
    if counted:  # rather no counter than one that begins at 0 and jumps
        _count(found, dict.fromkeys(map(worker_of, records)), pulses)
    for family in OF_REPORTS:
        yield head(family)
        yield encoded(
            f"{family.name}{{{labelled(worker_id)}}} {number(round(of.values[family], 3))}\n"
            for worker_id, of in found.items()
            if family in of.values
        )


def _count(found: dict[str, _Together], workers: Collection[str], pulses: Mapping[str, Pulse]) -> None:
    """Add how often heartbeats of these workers were missed: by instances that are no more, too, for no total falls."""
    for of in found.values():
        of.add(HEARTBEATS_STALE, 0)
    for instance, pulse in unhurried(pulses.items()):
        if (worker_id := worker_of(instance)) in workers:
            found.setdefault(worker_id, _Together()).add(HEARTBEATS_STALE, pulse.stale_count)
