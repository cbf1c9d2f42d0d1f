"""How many starts the limit leaves each instance: it changes by itself, when a start leaves the window.

Counting the starts in the window of each instance on each scrape would cost up to a million comparisons, so a line is
kept until the oldest start in the window is to leave it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from crewd.metrics.families import BUDGET
from crewd.metrics.pace import unhurried
from crewd.metrics.text import encoded, labelled_instance, number
from crewd.model.record import Record
from crewd.model.spec import RestartPolicy
from crewd.policy.restart import History, budget


@dataclass(frozen=True, slots=True)
class _Kept:
    record: Record
    policy: RestartPolicy
    since: float
    until: float
    line: bytes

    def holds(self, record: Record, policy: RestartPolicy, now: float) -> bool:
        return self.record is record and self.policy is policy and self.since <= now < self.until


class Budgets:
    """The lines of all."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def lines(self, instances: Iterable[tuple[str, Record, RestartPolicy]], now: float) -> list[bytes]:
        """Return the lines of these, in order; ``now`` is of CLOCK_BOOTTIME. All others are forgotten."""
        before, self._kept = self._kept, {}
        for name, record, policy in unhurried(instances):
            kept = before.get(name)
            self._kept[name] = (
                kept if kept is not None and kept.holds(record, policy, now) else _made(name, record, policy, now)
            )
        return [kept.line for kept in self._kept.values()]


def _made(instance: str, record: Record, policy: RestartPolicy, now: float) -> _Kept:
    left = budget(policy, History(record.starts, record.restarts), now)
    begin = now - policy.start_limit_interval_sec
    until = min((start for start in record.starts if start > begin), default=inf) + policy.start_limit_interval_sec
    line = b"" if left == inf else encoded([f"{BUDGET.name}{{{labelled_instance(instance)}}} {number(left)}\n"])
    return _Kept(record, policy, now, until, line)
