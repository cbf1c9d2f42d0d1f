"""The words of the accounting: what is counted, under which labels, and the attempt that is under way.

A total is a number that only grows. It is kept in the database, in the transaction that stores the events it counts.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

DURATION_BUCKETS_SEC = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of ``restart_duration_seconds``: from a restart at once to the longest delay, and beyond."""
LAG_BUCKETS_SEC = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of ``engine_restart_lag_seconds``."""
MANUAL_BUCKETS_SEC = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of ``crewd_manual_restart_duration_seconds``."""
UNKNOWN = "Unknown"
"""The label of a restart after an end of which no line was left."""
BEYOND = "+Inf"
"""The label of the bucket of all that is longer than the last bound."""


class Total(StrEnum):
    """What is counted. In parentheses what the label says; "" where there is none."""

    RESTARTS = "restarts"
    """Automatic restarts: starts that the policy ordered, by worker (the Reason of the end before, or UNKNOWN)."""
    ATTEMPTS = "attempts"
    """Those of them that are decided, by worker (``success`` or ``failure``)."""
    EXITS = "exits"
    """Runs that ended, and spawns that failed, by worker (the Reason)."""
    ASKED = "asked"
    """Those of them that were asked to end, by worker (the Reason): these are no failures."""
    DURATION = "duration"
    """Successful restarts by how long they took from exit to spawn, by worker (upper bound of the bucket, seconds)."""
    DURATION_SUM = "duration_sum"
    """The seconds that those took together, by worker."""
    LAG = "lag"
    """Starts that were due, by how late they came (upper bound of the bucket, seconds)."""
    LAG_SUM = "lag_sum"
    """The seconds by which those were late together."""
    EVENTS = "events"
    """Journal lines (their type)."""
    MANUAL = "manual"
    """Manual restarts with a reset, by worker (``success`` or ``failure``)."""
    MANUAL_DURATION = "manual_duration"
    """Those by how long they took (upper bound of the bucket, seconds)."""
    MANUAL_DURATION_SUM = "manual_duration_sum"
    """The seconds that those took together."""
    LOST = "lost"
    """Journal lines that were never stored: dropped by the engine, or gone before they could be read."""


class Key(NamedTuple):
    """One total. ``worker`` is "" where it is not counted by worker."""

    total: Total
    worker: str = ""
    label: str = ""


class Change(NamedTuple):
    """What an event adds to one total."""

    key: Key
    amount: float = 1.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """The restart of one instance that is not decided yet. Times are CLOCK_BOOTTIME seconds."""

    ended_at: float | None = None
    """When the run ended, or the spawn failed, that the attempt is to repair."""
    spawned_at: float | None = None
    counted: bool = False
    """The policy ordered the start, so success or failure will be counted."""
    reason: str = ""
    """Why the run ended that the attempt is to repair; empty where that line was dropped."""


NO_ATTEMPT = Attempt()


def bucket(bounds: tuple[float, ...], seconds: float) -> str:
    """Return the label of the bucket that holds ``seconds``: its upper bound, as Prometheus writes it."""
    return next((f"{bound:g}" for bound in bounds if seconds <= bound), BEYOND)
