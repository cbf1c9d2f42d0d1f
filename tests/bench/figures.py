"""The numbers: samples by what was measured, how many workers, of which peer, with or without log files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import ceil
from statistics import median


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a series of samples is about. ``what`` ends in its unit."""

    what: str
    n: int
    peer: str
    logs: bool


@dataclass(slots=True)
class Figures:
    """All samples of one run."""

    series: dict[Key, list[float]] = field(default_factory=dict[Key, list[float]])

    def add(self, key: Key, *samples: float) -> None:
        """Add samples to a series."""
        self.series.setdefault(key, []).extend(samples)

    def take(self, what: str, n: int, peer: str, logs: bool) -> list[float]:
        """Return a series, empty where nothing was measured."""
        return self.series.get(Key(what, n, peer, logs), [])

    def __iter__(self) -> Iterator[tuple[Key, list[float]]]:
        return iter(self.series.items())


def quantile(samples: Iterable[float], share: float) -> float:
    """Return the smallest sample that at least ``share`` of all do not exceed (nearest rank)."""
    ordered = sorted(samples)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def summary(samples: list[float]) -> dict[str, float]:
    """Return median, p99, max and n."""
    return {"p50": median(samples), "p99": quantile(samples, 0.99), "max": max(samples), "n": len(samples)}


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between all pairs of points (Theil and Sen): one jump does not make a trend."""
    return median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2))
