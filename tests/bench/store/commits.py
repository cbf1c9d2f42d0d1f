"""What the transactions of a recording say about whether it kept up."""

from collections.abc import Sequence
from typing import NamedTuple


class Commit(NamedTuple):
    """One transaction. Times are unix seconds: of its end, and of when its oldest and newest line were written."""

    at: float
    oldest: float
    newest: float
    rows: int


def behind_sec(commits: Sequence[Commit]) -> list[float]:
    """Return, for each, how long its oldest line was not recorded: at no moment was the store further behind."""
    return [commit.at - commit.oldest for commit in commits]


def rows(commits: Sequence[Commit]) -> int:
    """Return how many lines were recorded."""
    return sum(commit.rows for commit in commits)


def rate_per_sec(commits: Sequence[Commit]) -> float:
    """Return how many lines were recorded a second, from the first one's writing to the last commit."""
    return rows(commits) / (commits[-1].at - commits[0].oldest)
