"""``crewd run`` on a real supervisord: beginning, taking over, surviving, ending."""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewd.model.facts import GenerationBegan, Starting
from harness.daemon import Daemon
from harness.processes import alive, environment_of, member
from harness.waiting import stays, wait_for

SLEEPS = {"command": ["sleep", "1000"]}
QUICK = {**SLEEPS, "start_success_sec": "100ms"}
CREW = {"web": {**QUICK, "instances": 2}, "job": QUICK}
DATAGRAM = (socket.AF_UNIX, socket.SOCK_DGRAM)
UP = {"web_0": "RUNNING", "web_1": "RUNNING", "job_0": "RUNNING"}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A daemon that is not started yet, with a crew of three."""
    with Daemon(CREW) as found:
        yield found


def test_it_brings_the_crew_up_and_takes_it_down(daemon: Daemon) -> None:
    """From nothing to everybody, and back to nothing, exit code 0."""
    daemon.start()
    daemon.wait_states(**UP)
    supervisord = daemon.supervisord_pid()

    assert daemon.stop() == 0
    assert not alive(supervisord)
    assert daemon.nursery.left() == []
    assert daemon.log().count("commanded=True") == 3


def test_what_is_the_daemons_reaches_no_worker(daemon: Daemon) -> None:
    """Neither its environment nor the way to the service manager."""
    daemon.start()
    daemon.wait_states(**UP)

    supervisord = daemon.supervisord_pid()
    for pid in (supervisord, *daemon.pids().values()):
        assert not environment_of(pid).keys() & {"SECRET", "NOTIFY_SOCKET", "CREWD_HOME"}
    assert environment_of(supervisord).keys() == {"PATH"}
    assert daemon.home.lock not in opened(supervisord)


def opened(pid: int) -> set[str]:
    """Return what a process has open."""
    found = set[str]()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def test_the_service_manager_hears_how_it_is(daemon: Daemon) -> None:
    """READY once all is known, then the status, RELOADING and READY, STOPPING last."""
    daemon.start()
    wait_for(lambda: daemon.notified.status() == "2 workers (3 instances): 3 running")
    daemon.reload()
    daemon.stop()

    wait_for(lambda: daemon.notified.said() == ["READY", "RELOADING", "READY", "STOPPING"], what=daemon.notified.lines)
    reloading = next(message for _, message in daemon.notified.messages if "RELOADING=1" in message)
    assert any(line.startswith("MONOTONIC_USEC=") for line in reloading)


def test_the_watchdog_is_fed_as_long_as_the_process_goes_on(daemon: Daemon) -> None:
    """Three times per interval; never while the process stands still."""
    daemon.start(environ={"WATCHDOG_USEC": "600000"})
    fed = daemon.notified.beats()
    wait_for(lambda: daemon.notified.beats() >= fed + 3)

    daemon.signal(signal.SIGSTOP)
    wait_for(lambda: (found := member(daemon.pid)) and found.state == "T", what="the daemon to stand still")
    time.sleep(0.3)  # what was sent before has arrived
    fed = daemon.notified.beats()
    assert stays(lambda: daemon.notified.beats() == fed, 0.6)
    daemon.signal(signal.SIGCONT)
    wait_for(lambda: daemon.notified.beats() > fed)


def test_a_service_manager_that_does_not_listen_holds_nobody_up(daemon: Daemon) -> None:
    """Its queue is full and stays full; the daemon goes on, and so does the picture."""
    deaf = f"{daemon.root}/deaf"
    with socket.socket(*DATAGRAM) as bound, socket.socket(*DATAGRAM) as it:
        bound.bind(deaf)
        it.connect(deaf)
        it.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                it.send(b"X=1")
        daemon.start(environ={"NOTIFY_SOCKET": deaf})
        daemon.wait_states(**UP)
        os.kill(daemon.pids()["job-0"], signal.SIGKILL)

        wait_for(lambda: "exited instance=job-0" in daemon.log())
        assert daemon.stop() == 0


def test_a_second_daemon_is_told_who_is_there(daemon: Daemon) -> None:
    """It names the pid, changes nothing, and ends with 1."""
    first = daemon.start()
    daemon.wait_states(**UP)
    before = daemon.pids()

    second = daemon.start(ready=False)
    assert daemon.wait(second) == 1
    assert f"another crewd holds {daemon.home.lock}: pid {first}" in daemon.log()
    assert daemon.pids() == before


def test_a_killed_daemon_is_replaced_without_a_worker_noticing(daemon: Daemon) -> None:
    """kill -9: the next one takes supervisord over, and keeps it when it ends."""
    daemon.start()
    daemon.wait_states(**UP)
    before, supervisord = daemon.pids(), daemon.running_supervisord()
    daemon.signal(signal.SIGKILL)
    daemon.wait()

    daemon.start()
    assert f"supervisord taken over pid={supervisord}" in daemon.log()
    assert daemon.pids() == before
    assert daemon.stop() == 0
    assert daemon.pids() == before


def test_policy_goes_on_while_the_daemon_is_away(daemon: Daemon) -> None:
    """A worker that dies meanwhile is restarted, and the next daemon knows of it."""
    daemon.start()
    daemon.wait_states(**UP)
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    victim = daemon.pids()["job-0"]
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: daemon.pids().get("job-0") not in (None, victim))

    daemon.start()
    wait_for(lambda: daemon.notified.status() == "2 workers (3 instances): 3 running")


def test_a_killed_supervisord_is_replaced_at_once(daemon: Daemon) -> None:
    """Noticed by the daemon, started again, its leftovers ended: every worker once."""
    daemon.start()
    daemon.wait_states(**UP)
    before, supervisord = daemon.pids(), daemon.running_supervisord()
    os.kill(supervisord, signal.SIGKILL)
    began = time.monotonic()
    wait_for(lambda: "supervisord gone" in daemon.log())
    noticed = time.monotonic() - began
    wait_for(lambda: daemon.supervisord_pid() not in (0, supervisord), 60)
    daemon.wait_states(**UP)

    assert noticed < 10  # whoever only looks now and then looks every 30 seconds
    assert not any(alive(pid) for pid in before.values())
    wait_for(lambda: len([one for one in daemon.nursery.members() if one.command.startswith("sleep")]) == 3)
    began_facts = [event.fact for _, event in daemon.journal() if isinstance(event.fact, GenerationBegan)]
    assert [fact.clean for fact in began_facts] == [True, False]
    wait_for(lambda: daemon.notified.status() == "2 workers (3 instances): 3 running")


def test_one_that_was_taken_over_and_dies_is_replaced_by_ours(daemon: Daemon) -> None:
    """And the replacement ends with the daemon."""
    daemon.start()
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    daemon.start()
    first = daemon.running_supervisord()
    os.kill(first, signal.SIGKILL)
    second = wait_for(lambda: (pid := daemon.supervisord_pid()) not in (0, first) and pid, 60)
    daemon.wait_states(**UP)

    assert daemon.stop() == 0
    assert not alive(second)


def test_what_was_stopped_by_hand_stays_stopped_through_it_all(daemon: Daemon) -> None:
    """Through the end of supervisord and the end of the daemon."""
    daemon.start()
    daemon.wait_states(**UP)
    daemon.client.stop(["job-0"], "test")
    daemon.wait_states(web_0="RUNNING", web_1="RUNNING", job_0="STOPPED")
    first = daemon.running_supervisord()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: daemon.supervisord_pid() not in (0, first), 60)
    daemon.wait_states(web_0="RUNNING", web_1="RUNNING", job_0="STOPPED")
    daemon.stop()

    daemon.start()
    daemon.wait_states(web_0="RUNNING", web_1="RUNNING", job_0="STOPPED")


def test_keep_leaves_everybody_running() -> None:
    """on_shutdown: keep."""
    with Daemon(CREW, crewd={"on_shutdown": "keep"}) as daemon:
        daemon.start()
        daemon.wait_states(**UP)
        before = daemon.pids()

        assert daemon.stop() == 0
        assert daemon.pids() == before
        assert "supervisord=kept" in daemon.log()


def test_stubborn_workers_are_killed_in_the_time_that_they_have() -> None:
    """The sum over priorities of the longest stop timeout, not the sum over workers; and nobody is left."""
    ignores = {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], "timeout_stop_sec": 1}
    with Daemon({"a": {**ignores, "instances": 3, "priority": 1}, "b": {**ignores, "priority": 2}}) as daemon:
        daemon.start()
        daemon.wait_states(a_0="RUNNING", a_1="RUNNING", a_2="RUNNING", b_0="RUNNING")
        began = time.monotonic()

        assert daemon.stop() == 0
        took = time.monotonic() - began
        assert 2.0 <= took < 20.0
        assert "does not end" not in daemon.log()
        assert daemon.nursery.left() == []


def test_the_second_ctrl_c_waits_like_the_first() -> None:
    """The stop is graceful to its end."""
    with Daemon() as daemon:
        up, end = Path(daemon.root, "up"), Path(daemon.root, "end")
        lingers = (
            f"trap 'while [ ! -e {end} ]; do sleep 0.05; done; exit 0' TERM; echo >{up}; while :; do sleep 0.05; done"
        )
        daemon.write({"slow": {"command": ["sh", "-c", lingers], "timeout_stop_sec": 90}})
        daemon.start()
        daemon.wait_states(slow_0="RUNNING")
        wait_for(up.exists, what="the worker to listen to its signal")
        daemon.signal(signal.SIGINT)
        wait_for(lambda: "stopping signal=SIGINT" in daemon.log())
        daemon.signal(signal.SIGINT)
        wait_for(lambda: "still stopping" in daemon.log(), what=daemon.log)
        end.touch()

        assert daemon.wait() == 0
        assert "reason=CleanExit code=0" in daemon.log()


def test_a_supervisord_that_hangs_at_the_end_is_killed_with_its_workers() -> None:
    """Nothing is left behind, whatever it takes."""
    with Daemon({"web": {**QUICK, "instances": 2, "timeout_stop_sec": 1}}) as daemon:
        daemon.start()
        daemon.wait_states(web_0="RUNNING", web_1="RUNNING")
        os.kill(daemon.running_supervisord(), signal.SIGSTOP)

        assert daemon.stop() == 0
        assert "does not end" in daemon.log()
        assert daemon.nursery.left() == []


def test_an_external_supervisord_is_waited_for() -> None:
    """Ready without it, never started by us; taken over when it comes, waited for when it goes."""
    with Daemon(CREW, crewd={"supervisord": "external"}) as daemon:
        daemon.start()
        wait_for(lambda: daemon.notified.status().startswith("waiting for supervisord"))
        command = supervisord_command(daemon)
        first = daemon.nursery.spawn(command, {"PATH": os.environ["PATH"]}, daemon.root, f"{daemon.root}/supervisord")
        wait_for(lambda: "supervisord taken over" in daemon.log(), 60)
        daemon.wait_states(**UP)

        os.kill(first, signal.SIGTERM)
        wait_for(lambda: "supervisord gone" in daemon.log())
        assert stays(lambda: daemon.supervisord_pid() == 0, 1.0)
        daemon.nursery.spawn(command, {"PATH": os.environ["PATH"]}, daemon.root, f"{daemon.root}/supervisord")
        wait_for(lambda: daemon.log().count("supervisord taken over") == 2, 60)
        assert daemon.stop() == 0
        assert daemon.supervisord_pid()


def supervisord_command(daemon: Daemon) -> list[str]:
    """Return how somebody else starts supervisord."""
    return [sys.executable, "-m", "crewd_supervisord.launch", "-n", "-c", daemon.home.supervisord_conf]


def test_every_start_is_in_the_journal_once(daemon: Daemon) -> None:
    """Through a kill of the daemon and a kill of supervisord."""
    daemon.start()
    daemon.wait_states(**UP)
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    daemon.start()
    first = daemon.running_supervisord()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: daemon.supervisord_pid() not in (0, first), 60)
    daemon.wait_states(**UP)

    tokens = [event.fact.token for _, event in daemon.journal() if isinstance(event.fact, Starting)]
    assert len(tokens) == len(set(tokens)) == 6
