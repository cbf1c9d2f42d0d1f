"""What the configuration says to the daemon itself, and how it went to put it in force."""

from dataclasses import dataclass

from crewd.model.spec import CrewSpec, OnShutdown, SupervisordOwner
from crewd.policy.order import longest_stop_sec

STOP_SLACK_SEC = 5.0
"""What a graceful stop may take beyond the workers' own timeouts."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the configuration says to the daemon itself."""

    on_shutdown: OnShutdown = OnShutdown.STOP
    owner: SupervisordOwner = SupervisordOwner.OWN
    stop_within_sec: float = STOP_SLACK_SEC + 10.0
    spec: CrewSpec | None = None
    """All of it, as it is in force; None while that is not known."""


def wanted_of(spec: CrewSpec) -> Wanted:
    """Return what the configuration says to the daemon itself."""
    within = longest_stop_sec(spec) + STOP_SLACK_SEC
    return Wanted(spec.daemon.on_shutdown, spec.daemon.supervisord, within, spec)


@dataclass(slots=True)
class Applies:
    """How the last apply went. One writer: the loop."""

    successful: bool | None = None
    """None before the first."""
    at: float | None = None
    """When the last successful one was, in unix seconds."""
