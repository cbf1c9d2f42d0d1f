"""The picture: what is known of every instance, folded from the journal; and whether that can still be trusted.

Rules:

1. A state is what an event said, never what was intended.
2. A snapshot (``segment_opened``) replaces the whole picture; between snapshots events are folded one by one.
3. While supervisord is away the last picture stays, marked ``stale``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crewd.model.facts import Event, Fact, FaultCaught, LeftoverEnded, Removed, SegmentOpened, TableApplied
from crewd.model.record import Record, from_json
from crewd.model.states import ProcessState, Status, status_of
from crewd.policy.accounting import worker_of
from crewd.policy.duty import expected
from crewd.policy.fold import fold
from crewd.reconcile.port import Batch
from crewd.wording import counted

NOBODY = Record()


@dataclass(frozen=True, slots=True)
class Summary:
    """How many there are of each status."""

    workers: int = 0
    instances: int = 0
    by_status: Mapping[Status, int] = field(default_factory=dict[Status, int])
    stale: bool = False

    def __str__(self) -> str:
        """Return ``3 workers (6 instances): 5 running, 1 crashed``."""
        counts = [f"{self.by_status[status]} {status}" for status in _ORDER if self.by_status.get(status)]
        return (
            f"{counted(self.workers, 'worker')} ({counted(self.instances, 'instance')}): {', '.join(counts) or 'none'}"
        )


_ORDER = (Status.RUNNING, Status.STARTING, Status.STOPPING, Status.STOPPED, Status.CRASHED, Status.ERROR)


class Crew:
    """The picture. One writer: the loop."""

    def __init__(self) -> None:
        self.generation = ""
        self.sequence = 0
        self.table = ""
        """The policy table that the engine last said it took over; empty until it does."""
        self.stale = True
        self._records: dict[str, Record] = {}
        self._workers: Mapping[str, list[str]] | None = None
        self._seen = 0

    @property
    def records(self) -> Mapping[str, Record]:
        """Every instance's record, by name."""
        return self._records

    @property
    def workers(self) -> Mapping[str, list[str]]:
        """The names of all instances by worker, in the order of their numbers.

        Made when the names have changed: it is asked for with every request that concerns one worker.
        """
        if self._workers is None:
            found: dict[str, list[str]] = {}
            for name in self._records:
                found.setdefault(worker_of(name), []).append(name)
            for names in found.values():
                names.sort(key=lambda name: int(name.rpartition("-")[2]))
            self._workers = dict(sorted(found.items()))
        return self._workers

    def status(self, instance: str) -> Status:
        """Return the status of one instance; KeyError where there is none of that name."""
        record = self._records[instance]
        return status_of(record.process_state, expected_exit=expected(record))

    def summary(self) -> Summary:
        """Return how many there are of each status."""
        counts = Counter(self.status(name) for name in self._records)
        workers = {name.rpartition("-")[0] for name in self._records}
        return Summary(len(workers), len(self._records), counts, self.stale)

    def running(self) -> dict[str, tuple[int, int]]:
        """Return pid and start time of every process that was last known to live."""
        return {
            name: (record.pid, record.start_ticks)
            for name, record in self._records.items()
            if record.pid and record.process_state not in _ENDED
        }

    def intended(self) -> dict[str, str]:
        """Return the instances that were about to be spawned when the last line was written, by token."""
        return {record.token: name for name, record in self._records.items() if record.token and not record.pid}

    def observe(self, batch: Batch) -> Iterable[tuple[Record, Event]]:
        """Fold the batch in; yield each event never seen before, with the record of its instance *before* it."""
        if batch.events and batch.generation != self.generation:
            self.generation, self.sequence, self._seen = batch.generation, 0, 0
        for event in batch.events:
            before = self._records.get(instance_of(event.fact) or "", NOBODY)
            self._fold(event)
            self.sequence = event.sequence
            if event.sequence > self._seen:
                self._seen = event.sequence
                yield before, event

    def _fold(self, event: Event) -> None:
        before, count = self._records, len(self._records)
        self._take(event)
        if self._records is not before or len(self._records) != count:  # no fact both adds and removes
            self._workers = None

    def _take(self, event: Event) -> None:
        match event.fact:
            case SegmentOpened() as fact:
                self._records = {name: _recalled(members) for name, members in fact.records.items()}
            case Removed() as fact:
                self._records.pop(fact.instance, None)
            case TableApplied() as fact:
                self.table = fact.table
                for name in fact.added:
                    self._records.setdefault(name, NOBODY)
            case FaultCaught() | LeftoverEnded():
                pass  # may speak of an instance that is no more
            case fact:
                instance = instance_of(fact)
                if instance is not None:
                    self._records[instance] = fold(self._records.get(instance, NOBODY), event)


def instance_of(fact: Fact) -> str | None:
    """Return the instance that a fact speaks of, None where it speaks of none."""
    return getattr(fact, "instance", None)


def _recalled(members: Mapping[str, Any]) -> Record:
    """Return the record of a snapshot; one that a newer engine wrote in other words is UNKNOWN until it changes."""
    try:
        return from_json(members)
    except (ValueError, TypeError):
        return Record(process_state=ProcessState.UNKNOWN)


_ENDED = frozenset({ProcessState.STOPPED, ProcessState.BACKOFF, ProcessState.EXITED, ProcessState.FATAL})
