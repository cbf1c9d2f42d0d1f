"""From a worker that dies to whoever is on call: the daemon, Prometheus, Alertmanager and a webhook, all of them real.

Rules, inhibitions and routes are those that are shipped, each minute in them a second.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import alertmanager, prometheus
from harness.alerting import ALERTMANAGER, ALERTS, RULES, quicker, quicker_route
from harness.alertmanager import Alertmanager, OnCall
from harness.daemon import Daemon
from harness.prometheus import Prometheus, free_port
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.skipif(not prometheus.installed(), reason="there is no Prometheus"),
    pytest.mark.skipif(not alertmanager.installed(), reason="there is no Alertmanager"),
]

PATIENCE_SEC = 40.0
WEBHOOK = "http://127.0.0.1:9095/"
QUICK = {"start_success_sec": "100ms", "restart_sec": "100ms", "start_limit_burst": 2, "autostart": False}


@dataclass
class Watched:
    """A daemon that is watched, and who is told."""

    daemon: Daemon
    port: int
    on_call: OnCall

    def configure(self, **sections: object) -> None:
        """Write a crew of one worker, which needs a file to run."""
        worker = {**QUICK, "command": ["tail", "-f", f"{self.daemon.root}/needed"]}
        self.daemon.write({"mail": worker}, **sections)

    def start(self) -> None:
        """Start the daemon."""
        self.daemon.start(environ={"CREWD_LISTEN": f"127.0.0.1:{self.port}"})

    def wait(self, status: str, alert: str) -> None:
        """Wait until that was said."""
        wait_for(lambda: alert in self.on_call.said(status), PATIENCE_SEC, lambda: f"{alert}: {self.on_call.heard}")


@pytest.fixture
def watched() -> Iterator[Watched]:
    """All of it, the crew at rest."""
    port = free_port()
    rules = [quicker(file.read_text(encoding="utf-8")) for file in (RULES, ALERTS)]
    route = quicker_route(ALERTMANAGER.read_text(encoding="utf-8"))
    with Daemon() as daemon, OnCall() as on_call:
        assert WEBHOOK in route
        found = Watched(daemon, port, on_call)
        found.configure()
        found.start()
        with (
            Alertmanager(route.replace(WEBHOOK, on_call.url)) as manager,
            Prometheus(f"http://127.0.0.1:{port}/metrics", rules=rules, alertmanagers=[manager.address]) as scraping,
        ):
            scraping.wait_value("crewd_supervisord_up", 1, timeout=PATIENCE_SEC)
            wait_for(lambda: not scraping.alerts())  # before its first scrape there was no crewd to be seen
            yield found


def test_who_is_on_call_hears_of_a_worker_and_of_its_repair(watched: Watched) -> None:
    """Once by the alert that says most, with all that one needs to act; and that it is over."""
    daemon = watched.daemon
    daemon.client.start(["mail"], "a test")
    watched.wait("firing", "CrewdWorkerGivenUp")
    Path(f"{daemon.root}/needed").touch()
    daemon.client.start(["mail"], "a test")
    watched.wait("resolved", "CrewdWorkerGivenUp")
    [told] = [one for one in watched.on_call.heard if one["status"] == "firing"]

    assert told["labels"] == {
        "alertname": "CrewdWorkerGivenUp",
        "exported_instance": "mail-0",
        "instance": f"127.0.0.1:{watched.port}",
        "job": "crewd",
        "severity": "critical",
        "worker": "mail",
    }
    assert told["annotations"]["summary"] == f"mail-0 on 127.0.0.1:{watched.port} was given up"
    assert told["annotations"]["runbook_url"].endswith("/worker-given-up.md")


def test_a_supervisord_that_is_gone_is_one_message(watched: Watched) -> None:
    """And not one for each thing that follows from it; when it is back, that is said."""
    daemon = watched.daemon
    Path(f"{daemon.root}/needed").touch()
    watched.configure(crewd={"supervisord": "external"})
    daemon.reload()
    os.kill(daemon.supervisord_pid(), signal.SIGKILL)
    watched.wait("firing", "CrewdSupervisordGone")
    watched.configure()
    daemon.reload()
    watched.wait("resolved", "CrewdSupervisordGone")

    assert watched.on_call.said("firing") == {"CrewdSupervisordGone"}
