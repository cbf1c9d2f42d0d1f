"""In which order, and for how long: priorities. Lower ones start first and stop last.

Rule: programs of one priority stop together, one priority after the other, as supervisord does it.
"""

from collections.abc import Iterable, Mapping
from math import ceil

from crewd.model.spec import CrewSpec

LISTENER_PRIORITY = -1
LISTENER_STOP_SEC = 10.0
"""supervisord's defaults for an ``[eventlistener:]``."""


def longest_stop_sec(spec: CrewSpec) -> float:
    """Return how long a graceful stop of the whole crew may take: the sum over priorities of the longest timeout."""
    longest: dict[int, float] = {}
    for priority, timeout in _stops(spec):
        longest[priority] = max(longest.get(priority, 0.0), timeout)
    return sum(longest.values())


def _stops(spec: CrewSpec) -> Iterable[tuple[int, float]]:
    for worker in spec.workers.values():
        if worker.instances > 0:
            yield worker.priority, _whole(worker.timeout_stop_sec)
    for options in spec.engine.eventlisteners.values():
        priority = _number(options, "priority", LISTENER_PRIORITY)
        yield int(priority), _number(options, "stopwaitsecs", LISTENER_STOP_SEC)


def _whole(seconds: float) -> float:
    """Return what supervisord makes of it: whole seconds, rounded up."""
    return seconds if seconds == float("inf") else float(ceil(seconds))


def _number(options: Mapping[str, str], key: str, default: float) -> float:
    try:
        return float(int(options[key]))
    except (KeyError, ValueError):
        return default
