"""What the configuration says to the daemon itself, and how it went to put it in force."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from crewd.model.offer import Fate, Offer, Ruling
from crewd.model.spec import CrewSpec, OnShutdown, SupervisordOwner, WorkerSpec
from crewd.policy.order import longest_stop_sec

STOP_SLACK_SEC = 5.0
"""What a graceful stop may take beyond the workers' own timeouts."""


Join = Callable[[Iterable[Offer]], Mapping[str, WorkerSpec]]
"""Reads workers made over the API under the defaults of the file; those that are wrong are left out."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the file has a worker. ``line`` counts from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the configuration says to the daemon itself."""

    on_shutdown: OnShutdown = OnShutdown.STOP
    owner: SupervisordOwner = SupervisordOwner.OWN
    stop_within_sec: float = STOP_SLACK_SEC + 10.0
    spec: CrewSpec | None = None
    """All of it, as it is in force; None while that is not known."""
    of_file: CrewSpec | None = None
    """What the file says of it; the others of the crew were made over the API."""
    places: Mapping[str, Place] = field(default_factory=dict[str, Place])
    """Where each worker of the file stands."""
    rulings: Mapping[str, Ruling] = field(default_factory=dict[str, Ruling])
    """What was ruled on each worker made over the API."""
    offers: Mapping[str, Offer] = field(default_factory=dict[str, Offer])
    """Those workers, as they were offered."""
    join: Join = lambda _offers: {}
    essential: frozenset[str] = frozenset()
    """The workers without which the crew is not to go on."""

    def joined(self, offers: Iterable[Offer], rulings: Mapping[str, Ruling]) -> "Wanted":
        """Return it with those workers made over the API that are in force; any that joined before are gone."""
        offered = {offer.worker_id: offer for offer in offers}
        if self.of_file is None:
            return replace(self, rulings=rulings, offers=offered)
        in_force = [offer for name, offer in offered.items() if name in rulings and rulings[name].fate is Fate.IN_FORCE]
        spec = replace(self.of_file, workers={**self.of_file.workers, **self.join(in_force)})
        within = longest_stop_sec(spec) + STOP_SLACK_SEC
        essential = _essential(spec)
        return replace(self, stop_within_sec=within, spec=spec, rulings=rulings, offers=offered, essential=essential)


def wanted_of(spec: CrewSpec, places: Mapping[str, Place] | None = None, join: Join = lambda _offers: {}) -> Wanted:
    """Return what the configuration says to the daemon itself. ``spec``: of the file."""
    within = longest_stop_sec(spec) + STOP_SLACK_SEC
    daemon = spec.daemon
    return Wanted(
        daemon.on_shutdown, daemon.supervisord, within, spec, spec, places or {}, join=join, essential=_essential(spec)
    )


def _essential(spec: CrewSpec) -> frozenset[str]:
    return frozenset(name for name, worker in spec.workers.items() if worker.essential)


@dataclass(slots=True)
class Applies:
    """How the last apply went. One writer: the loop."""

    successful: bool | None = None
    """None before the first."""
    at: float | None = None
    """When the last successful one was, in unix seconds."""
