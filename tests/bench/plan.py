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


QUICK = (
    Size(1, crashes=15, slow_crashes=3, storms=1, together=True),
    Size(100, crashes=60, slow_crashes=4, storms=2, together=True),
)

FULL = (
    Size(1, crashes=100, slow_crashes=10, storms=1, together=True),
    Size(100, crashes=200, slow_crashes=10, storms=3, together=True),
    Size(1000, crashes=100, slow_crashes=4, storms=2, cycles=2, idle_sec=6.0, cold=True),
    Size(3000, crashes=100, slow_crashes=0, storms=1, cycles=1),
)
