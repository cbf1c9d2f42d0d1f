"""When the silence of an instance is too long: pure."""

from math import inf

from crewd.model.report import Pulse

STALE_SEC = 90.0
"""How long an instance that has reported may be silent where the configuration does not say."""


def stale_at(pulse: Pulse, limit_sec: float | None, started_at: float | None) -> float:
    """Return when, by CLOCK_BOOTTIME, its heartbeat is overdue; inf: never.

    ``limit_sec`` None: the configuration does not say, and nothing is expected of who never reported. ``started_at``
    None: there is no process, so nobody is silent. A new process has the whole time for its first one.
    """
    if started_at is None or (pulse.heartbeat is None and limit_sec is None):
        return inf
    heard_at = started_at if pulse.heartbeat is None else max(started_at, pulse.heartbeat.boottime)
    return heard_at + (STALE_SEC if limit_sec is None else limit_sec)
