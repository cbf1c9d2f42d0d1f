"""From a worker that dies to whoever is on call: the daemon, Prometheus, Alertmanager and a webhook, all of them real.

Rules, inhibitions and routes are those that are shipped, each minute in them three seconds: a machine with much to do
may let a daemon stand still for as long as one second stood for a minute, and then somebody would be told of that.
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
from harness.ports import free_port
from harness.prometheus import Prometheus
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.skipif(not prometheus.installed(), reason="there is no Prometheus"),
    pytest.mark.skipif(not alertmanager.installed(), reason="there is no Alertmanager"),
]

PATIENCE_SEC = 120.0
QUICKER = 20
WEBHOOK = "http://127.0.0.1:9095/"
QUICK = {"start_success_sec": "100ms", "restart_sec": "100ms", "start_limit_burst": 2, "autostart": False}


@dataclass(frozen=True)
class Watched:
    """A crew, who looks at it, and who is told."""

    daemon: Daemon
    prometheus: Prometheus
    on_call: OnCall
    address: str
    """The daemon's, as Prometheus knows it."""

    def wait_told(self, status: str, alert: str) -> None:
        """Wait until somebody was told that it is ``firing`` or ``resolved``."""
        wait_for(
            lambda: alert in self.on_call.told(status), PATIENCE_SEC, lambda: f"{status} {alert}: {self.on_call.heard}"
        )

    def wait_firing(self, alert: str) -> None:
        """Wait until it fires, told or not."""
        firing = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
        wait_for(lambda: self.prometheus.query(firing), PATIENCE_SEC, alert)


def configure(daemon: Daemon, **sections: object) -> None:
    """Write a crew of one worker, which needs a file to run."""
    daemon.write({"mail": {**QUICK, "command": ["tail", "-f", needed(daemon)]}}, **sections)


def needed(daemon: Daemon) -> str:
    """Return the path of that file."""
    return f"{daemon.root}/needed"


@pytest.fixture
def watched() -> Iterator[Watched]:
    """All of it, the crew at rest."""
    address = f"127.0.0.1:{free_port()}"
    rules = [quicker(file.read_text(encoding="utf-8"), QUICKER) for file in (RULES, ALERTS)]
    route = quicker_route(ALERTMANAGER.read_text(encoding="utf-8"), QUICKER)
    with Daemon() as daemon, OnCall() as on_call, Alertmanager(route.replace(WEBHOOK, on_call.url)) as manager:
        configure(daemon)
        daemon.start(environ={"CREWD_LISTEN": address})
        with Prometheus(f"http://{address}/metrics", rules=rules, alertmanagers=[manager.address]) as looking:
            looking.wait_value("crewd_supervisord_up", 1, PATIENCE_SEC)
            wait_for(
                lambda: not looking.alerts(), PATIENCE_SEC
            )  # before its first scrape there was no crewd to be seen
            yield Watched(daemon, looking, on_call, address)


def test_who_is_on_call_hears_what_is_wrong_and_that_it_is_over(watched: Watched) -> None:
    """Of a worker by the alert that says most; of a supervisord that is gone, and not of all that follows from it."""
    assert_a_worker_s_alert_arrives(watched)
    assert_a_supervisord_s_alert_arrives_alone(watched)


def assert_a_worker_s_alert_arrives(watched: Watched) -> None:
    """With all that one needs to act, and once it is repaired, its end."""
    daemon = watched.daemon
    daemon.client.start(["mail"], "a test")
    watched.wait_told("firing", "CrewdWorkerGivenUp")
    watched.wait_firing("CrewdWorkerDown")
    Path(needed(daemon)).touch()
    daemon.client.start(["mail"], "a test")
    watched.wait_told("resolved", "CrewdWorkerGivenUp")

    assert watched.on_call.told("firing") == {"CrewdWorkerGivenUp"}
    assert watched.on_call.heard[0]["labels"] == {
        "alertname": "CrewdWorkerGivenUp",
        "exported_instance": "mail-0",
        "instance": watched.address,
        "job": "crewd",
        "severity": "critical",
        "worker": "mail",
    }
    assert watched.on_call.heard[0]["annotations"]["summary"] == f"mail-0 on {watched.address} was given up"
    assert watched.on_call.heard[0]["annotations"]["runbook_url"].endswith("/worker-given-up.md")


def assert_a_supervisord_s_alert_arrives_alone(watched: Watched) -> None:
    """Though the picture is stale, too; and its end, once it is back."""
    daemon = watched.daemon
    configure(daemon, crewd={"supervisord": "external"})
    daemon.reload()
    os.kill(daemon.running_supervisord(), signal.SIGKILL)
    watched.wait_told("firing", "CrewdSupervisordGone")
    watched.wait_firing("CrewdPictureStale")
    configure(daemon)
    daemon.reload()
    watched.wait_told("resolved", "CrewdSupervisordGone")

    assert watched.on_call.told("firing") == {"CrewdWorkerGivenUp", "CrewdSupervisordGone"}
