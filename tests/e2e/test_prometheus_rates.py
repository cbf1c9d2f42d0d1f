"""How often, how well and how quickly workers are restarted: by Prometheus as by the journal."""

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

import pytest

from crewd.model.accounts import DURATION_BUCKETS_SEC
from crewd.model.facts import Event, Exited, Spawned, SpawnFailed, Starting, Succeeded
from crewd.model.reasons import Cause
from harness.daemon import Daemon
from harness.ports import free_port
from harness.prometheus import Prometheus, installed
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(not installed(), reason="there is no Prometheus")

KILLS = 6
WINDOW_SEC = 60
NEAR = 0.25
"""Prometheus extends what it saw to where it did not look, a scrape at most; in ratios that cancels out."""
ALIKE = {"start_success_sec": "100ms", "restart_sec": "120ms", "restart_steps": 0}
CREW = {
    "killed": {**ALIKE, "command": ["sleep", "1000"], "instances": 2},
    "broken": {**ALIKE, "command": ["sh", "-c", "exit 3"], "start_limit_burst": 4, "autostart": False},
    "absent": {**ALIKE, "command": ["/nowhere/to/be/found"], "start_limit_burst": 3, "autostart": False},
}


@dataclass
class Told:
    """What the journal tells of one worker. Counted here anew, by another rule than crewd's own."""

    restarts: int = 0
    successes: int = 0
    failures: int = 0
    exits: dict[str, int] = field(default_factory=dict[str, int])
    durations: list[float] = field(default_factory=list[float])

    def hear(self, life: Sequence[Event]) -> None:
        """Hear the life of one instance, from its first start to its last line: each start lasts until the next."""
        starts = [at for at, event in enumerate(life) if isinstance(event.fact, Starting)]
        for first, last in zip(starts, [*starts[1:], len(life)], strict=True):
            self._run(life[first:last], life[:first])
        for event in life:
            if isinstance(event.fact, Exited | SpawnFailed):
                reason = event.fact.reason if isinstance(event.fact, Exited) else "SpawnFailed"
                self.exits[reason] = self.exits.get(reason, 0) + 1

    def _run(self, run: Sequence[Event], before: Sequence[Event]) -> None:
        start = run[0].fact
        if not isinstance(start, Starting) or start.cause is not Cause.RESTART:
            return
        self.restarts += 1
        if any(isinstance(event.fact, Succeeded) for event in run):
            self.successes += 1
            ended = max(event.boottime for event in before if isinstance(event.fact, Exited | SpawnFailed))
            self.durations.append(next(event.boottime for event in run if isinstance(event.fact, Spawned)) - ended)
        elif any(isinstance(event.fact, Exited | SpawnFailed) for event in run):
            self.failures += 1


def told(journal: Iterable[Event]) -> dict[str, Told]:
    """Return what the journal tells of each worker."""
    lives: dict[str, list[Event]] = {}
    for event in journal:
        instance = getattr(event.fact, "instance", None)
        if instance is not None:
            lives.setdefault(instance, []).append(event)
    found: dict[str, Told] = {name: Told() for name in CREW}
    for instance, life in lives.items():
        found[instance.rpartition("-")[0]].hear(life)
    return found


def bucket_of(seconds: float) -> tuple[float, float]:
    """Return the bounds of the bucket that holds it."""
    bounds = (0.0, *DURATION_BUCKETS_SEC, inf)
    return next((low, high) for low, high in pairwise(bounds) if low < seconds <= high)


def successes(daemon: Daemon) -> int:
    """Return how often a restart succeeded, as of now."""
    return sum(one.successes for one in told(event for _, event in daemon.journal()).values())


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A daemon that is not started yet."""
    with Daemon(CREW) as found:
        yield found


def live(daemon: Daemon, prometheus: Prometheus) -> None:
    """Let it all happen: two workers fail until they are given up, one is killed again and again."""
    for worker in CREW:  # an increase can only be seen from the first scrape on
        prometheus.wait_value(f'sum(crewd_worker_restarts_total{{worker="{worker}"}})', 0, timeout=60.0)
    daemon.client.start(["broken-0", "absent-0"], "a test")
    for count in range(1, KILLS + 1):
        os.kill(wait_for(lambda: daemon.pids().get(f"killed-{count % 2}")), signal.SIGKILL)  # noqa: B023 - used at once
        wait_for(lambda: successes(daemon) == count)  # noqa: B023 - used at once
    daemon.wait_states(killed_0="RUNNING", killed_1="RUNNING", broken_0="FATAL", absent_0="FATAL")


def test_the_three_rates_come_out_as_they_happened(daemon: Daemon) -> None:
    """Frequency, success and duration of restarts, and why runs ended: nothing is lost between journal and PromQL."""
    port = free_port()
    with Prometheus(f"http://127.0.0.1:{port}/metrics") as prometheus:
        daemon.start(environ={"CREWD_LISTEN": f"127.0.0.1:{port}"})
        live(daemon, prometheus)
        journal = told(event for _, event in daemon.journal())
        for worker, one in journal.items():
            prometheus.wait_value(f'sum(crewd_worker_restarts_total{{worker="{worker}"}})', one.restarts)
            prometheus.wait_value(f'sum(crewd_worker_exits_total{{worker="{worker}"}})', sum(one.exits.values()))
            decided = f'sum(crewd_worker_restart_attempts_total{{worker="{worker}"}})'
            prometheus.wait_value(decided, one.successes + one.failures)

        assert (journal["killed"].successes, journal["broken"].failures) == (KILLS, 3)
        wait_for(
            lambda: counts(prometheus) == counted(journal), what=lambda: f"{counted(journal)}: {counts(prometheus)}"
        )
        assert_rates(prometheus, journal)
        assert_durations(prometheus, journal["killed"].durations)


def counted(journal: dict[str, Told]) -> dict[str, tuple[dict[str, float], dict[str, float]]]:
    """Return each restart's result and each end's reason, by worker."""
    return {name: ({"success": one.successes, "failure": one.failures}, one.exits) for name, one in journal.items()}


def counts(prometheus: Prometheus) -> dict[str, tuple[dict[str, float], dict[str, float]]]:
    """Return the same by Prometheus; it knows nothing of a moment in which the daemon was too late for a scrape."""
    found: dict[str, tuple[dict[str, float], dict[str, float]]] = {name: ({}, {}) for name in CREW}
    for labels, value in prometheus.query("crewd_worker_restart_attempts_total"):
        found[labels["worker"]][0][labels["result"]] = value
    for labels, value in prometheus.query("crewd_worker_exits_total > 0"):
        found[labels["worker"]][1][labels["reason"]] = value
    return found


def assert_rates(prometheus: Prometheus, journal: dict[str, Told]) -> None:
    """How often, and what part of it succeeded, by the expressions of docs/reference/metrics.md."""
    attempts = "crewd_worker_restart_attempts_total"
    for labels, value in prometheus.query(f"sum by (worker) (increase(crewd_worker_restarts_total[{WINDOW_SEC}s]))"):
        assert value == pytest.approx(journal[labels["worker"]].restarts, rel=NEAR)
    for labels, value in prometheus.query(f"sum by (worker) (rate(crewd_worker_restarts_total[{WINDOW_SEC}s]))"):
        assert value * WINDOW_SEC == pytest.approx(journal[labels["worker"]].restarts, rel=NEAR)
    ratios = prometheus.query(
        f'sum by (worker) (rate({attempts}{{result="success"}}[{WINDOW_SEC}s]))'
        f" / sum by (worker) (rate({attempts}[{WINDOW_SEC}s]))"
    )
    expected = {name: one.successes / (one.successes + one.failures) for name, one in journal.items()}

    assert {labels["worker"]: value for labels, value in ratios} == pytest.approx(expected)


def assert_durations(prometheus: Prometheus, durations: Sequence[float]) -> None:
    """How long: the mean to the millisecond, the quantile to its bucket."""
    name, window = "crewd_worker_restart_duration_seconds", f'{{worker="killed"}}[{WINDOW_SEC}s]'
    mean = prometheus.value(f"rate({name}_sum{window}) / rate({name}_count{window})")
    quantile = prometheus.value(f"histogram_quantile(0.95, rate({name}_bucket{window}))")
    low, high = bucket_of(max(durations))

    assert mean == pytest.approx(sum(durations) / len(durations), abs=0.001)
    assert quantile is not None
    assert low <= quantile <= high
