"""How much is measured: sizes, cycles and rounds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """One number of workers."""

    n: int
    crashes: int
    """Single crashes of each peer and cycle."""
    slow_crashes: int
    """The same for a peer that takes a second for each."""
    storms: int
    cycles: int = 1
    together: bool = False
    """All peers are up at the same time and take turns crash by crash; otherwise they take turns cycle by cycle."""
    idle_sec: float = 5.0
    cold: bool = False
    """Measure ``crewd run`` as well."""


@dataclass(frozen=True, slots=True)
class DaemonPlan:
    """How much is measured of the daemon; its workers are always as many as its targets speak of."""

    idle_intervals: int
    """Of sampling: the idle window is so long."""
    scrapes: int
    rounds: int
    """Of turns, without and with somebody who scrapes."""
    health_checks: int
    """In each turn."""
    crashes: int
    """In each turn."""
    changes: int
    """Seen through the API, and as many through the metrics."""
    asks: int
    """Of crewctl, and as many of supervisorctl."""
    growth_rounds: int
    """After the first, which fills what has a bound."""
    workers: int = 1000


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """How much is asked of the API."""

    lists: int
    status_sec: float
    """So long it is asked for one without pause, in each round."""
    rounds: int
    restarts: int
    """In each round, without and with listeners."""
    batches: int
    readers: int = 200
    batch: int = 100
    """So many workers are restarted together."""
    workers: int = 1000


@dataclass(frozen=True, slots=True)
class StorePlan:
    """How much is written for the store."""

    seconds: int
    rate_per_sec: int = 10_000
    workers: int = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """All parts."""

    sizes: tuple[Size, ...]
    daemon: DaemonPlan
    api: ApiPlan
    store: StorePlan


QUICK = Plan(
    (
        Size(1, crashes=15, slow_crashes=3, storms=1, together=True),
        Size(100, crashes=60, slow_crashes=4, storms=2, together=True),
    ),
    DaemonPlan(
        idle_intervals=2, scrapes=30, rounds=2, health_checks=100, crashes=10, changes=30, asks=8, growth_rounds=4
    ),
    ApiPlan(lists=30, status_sec=2, rounds=2, restarts=10, batches=2),
    StorePlan(seconds=10),
)

FULL = Plan(
    (
        Size(1, crashes=100, slow_crashes=10, storms=1, together=True),
        Size(100, crashes=200, slow_crashes=10, storms=3, together=True),
        Size(1000, crashes=100, slow_crashes=4, storms=2, cycles=2, idle_sec=6.0, cold=True),
        Size(3000, crashes=100, slow_crashes=0, storms=1, cycles=1),
    ),
    DaemonPlan(
        idle_intervals=4, scrapes=100, rounds=4, health_checks=250, crashes=25, changes=100, asks=20, growth_rounds=16
    ),
    ApiPlan(lists=100, status_sec=5, rounds=4, restarts=25, batches=5),
    StorePlan(seconds=30),
)
