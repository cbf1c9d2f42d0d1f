"""Stops as in stock: priorities and their timeouts, process groups, workers that take their time."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crewd.model.spec import KillMode, RestartMode, RestartPolicy
from harness import EDITIONS, Program, Supervisord, misbehave, wait_for
from harness.processes import alive, below

AT_ONCE = RestartPolicy(RestartMode.NO, start_success_sec=0)
SLEEP = ("/bin/sleep", "1000")


def worker(name: str, *actions: str, **settings: Any) -> Program:
    """A program that starts at once and is never restarted."""
    return Program(name, misbehave(*actions), **{"policy": AT_ONCE, **settings})


@pytest.fixture(params=EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """A supervisord for one test."""
    with Supervisord(request.param, start=False) as server:
        yield server


def ready(server: Supervisord, *names: str) -> None:
    """Wait until these workers have said that they are up."""
    for name in names:
        wait_for(lambda name=name: server.read(f"{name}.stamp"), what=f"{name} to be up")


def stamped(server: Supervisord, name: str, **settings: Any) -> Program:
    """A worker that stamps its start and its end."""
    return worker(name, "exits=0", f"stamp={server.path(name)}.stamp", "pause", **settings)


def end_of(server: Supervisord, name: str) -> float | None:
    """Return when the worker ended, None if it was not asked to."""
    words = [line.split() for line in server.read(f"{name}.stamp").splitlines()]
    ends = [float(word[3]) for word in words if word[0] == "end"]
    return ends[0] if ends else None


def test_shutdown_stops_high_priorities_first(server: Supervisord):
    """Each priority waits for the one above it, and for its stop timeout where somebody ignores TERM."""
    deaf = worker(
        "deaf-0", "ignore=TERM", f"stamp={server.path('deaf-0')}.stamp", "pause", priority=20, timeout_stop_sec=1
    )
    server.boot([stamped(server, "first-0", priority=30), deaf, stamped(server, "last-0", priority=10)])
    ready(server, "first-0", "deaf-0", "last-0")
    status = server.stop()
    first, last = end_of(server, "first-0"), end_of(server, "last-0")

    assert status == 0
    assert first is not None and last is not None
    assert 0.9 < last - first < 9  # ten seconds is what nobody said
    assert end_of(server, "deaf-0") is None
    assert server.workers_left() == []


def test_a_worker_that_ignores_term_is_killed(server: Supervisord):
    """After stopwaitsecs, while supervisord answers others."""
    server.boot(
        [
            worker("deaf-0", "ignore=TERM", f"stamp={server.path('deaf-0')}.stamp", "pause", timeout_stop_sec=3),
            Program("other-0", SLEEP, policy=AT_ONCE, autostart=False),
        ]
    )
    ready(server, "deaf-0")
    began = time.monotonic()
    stopping = server.open_supervisorctl("stop.out", "stop", "deaf-0")
    server.wait_state("deaf-0", "STOPPING", "STOPPED")  # whoever comes late finds it stopped
    server.rpc.supervisor.startProcess("other-0")
    server.rpc.supervisor.stopProcess("other-0", False)
    stopping.wait(60)

    assert 2.9 < time.monotonic() - began < 9.9
    assert server.read("stop.out") == "deaf-0: stopped\n"
    assert server.state("deaf-0") == "STOPPED"


def test_a_stop_takes_as_long_as_the_worker_needs(server: Supervisord):
    """The answer comes when it has ended."""
    server.boot([worker("slow-0", "slow=0.5", f"stamp={server.path('slow-0')}.stamp", "pause")])
    ready(server, "slow-0")
    pid = server.pid_of("slow-0")
    answer = server.supervisorctl("stop", "slow-0")

    assert answer.stdout == "slow-0: stopped\n"
    assert not alive(pid)
    assert end_of(server, "slow-0")


def test_a_start_during_a_stop_is_answered_as_ever(server: Supervisord):
    """Nothing is started while the program is still there; afterwards it can be."""
    end = server.path("work/end")
    server.boot(
        [worker("slow-0", f"lingers={end}", f"stamp={server.path('slow-0')}.stamp", "pause", timeout_stop_sec=60)]
    )
    ready(server, "slow-0")
    before = server.pid_of("slow-0")
    stopping = server.open_supervisorctl("stop.out", "stop", "slow-0")
    server.wait_state("slow-0", "STOPPING")
    answer = server.supervisorctl("start", "slow-0")
    Path(end).touch()
    stopping.wait(60)
    server.wait_state("slow-0", "STOPPED")

    assert answer.stdout == "slow-0: ERROR (abnormal termination)\n"
    assert server.read("stop.out") == "slow-0: stopped\n"
    assert server.supervisorctl("start", "slow-0").stdout == "slow-0: started\n"
    assert server.pid_of("slow-0") not in (0, before)


def test_a_stop_signal_is_the_configured_one(server: Supervisord):
    """stopsignal=USR1: the worker, deaf to TERM, ends by it at once."""
    server.boot(
        [
            worker(
                *("usr1-0", "ignore=TERM", f"stamp={server.path('usr1-0')}.stamp", "pause"),
                stop_signal="USR1",
                timeout_stop_sec=90,
            )
        ],
    )
    ready(server, "usr1-0")
    began = time.monotonic()
    server.supervisorctl("stop", "usr1-0")

    assert time.monotonic() - began < 60
    assert server.state("usr1-0") == "STOPPED"


def test_a_group_is_signalled_as_one(server: Supervisord):
    """stopasgroup: what the worker forked ends by the same TERM."""
    forked = misbehave("fork", f"stamp={server.path('forked-0')}.stamp", "pause")
    server.boot([Program("forked-0", forked, policy=AT_ONCE, kill_mode=KillMode.CONTROL_GROUP)])
    wait_for(lambda: server.read("forked-0.stamp").count("start") == 2)
    server.supervisorctl("stop", "forked-0")
    wait_for(lambda: not server.workers_left(), what=server.workers_left)


def test_a_group_is_killed_as_one(server: Supervisord):
    """killasgroup: members that ignore TERM end with the KILL for the worker that ignores it too."""
    deaf = misbehave("ignore=TERM", "stay=2", f"stamp={server.path('deaf-0')}.stamp", "pause")
    server.boot([Program("deaf-0", deaf, policy=AT_ONCE, timeout_stop_sec=1)])
    ready(server, "deaf-0")
    assert len(server.workers_left()) == 3
    server.supervisorctl("stop", "deaf-0")
    wait_for(lambda: not server.workers_left(), what=server.workers_left)


def test_the_group_is_left_where_it_is_not_asked_for(server: Supervisord):
    """Neither stopasgroup nor killasgroup: only the worker itself ends."""
    leader = misbehave("stay=2", f"stamp={server.path('leader-0')}.stamp", "pause")
    server.boot([Program("leader-0", leader, policy=AT_ONCE, kill_mode=KillMode.PROCESS)])
    ready(server, "leader-0")
    server.supervisorctl("stop", "leader-0")

    assert len(server.workers_left()) == 2


def test_a_second_signal_does_not_hurt_a_shutdown(server: Supervisord):
    """TERM, TERM and HUP in the middle: everything ends all the same."""
    server.boot([worker("slow-0", "slow=0.5", f"stamp={server.path('slow-0')}.stamp", "pause")])
    ready(server, "slow-0")
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP):
        server.signal(number)

    assert server.nursery.wait(server.pid) == 0
    assert server.workers_left() == []


def test_requests_are_refused_during_a_shutdown(server: Supervisord):
    """SHUTDOWN_STATE, fault 6, where supervisord still answers."""
    end = server.path("work/end")
    lingers = worker("slow-0", f"lingers={end}", f"stamp={server.path('slow-0')}.stamp", "pause", timeout_stop_sec=60)
    server.boot([lingers, Program("x-0", SLEEP)])
    ready(server, "slow-0")
    server.signal(signal.SIGTERM)
    wait_for(lambda: "SIGTERM" in server.log(), what="the shutdown")
    answer = server.supervisorctl("start", "x-0")
    Path(end).touch()
    server.nursery.wait(server.pid)

    assert "SHUTDOWN_STATE" in answer.stdout or "refused" in answer.stdout or "no such file" in answer.stdout


def test_the_dead_are_reaped(server: Supervisord):
    """A worker that was killed from outside leaves no zombie."""
    server.boot([Program("w-0", SLEEP, policy=AT_ONCE)])
    before = server.wait_state("w-0", "RUNNING")["pid"]
    os.kill(before, signal.SIGKILL)
    server.wait_state("w-0", "EXITED")

    assert [one for one in below(server.pid) if one.state == "Z"] == []
