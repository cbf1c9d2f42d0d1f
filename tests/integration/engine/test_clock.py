"""The wall clock is set, for supervisord alone (libfaketime): what waits goes by the boot clock, and nobody notices."""

import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from crewd.model.facts import ClockJumped, Starting, Succeeded
from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Program, Supervisord, shell, wait_for
from harness.processes import member
from harness.server import boottime

LIBRARIES = [path for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1") if path.is_file()]
JUMPS = (-86400, -40, 3, 86400)
DELAY_SEC = 2.0
SLACK_SEC = 20.0
"""A busy machine may be late; whoever goes by a clock that was set back is later, or too early by one set ahead."""
STUBBORN = shell("trap '' TERM; exec sleep 1000")
TRUE_CLOCK = {"LD_PRELOAD": ""}

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


@pytest.fixture(params=ENGINE_EDITIONS)
def server(request: Any, tmp_path: Path) -> Generator[Supervisord]:
    """A supervisord whose wall clock is what ``clock`` says."""
    environment = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    (tmp_path / "clock").write_text("+0\n")
    with Supervisord(request.param, crew(), environment=environment) as server:
        for name in ("steady-0", "stubborn-0", "delayed-0"):
            server.wait_state(name, "RUNNING")
        wait_for(lambda: is_deaf(server), what="stubborn-0 to be deaf")
        yield server


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The file that sets supervisord's clock: seconds ahead or behind."""
    return tmp_path / "clock"


def is_deaf(server: Supervisord) -> bool:
    """Return whether the shell has become the sleep that inherits its deafness."""
    found = member(server.pid_of("stubborn-0"))
    return found is not None and found.command.startswith("sleep")


def crew() -> list[Program]:
    """One that only runs, one that does not end on TERM, one that is restarted after a while."""
    always = RestartPolicy(restart=RestartMode.ALWAYS, restart_sec=0.2, restart_steps=0, start_success_sec=0.5)
    slowly = RestartPolicy(restart=RestartMode.ALWAYS, restart_sec=DELAY_SEC, restart_steps=0, start_success_sec=0.5)
    return [
        Program("steady-0", shell("exec sleep 1000"), always, environment=TRUE_CLOCK),
        Program("stubborn-0", STUBBORN, always, environment=TRUE_CLOCK, timeout_stop_sec=DELAY_SEC),
        Program("delayed-0", shell("exec sleep 1000"), slowly, environment=TRUE_CLOCK),
    ]


def jump(clock: Path, seconds: int) -> None:
    """Set the clock."""
    aside = clock.with_suffix(".new")
    aside.write_text(f"{seconds:+d}\n")
    aside.rename(clock)


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_jump_of_the_clock_changes_no_delay(server: Supervisord, clock: Path, seconds: int) -> None:
    """A restart, a success and a stop timeout come when they are due, whatever the clock does meanwhile."""
    steady = server.pid_of("steady-0")
    delayed, stubborn = server.pid_of("delayed-0"), server.pid_of("stubborn-0")
    successes = len(server.facts(Succeeded, "delayed-0"))
    begun = boottime()
    os.kill(delayed, signal.SIGKILL)
    server.crewd("stop", ["stubborn-0"])
    jump(clock, seconds)
    server.wait_state("stubborn-0", "STOPPED")
    stopped = boottime() - begun
    server.wait_new_pid("delayed-0", delayed)
    restarted = boottime() - begun
    server.wait_state("delayed-0", "RUNNING")
    life = [one.event for one in server.journal() if getattr(one.event.fact, "instance", "") == "delayed-0"]
    last = {type(event.fact): event.boottime for event in life}

    assert stubborn
    assert DELAY_SEC - 0.01 < stopped < DELAY_SEC + SLACK_SEC
    assert DELAY_SEC - 0.01 < restarted < DELAY_SEC + SLACK_SEC
    assert 0.49 < last[Succeeded] - last[Starting] < 0.5 + SLACK_SEC
    assert len(server.facts(Succeeded, "delayed-0")) == successes + 1
    assert server.pid_of("steady-0") == steady
    assert abs(server.standing("steady-0")["uptime_sec"]) < 100


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_worker_that_dies_after_a_jump_is_restarted(server: Supervisord, clock: Path, seconds: int) -> None:
    """supervisor's own arithmetic, which goes by the wall clock, loses nobody."""
    jump(clock, seconds)
    for _ in range(3):
        before = server.pid_of("steady-0")
        os.kill(before, signal.SIGKILL)
        server.wait_new_pid("steady-0", before)
    server.wait_state("steady-0", "RUNNING")
    exits = server.crewd("why", "steady-0")["exits"]

    assert all(0 <= one["ran_sec"] < 60 for one in exits)
    assert server.crewd("version")["faults"] == 0


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_jump_is_journalled(server: Supervisord, clock: Path, seconds: int) -> None:
    """What reads the journal's wall times learns that they jumped, and by how much."""
    jump(clock, seconds)
    facts = wait_for(lambda: server.facts(ClockJumped), what="clock_jumped")

    assert abs(facts[0].by_sec - seconds) < 1
    assert "the clock jumped" in server.log()
