"""The alerts that are shipped, from a crew to which all of that happens; and none of those who are well or at rest.

Prometheus has the shipped files, in which each minute is made a second (``harness.alerting``). The crew is sabotaged
step by step, by all that does not hide something else at once.
"""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from crewd.supervisord.journal import segments
from harness.alerting import ALERTS, RULES, alert_rules, quicker
from harness.daemon import Daemon
from harness.ports import free_port
from harness.prometheus import Prometheus, installed
from harness.waiting import stays, wait_for

pytestmark = pytest.mark.skipif(not installed(), reason="there is no Prometheus")

CALM_SEC = 6.0
"""Longer than most alerts wait."""
PATIENCE_SEC = 120.0
QUICK = {"start_success_sec": "100ms", "restart_steps": 0, "start_limit_burst": 0, "restart_sec": "100ms"}
CRASHES = {**QUICK, "command": ["sh", "-c", "exit 3"], "start_success_sec": "1s"}
AT_REST: dict[str, Any] = {
    "well": {**QUICK, "command": ["sleep", "1000"], "instances": 2},
    "done": {**QUICK, "command": ["true"]},
    "pausing": {**QUICK, "command": ["sleep", "0.2"], "restart": "always", "restart_sec": "1.5s"},
    "resting": {**CRASHES, "autostart": False},
    "stopped": {**CRASHES, "autostart": False},
}
SABOTAGED: dict[str, Any] = {
    "away": {**CRASHES, "restart_sec": "1000s"},
    "failed": {**CRASHES, "restart": "no"},
    "looping": {**CRASHES, "instances": 4},
    "hopeless": {**CRASHES, "start_limit_burst": 2},
    "unborn": {**CRASHES, "command": ["/nowhere/to/be/found"], "start_limit_burst": 2},
    "slow": {**QUICK, "command": ["sleep", "1000"], "restart_sec": "1.5s"},
    "nearly": {**QUICK, "command": ["sleep", "1000"], "start_limit_burst": 3},
    "silent": {**QUICK, "command": ["sleep", "1000"], "heartbeat_stale_sec": "1s"},
}
CREW = {**AT_REST, **{name: {**worker, "autostart": False} for name, worker in SABOTAGED.items()}}
OF_WORKERS = {
    ("CrewdWorkerDown", "away"),
    ("CrewdWorkerDown", "failed"),
    ("CrewdWorkerDown", "looping"),
    ("CrewdWorkerDown", "hopeless"),
    ("CrewdWorkerCrashLoop", "looping"),
    ("CrewdWorkerGivenUp", "hopeless"),
    ("CrewdWorkerGivenUp", "unborn"),
    ("CrewdWorkerRestartSuccessLow", "looping"),
    ("CrewdWorkerRestartSlow", "slow"),
    ("CrewdWorkerBudgetLow", "nearly"),
    ("CrewdWorkerHeartbeatStale", "silent"),
    ("CrewdApplyFailed", ""),
}
OF_DATABASE = {("CrewdStoreDown", ""), ("CrewdJournalLag", "")}
OF_SUPERVISORD = {("CrewdSupervisordGone", ""), ("CrewdPictureStale", "")}
OF_DAEMON = {("CrewdDaemonGone", "")}
OF_JOURNAL = {("CrewdEventsLost", "")}
ALL = OF_WORKERS | OF_DATABASE | OF_SUPERVISORD | OF_DAEMON | OF_JOURNAL


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A daemon that is not started yet."""
    with Daemon(CREW) as found:
        yield found


@dataclass
class Watch:
    """What fires, and all that fired since it was first asked: the alert, and the worker where it is about one."""

    prometheus: Prometheus
    seen: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def firing(self) -> set[tuple[str, str]]:
        """Return what fires now; the texts are whole."""
        alerts = [one for one in self.prometheus.alerts() if one["state"] == "firing"]
        found = {(one["labels"]["alertname"], one["labels"].get("worker", "")) for one in alerts}
        texts = [text for one in alerts for text in one["annotations"].values()]
        assert not [text for text in texts if "no value" in text or "{{" in text]
        self.seen |= found
        return found

    def wait(self, wanted: set[tuple[str, str]]) -> None:
        """Wait until all these have fired."""
        wait_for(lambda: wanted <= self.seen | self.firing(), PATIENCE_SEC, lambda: f"alerts: {wanted - self.seen}")

    def wait_over(self, wanted: set[tuple[str, str]]) -> None:
        """Wait until none of these fires any more."""
        wait_for(lambda: not wanted & self.firing(), PATIENCE_SEC, lambda: f"no {wanted & self.firing()}")


def sabotage_workers(daemon: Daemon) -> None:
    """Let them crash, hang and run out of starts; and an operator stop the one that crashes again and again."""
    daemon.client.start([*SABOTAGED, "stopped"], "a test")
    wait_for(lambda: restarts(daemon, "stopped-0") > 4)
    daemon.client.stop(["stopped"], "a test")
    os.kill(wait_for(lambda: daemon.pids().get("nearly-0")), signal.SIGKILL)
    for count in range(1, 4):
        wait_for(lambda: daemon.states()["slow-0"] == "RUNNING" and restarts(daemon, "slow-0") == count - 1)  # noqa: B023 - at once
        os.kill(daemon.pids()["slow-0"], signal.SIGKILL)
    daemon.write_text("workers: [")
    assert "broken" in daemon.reload()


def restarts(daemon: Daemon, instance: str) -> int:
    """Return how often it was restarted."""
    return {one["instance"]: one["restart_count"] for one in daemon.client.status()["instances"]}[instance]


def lose_lines(daemon: Daemon) -> None:
    """Take some lines that nobody has read out of the newest file of the journal, as a broken disk would."""
    newest = segments(daemon.home.journal)[-1].path(daemon.home.journal)
    lines = newest.read_bytes().splitlines(keepends=True)
    newest.write_bytes(b"".join([*lines[:-40], *lines[-10:]]))


def is_calm_at_rest(watch: Watch) -> bool:
    """Return whether for so long nothing fires of those that are well or at rest."""
    return stays(lambda: not [one for one in watch.firing() if one[1] in AT_REST], CALM_SEC)


def is_calm(prometheus: Prometheus) -> bool:
    """Return whether nothing fires for so long.

    Before its first scrape there was no crewd to be seen. Nor is there one, by this clock, whenever the machine stands
    still for a second, which is a minute here.
    """
    return stays(lambda: not Watch(prometheus).firing(), CALM_SEC)


def test_each_alert_fires_when_it_should_and_not_for_whoever_is_at_rest(daemon: Daemon) -> None:
    """Also not for what an operator stopped; and those that are about crewd itself end when it is repaired."""
    port = free_port()
    listens = {"CREWD_LISTEN": f"127.0.0.1:{port}"}
    daemon.start(environ=listens)
    shipped = [quicker(file.read_text(encoding="utf-8")) for file in (RULES, ALERTS)]
    with Prometheus(f"http://127.0.0.1:{port}/metrics", rules=shipped) as prometheus:
        prometheus.wait_value('sum(crewd_worker_state{worker="well",state="RUNNING"})', 2)
        watch = Watch(prometheus)
        wait_for(lambda: is_calm(prometheus), PATIENCE_SEC, lambda: f"calm, but {Watch(prometheus).firing()}")
        daemon.write(CREW, crewd={"supervisord": "external"})
        daemon.reload()
        sabotage_workers(daemon)
        watch.wait(OF_WORKERS)
        wait_for(lambda: is_calm_at_rest(watch), PATIENCE_SEC, lambda: f"rest, but {watch.firing()}")
        with closing(sqlite3.connect(f"{daemon.home.lib}/crewd.db", isolation_level=None)) as held:
            held.execute("BEGIN IMMEDIATE")
            watch.wait(OF_DATABASE)
            os.kill(daemon.running_supervisord(), signal.SIGKILL)
            watch.wait(OF_SUPERVISORD)
            daemon.signal(signal.SIGKILL)
            watch.wait(OF_DAEMON)
            lose_lines(daemon)
        daemon.write(CREW)
        daemon.start(environ=listens)
        watch.wait(OF_JOURNAL)
        watch.wait_over(OF_DATABASE | OF_SUPERVISORD | OF_DAEMON | {("CrewdApplyFailed", "")})

        assert {alert for alert, _ in ALL} == set(alert_rules())
        wait_for(lambda: is_calm_at_rest(watch), PATIENCE_SEC, lambda: f"rest, but {watch.firing()}")
