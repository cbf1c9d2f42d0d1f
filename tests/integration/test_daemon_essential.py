"""``essential:`` with a real daemon: who ends the crew, how, and what comes of the next start."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.daemon import Daemon
from harness.processes import alive
from harness.waiting import wait_for

LIMIT = {"start_limit_burst": 2, "restart_sec": 0, "start_success_sec": "100ms"}


def sh(script: str) -> list[str]:
    """Return the command that runs it."""
    return ["/bin/sh", "-c", script]


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A daemon with a crew of two: one that ends when told, by a file, and one that says how it was ended."""
    with Daemon() as found:
        fails = sh(f"while [ -e {found.root}/well ]; do sleep 0.02; done; exit 3")
        polite = sh(
            f'trap "echo told > {found.root}/told; exit 0" TERM; echo > {found.root}/up; while :; do sleep 0.05; done'
        )
        crew = {"web": {"command": fails, "essential": True, **LIMIT}, "job": {"command": polite}}
        found.write(crew, crewd={"on_shutdown": "keep"})
        Path(found.root, "well").touch()
        yield found


def test_it_ends_the_crew_in_order_and_says_why(daemon: Daemon) -> None:
    """All others are stopped as by a shutdown, on_shutdown: keep or not; exit code 1, one sentence."""
    daemon.start()
    daemon.wait_states(web_0="RUNNING", job_0="RUNNING")
    wait_for(Path(daemon.root, "up").exists, what="job-0 to listen to its signal")
    supervisord = daemon.supervisord_pid()
    Path(daemon.root, "well").unlink()

    assert daemon.wait() == 1
    assert daemon.log().splitlines()[-1] == (
        "cannot go on: web-0 of the essential worker web was given up: exit code 3 (ExitCode -> StartLimitHit)"
    )
    assert Path(daemon.root, "told").read_text() == "told\n"
    assert not alive(supervisord)
    assert daemon.nursery.left() == []


def test_the_next_start_tries_it_once_more(daemon: Daemon) -> None:
    """What was given up would stay down: whoever starts crewd again wants it tried."""
    Path(daemon.root, "well").unlink()
    daemon.start(ready=False)
    assert daemon.wait() == 1
    Path(daemon.root, "well").touch()

    daemon.start()
    daemon.wait_states(web_0="RUNNING", job_0="RUNNING")
    assert "essential workers are tried once more instances=web-0" in daemon.log()
    assert ' for crewd run" through=crewd' in daemon.log()


def test_a_supervisord_that_was_taken_over_goes_on(daemon: Daemon) -> None:
    """It is logged as an error, and the workers of somebody else's supervisord are left alone."""
    daemon.start()
    daemon.wait_states(web_0="RUNNING", job_0="RUNNING")
    assert daemon.stop() == 0
    daemon.start()
    Path(daemon.root, "well").unlink()

    wait_for(lambda: "essential worker lost instance=web-0" in daemon.log(), what=daemon.log)
    daemon.wait_states(web_0="FATAL", job_0="RUNNING")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    daemon.start()
    daemon.wait_states(web_0="FATAL", job_0="RUNNING")
