"""What ``crewctl top`` remembers from one look to the next, and in which order it shows it. Pure.

A look is an answer to ``GET /workers``. Figures that are not known come last, whatever they are sorted by.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crewd.wording import Members

CURVE_MOST = 60
"""So many looks are remembered of each instance."""


class Order(StrEnum):
    """What it is sorted by."""

    CPU = "cpu"
    MEMORY = "memory"
    RESTARTS = "restarts"
    NAME = "name"


_FIGURES: Mapping[Order, str] = {
    Order.CPU: "cpu_usage",
    Order.MEMORY: "memory_usage",
    Order.RESTARTS: "restart_count",
}


def ordered(instances: Iterable[Members], order: Order) -> list[Members]:
    """Return the instances, the most first; those that are equal as the crew has them."""
    if order is Order.NAME:
        return list(instances)
    figure = _FIGURES[order]
    key: Callable[[Members], float] = lambda one: -1.0 if one[figure] is None else float(one[figure])  # noqa: E731
    return sorted(instances, key=key, reverse=True)


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all instances together."""

    cpu: float
    memory: int
    restarts: int


def sums(instances: Iterable[Members]) -> Sums:
    """Return the sums; what is not known counts nothing."""
    found = list(instances)
    return Sums(
        sum(one["cpu_usage"] or 0.0 for one in found),
        sum(one["memory_usage"] or 0 for one in found),
        sum(one["restart_count"] for one in found),
    )


def _curve() -> "deque[float | None]":
    return deque(maxlen=CURVE_MOST)


@dataclass(slots=True)
class Remembered:
    """What was seen since it began."""

    curves: dict[str, "deque[float | None]"] = field(default_factory=dict[str, "deque[float | None]"])
    whole: "deque[float | None]" = field(default_factory=_curve)
    """The CPU of all together."""
    _restarts: dict[str, int] = field(default_factory=dict[str, int])
    _sampled_at: Any = None

    def look(self, answer: Members) -> None:
        """Take note of an answer; one with figures that were seen already adds nothing to the curves."""
        instances = flat(answer)
        names = {one["instance"] for one in instances}
        for one in instances:
            self._restarts.setdefault(one["instance"], one["restart_count"])
        for gone in self.curves.keys() - names:
            del self.curves[gone]
        if answer["sampled_at"] == self._sampled_at:
            return
        self._sampled_at = answer["sampled_at"]
        for one in instances:
            self.curves.setdefault(one["instance"], _curve()).append(one["cpu_usage"])
        self.whole.append(sums(instances).cpu)

    def restarted(self, instance: Members) -> int:
        """Return how often it was restarted since it was first seen."""
        return max(0, instance["restart_count"] - self._restarts.get(instance["instance"], instance["restart_count"]))


def flat(answer: Members) -> list[Members]:
    """Return the instances of all workers."""
    return [one for worker in answer["workers"] for one in worker["instances"]]
