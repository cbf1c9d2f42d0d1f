"""All that the surfaces show, in one place: the API and the metrics read it, and nothing else of the daemon.

Rules:

1. Each part has one writer, named beside it; all live on the event loop, so what is read there is of one moment.
2. A configuration is that which is in force, never what the file says by now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crewd.model.record import Record
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.policy.accounting import worker_of
from crewd.policy.restart import History, budget
from crewd.reconcile.auditor import Backlog
from crewd.reconcile.crew import Crew
from crewd.reconcile.heartbeats import Heartbeats
from crewd.reconcile.port import Usage
from crewd.reconcile.recorder import Recorder
from crewd.reconcile.supervision import Life, Supervision
from crewd.reconcile.totals import Totals
from crewd.reconcile.wanted import Applies


@dataclass(slots=True)
class Usages:
    """What the instances use, as sampled. One writer: ``sampling``."""

    of: Mapping[str, Usage] = field(default_factory=dict[str, Usage])
    at: float | None = None
    """When, in unix seconds."""
    took_sec: float = 0.0


@dataclass(slots=True)
class View:
    """The parts."""

    crew: Crew
    supervision: Supervision
    applies: Applies
    totals: Totals
    recorder: Recorder
    usages: Usages = field(default_factory=Usages)
    backlog: Backlog = field(default_factory=Backlog)
    """Of the audit."""
    heartbeats: Heartbeats = field(default_factory=Heartbeats)

    @property
    def spec(self) -> CrewSpec | None:
        """The configuration in force; None while none is known, after a start with a broken file."""
        return self.supervision.wanted.spec

    def worker(self, worker_id: str) -> WorkerSpec | None:
        """Return what is configured of a worker; None where that is not known."""
        return None if self.spec is None else self.spec.workers.get(worker_id)

    def workers(self) -> Mapping[str, list[str]]:
        """Return the names of all instances by worker, in the order of their numbers: of the crew as it is."""
        return self.crew.workers

    def workers_of(self, worker_id: str) -> Sequence[str]:
        """Return the names of a worker's instances, in the order of their numbers; none where there is none."""
        return self.workers().get(worker_id, ())

    def budget(self, instance: str, record: Record, now: float) -> float | None:
        """Return how many starts the limit leaves; inf: no limit; None where the policy is not known.

        ``now`` is of CLOCK_BOOTTIME.
        """
        spec = self.worker(worker_of(instance))
        return None if spec is None else budget(spec.policy, History(record.starts, record.restarts), now)

    @property
    def supervisord_up(self) -> bool:
        """Whether a supervisord runs and answers."""
        return self.supervision.life is Life.UP and not self.supervision.silent

    def lag(self) -> int:
        """Return how many lines of the journal are not recorded yet."""
        return self.recorder.lag(self.crew.generation, self.crew.sequence)
