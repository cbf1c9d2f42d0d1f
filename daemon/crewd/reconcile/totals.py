"""The totals as far as they are stored. One writer: the recorder. Any thread may read.

Rules:

1. What was handed out never changes: a change makes new amounts for the workers that it concerns, and all of it takes
   effect in one step. So ``now`` is always of one transaction, and whoever kept something that was made of amounts
   knows by their identity whether it still holds.
"""

from collections.abc import Iterable, Mapping

from crewd.model.accounts import Change, Key, Total

Count = tuple[Total, str]
"""What is counted, and its label."""
Amounts = Mapping[Count, float]
"""The totals of one worker, or, under "", those that are not counted by worker."""

NOTHING: Amounts = {}


class Totals:
    """All totals; ``known`` once the database told them. Until then there are none, rather than wrong ones."""

    def __init__(self) -> None:
        self.known = False
        self._of: Mapping[str, Amounts] = {}
        self._counts: dict[Count, Count] = {}
        """Each count once: a thousand workers have the same."""

    def load(self, amounts: Mapping[Key, float]) -> None:
        """Take over what the database knows."""
        self._of = self._added({}, amounts)
        self.known = True

    def add(self, amounts: Mapping[Key, float]) -> None:
        """Add what was written."""
        self._of = self._added(self._of, amounts)

    def put(self, amounts: Mapping[Key, float]) -> None:
        """Take over what some totals came to, as the database has just said; the rest stays."""
        self.add({key: amount - self.get(*key) for key, amount in amounts.items()})

    def get(self, total: Total, worker: str = "", label: str = "") -> float:
        """Return one total, 0 where nothing was counted yet."""
        return self._of.get(worker, NOTHING).get((total, label), 0.0)

    def now(self) -> Mapping[str, Amounts] | None:
        """Return all that were ever counted, by worker, as of one transaction; None until they are known."""
        return self._of if self.known else None

    def _added(self, of: Mapping[str, Amounts], amounts: Mapping[Key, float]) -> Mapping[str, Amounts]:
        changed: dict[str, dict[Count, float]] = {}
        for (total, worker, label), amount in amounts.items():
            if worker not in changed:
                changed[worker] = dict(of.get(worker, NOTHING))
            count = self._counts.setdefault((total, label), (total, label))
            changed[worker][count] = changed[worker].get(count, 0.0) + amount
        return {**of, **changed}


def summed(changes: Iterable[Change]) -> dict[Key, float]:
    """Return the changes, one amount for each key."""
    amounts: dict[Key, float] = {}
    for key, amount in changes:
        amounts[key] = amounts.get(key, 0.0) + amount
    return amounts
