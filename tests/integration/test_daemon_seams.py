"""Where daemon, apply and a supervisord that is just coming or going meet: nothing is lost, doubled or left behind."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from harness.daemon import Daemon
from harness.processes import alive
from harness.waiting import stays, wait_for

SLEEPS = {"command": ["sleep", "1000"], "start_success_sec": "100ms"}
CREW = {"web": {**SLEEPS, "instances": 2}, "job": SLEEPS}
UP = {"web_0": "RUNNING", "web_1": "RUNNING", "job_0": "RUNNING"}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A daemon whose crew of three is up."""
    with Daemon(CREW) as found:
        found.start()
        found.wait_states(**UP)
        yield found


def kill_supervisord(daemon: Daemon) -> None:
    """kill -9, once it answers; returns when the daemon has noticed."""
    gone = daemon.log().count("supervisord gone")
    os.kill(daemon.running_supervisord(), signal.SIGKILL)
    wait_for(lambda: daemon.log().count("supervisord gone") > gone)


def supervisords(daemon: Daemon) -> list[int]:
    """Return the pids of all supervisords of this home."""
    return [one.pid for one in daemon.nursery.members() if "crewd_supervisord.launch" in one.command]


def kill_as_it_comes(daemon: Daemon, times: int) -> None:
    """Kill it again and again, so that the daemon waits before it starts the next."""
    for _ in range(times):
        started = daemon.log().count("supervisord answers")
        kill_supervisord(daemon)
        if _ < times - 1:
            wait_for(lambda started=started: daemon.log().count("supervisord answers") > started, 60)


def test_what_is_applied_while_supervisord_starts_is_in_force(daemon: Daemon) -> None:
    """Whichever comes first: the crew in the end is that of the file."""
    for number in range(4):
        kill_supervisord(daemon)
        time.sleep(0.08 * number)
        daemon.write({"new": SLEEPS, "other": {**SLEEPS, "instances": number + 1}})
        daemon.reload()
        wait_for(lambda number=number: len(daemon.states()) == number + 2, 60, daemon.log)
        daemon.wait_states(new_0="RUNNING", **{f"other_{slot}": "RUNNING" for slot in range(number + 1)})

    assert not any(name.startswith(("web", "job")) for name in daemon.states())
    assert daemon.client.version().table == os.path.basename(os.readlink(daemon.home.current))


def test_a_reload_in_the_backoff_starts_no_second_supervisord(daemon: Daemon) -> None:
    """One, and Ctrl-C ends it with all workers."""
    kill_as_it_comes(daemon, 3)
    daemon.reload()
    wait_for(daemon.supervisord_pid, 60)
    daemon.wait_states(**UP)

    assert stays(lambda: len(supervisords(daemon)) == 1, 1.0)
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    assert daemon.nursery.left() == []


def test_ctrl_c_while_supervisord_is_gone_leaves_nobody_behind(daemon: Daemon) -> None:
    """In the pause before the next start there is nobody else who would end the workers."""
    kill_as_it_comes(daemon, 3)
    daemon.signal(signal.SIGINT)

    assert daemon.wait() == 0
    assert daemon.nursery.left() == []


@pytest.mark.parametrize("after_sec", [0.0, 0.05, 0.15])
def test_ctrl_c_while_supervisord_comes_leaves_nobody_behind(daemon: Daemon, after_sec: float) -> None:
    """Neither of its own workers nor of those that the killed one left to it."""
    started = daemon.log().count("supervisord started")
    kill_supervisord(daemon)
    wait_for(lambda: daemon.log().count("supervisord started") > started)
    time.sleep(after_sec)
    daemon.signal(signal.SIGINT)

    assert daemon.wait() == 0
    assert daemon.nursery.left() == []


def test_a_degraded_daemon_keeps_what_the_file_said_last() -> None:
    """``keep`` stays keep, though the file is broken when the daemon starts, and supervisord is by now its own."""
    with Daemon(CREW, crewd={"on_shutdown": "keep"}) as daemon:
        daemon.start()
        daemon.wait_states(**UP)
        assert daemon.stop() == 0
        daemon.write_text("workers: [\n")
        daemon.start()
        first = daemon.running_supervisord()
        kill_supervisord(daemon)
        wait_for(lambda: daemon.supervisord_pid() not in (0, first), 60)
        daemon.wait_states(**UP)

        assert daemon.stop() == 0
        assert "supervisord=kept" in daemon.log()
        assert all(alive(pid) for pid in daemon.pids().values())


def test_a_supervisord_that_is_slow_is_taken_over_when_it_answers(daemon: Daemon) -> None:
    """A new daemon does not end over it, nor start another."""
    before, supervisord = daemon.pids(), daemon.running_supervisord()
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    os.kill(supervisord, signal.SIGSTOP)
    daemon.start(ready=False)
    wait_for(lambda: "supervisord does not answer yet" in daemon.log(), 60)
    os.kill(supervisord, signal.SIGCONT)
    wait_for(lambda: f"supervisord taken over pid={supervisord}" in daemon.log(), 60)

    assert daemon.pids() == before


@pytest.mark.slow
def test_an_apply_that_nobody_confirmed_is_said_and_repeated(daemon: Daemon) -> None:
    """The rendering is in force on the disk, and that is what is said; supervisord gets it when it answers."""
    supervisord = daemon.running_supervisord()
    os.kill(supervisord, signal.SIGSTOP)
    daemon.write({"new": SLEEPS})
    ready = daemon.notified.said().count("READY")
    daemon.signal(signal.SIGHUP)
    wait_for(lambda: daemon.notified.said().count("READY") > ready, 120, daemon.log)
    assert "supervisord was not told of the new rendering; it will be" in daemon.log()
    assert "nothing was changed" not in daemon.log()
    os.kill(supervisord, signal.SIGCONT)

    daemon.wait_states(new_0="RUNNING")
    wait_for(lambda: daemon.notified.status() == "1 worker (1 instance): 1 running", 120, daemon.log)
