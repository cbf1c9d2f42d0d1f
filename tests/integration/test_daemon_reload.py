"""SIGHUP, and files that are wrong."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crewd.supervisord.client import Client
from harness.daemon import Daemon
from harness.editions import NEW, Edition, Mode
from harness.processes import alive
from harness.server import Supervisord
from harness.waiting import wait_for

SLEEPS = {"command": ["sleep", "1000"], "start_success_sec": "100ms"}
BROKEN = "workers:\n  web: {command: [true], instances: many}\n  job: {comand: [true]}\n"


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A daemon with a crew of two workers, up."""
    with Daemon({"web": {**SLEEPS, "instances": 2}, "job": SLEEPS}) as found:
        found.start()
        found.wait_states(web_0="RUNNING", web_1="RUNNING", job_0="RUNNING")
        yield found


def line(log: str, words: str) -> str:
    """Return the one line of the log with these words."""
    [found] = [line for line in log.splitlines() if words in line]
    return found


def test_a_worker_more_touches_nobody_else(daemon: Daemon) -> None:
    """Added, and said by name."""
    before = daemon.pids()
    daemon.write({"web": {**SLEEPS, "instances": 2}, "job": SLEEPS, "new": SLEEPS})
    log = daemon.reload()
    daemon.wait_states(web_0="RUNNING", web_1="RUNNING", job_0="RUNNING", new_0="RUNNING")

    assert {name: pid for name, pid in daemon.pids().items() if name != "new-0"} == before
    applied = line(log, "applied")
    assert "added=new-0" in applied
    assert "kept=3" in applied
    wait_for(lambda: daemon.notified.status() == "3 workers (4 instances): 4 running")


def test_a_worker_less_touches_nobody_else(daemon: Daemon) -> None:
    """Removed: its process is ended and it is forgotten."""
    before = daemon.pids()
    daemon.write({"web": {**SLEEPS, "instances": 2}})
    log = daemon.reload()
    daemon.wait_states(web_0="RUNNING", web_1="RUNNING")

    assert "removed=job-0" in line(log, "applied")
    wait_for(lambda: not alive(before["job-0"]))
    assert daemon.pids() == {name: pid for name, pid in before.items() if name != "job-0"}
    wait_for(lambda: daemon.notified.status() == "1 worker (2 instances): 2 running")


def test_scaling_touches_nobody_else(daemon: Daemon) -> None:
    """Up and down, at the high end."""
    before = daemon.pids()
    daemon.write({"web": {**SLEEPS, "instances": 4}, "job": SLEEPS})
    assert 'added="web-2 web-3"' in line(daemon.reload(), "applied")
    daemon.wait_states(web_0="RUNNING", web_1="RUNNING", web_2="RUNNING", web_3="RUNNING", job_0="RUNNING")
    assert before.items() <= daemon.pids().items()

    daemon.write({"web": {**SLEEPS, "instances": 1}, "job": SLEEPS})
    assert 'removed="web-1 web-2 web-3"' in line(daemon.reload(), "applied")
    daemon.wait_states(web_0="RUNNING", job_0="RUNNING")
    assert daemon.pids() == {name: pid for name, pid in before.items() if name != "web-1"}


def test_a_change_that_needs_a_new_process_makes_one(daemon: Daemon) -> None:
    """Of that worker alone."""
    before = daemon.pids()
    daemon.write({"web": {**SLEEPS, "instances": 2}, "job": {**SLEEPS, "command": ["sleep", "1001"]}})
    assert "restarted=job-0" in line(daemon.reload(), "applied")
    wait_for(lambda: daemon.pids().get("job-0") not in (None, before["job-0"]))
    daemon.wait_states(web_0="RUNNING", web_1="RUNNING", job_0="RUNNING")

    after = daemon.pids()
    assert {name for name in before if before[name] != after[name]} == {"job-0"}


def test_a_change_in_place_makes_none(daemon: Daemon) -> None:
    """A restart policy holds from now on, for the process that runs."""
    before = daemon.pids()
    job = {**SLEEPS, "start_limit_burst": 77, "timeout_stop_sec": 3}
    daemon.write({"web": {**SLEEPS, "instances": 2}, "job": job})
    assert "changed=job-0" in line(daemon.reload(), "applied")

    assert daemon.pids() == before
    assert daemon.client.why("job-0")["policy"]["start_limit_burst"] == 77


def test_nothing_changed_is_said_too(daemon: Daemon) -> None:
    """And nothing happens."""
    before = daemon.pids()
    assert "applied: nothing changed" in daemon.reload()

    assert daemon.pids() == before


def test_what_the_file_says_to_the_daemon_holds_after_a_reload(daemon: Daemon) -> None:
    """on_shutdown changed meanwhile."""
    daemon.write({"web": {**SLEEPS, "instances": 2}, "job": SLEEPS}, crewd={"on_shutdown": "keep"})
    daemon.reload()
    before = daemon.pids()

    assert daemon.stop() == 0
    assert daemon.pids() == before


def test_a_broken_file_at_reload_changes_nothing(daemon: Daemon) -> None:
    """Every mistake is said, in the log and in the status; the next good file heals it."""
    before = daemon.pids()
    daemon.write_text(BROKEN)
    log = daemon.reload()

    assert daemon.pids() == before
    assert "nothing was changed" in log
    assert "workers.web.instances" in log
    assert "workers.job.comand" in log
    wait_for(lambda: daemon.notified.status().startswith("configuration not in force, "), what=daemon.notified.status)

    daemon.write({"web": {**SLEEPS, "instances": 2}, "job": SLEEPS})
    daemon.reload()
    wait_for(lambda: daemon.notified.status() == "2 workers (3 instances): 3 running")
    assert daemon.pids() == before


def test_a_broken_file_survives_the_death_of_supervisord(daemon: Daemon) -> None:
    """The last good rendering is what the next one starts on."""
    daemon.write_text(BROKEN)
    daemon.reload()
    first = daemon.running_supervisord()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: daemon.supervisord_pid() not in (0, first), 60)

    daemon.wait_states(web_0="RUNNING", web_1="RUNNING", job_0="RUNNING")


def test_a_broken_file_at_a_start_beside_a_running_supervisord(daemon: Daemon) -> None:
    """The daemon stays up, degraded, and the workers do not notice."""
    before = daemon.pids()
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    daemon.write_text(BROKEN)
    daemon.start()

    assert "going on with the last good rendering" in daemon.log()
    wait_for(lambda: "configuration not in force" in daemon.notified.status())
    assert daemon.pids() == before


def test_a_broken_file_at_a_start_from_nothing() -> None:
    """Exit 78 with the list, nothing started."""
    with Daemon() as daemon:
        daemon.write_text(BROKEN)

        assert daemon.run() == 78
        assert [f"{daemon.home.config}:{row}:" in daemon.log() for row in (2, 3)] == [True, True]
        assert daemon.nursery.left() == []


def test_a_file_that_is_not_there() -> None:
    """Exit 78, in a sentence."""
    with Daemon() as daemon:
        os.remove(daemon.home.config)

        assert daemon.run() == 78
        assert daemon.home.config in daemon.log()


def test_another_file_by_option(daemon: Daemon) -> None:
    """-c, relative to where one stands."""
    daemon.stop()
    Path(daemon.root, "other.yaml").write_text("workers: {other: {command: [sleep, '1000']}}\n")
    daemon.start("-c", "other.yaml")

    daemon.wait_states(other_0="RUNNING")


def test_reloads_in_a_storm_end_with_the_last_file(daemon: Daemon) -> None:
    """SIGHUP after SIGHUP: none is lost that matters."""
    for count in range(2, 6):
        daemon.write({"web": {**SLEEPS, "instances": count}})
        daemon.signal(signal.SIGHUP)

    daemon.wait_states(**{f"web_{slot}": "RUNNING" for slot in range(5)})


def test_a_foreign_supervisord_on_the_socket_is_refused() -> None:
    """Nothing is rendered over it, nothing of it is touched."""
    with Supervisord(Edition(NEW, Mode.PLAIN)) as server, Daemon({"job": SLEEPS}) as daemon:
        daemon.home = replace(daemon.home, engine_run=server.home.engine_run)
        daemon.client = Client(server.home.engine_socket)
        os.makedirs(f"{daemon.root}/run")
        os.symlink(server.home.engine_socket, f"{daemon.root}/run/supervisor.sock")

        assert daemon.run() == 1
        assert "crewd's engine is not loaded in it" in daemon.log()
        assert server.running
        assert not Path(daemon.home.generations).exists()


def test_a_supervisord_that_cannot_start_says_why() -> None:
    """Its own last words, exit 1."""
    with Daemon({"job": SLEEPS}) as daemon:
        os.makedirs(daemon.home.supervisord_log)

        assert daemon.run() == 1
        last = daemon.log().splitlines()[-1]
        assert last.startswith("cannot start supervisord: exited with ")
        assert "Is a directory" in last


@pytest.mark.slow
def test_what_was_changed_behind_its_back_is_noticed_and_put_right() -> None:
    """By supervisorctl: logged, in the status line, and gone after the next reload, though the file is the same."""
    with Daemon({"web": {"command": ["sleep", "1000"]}}) as daemon:
        daemon.start()
        daemon.wait_states(web_0="RUNNING")
        daemon.client.call("supervisor.stopProcess", "web-0")
        daemon.client.call("supervisor.removeProcessGroup", "web-0")
        wait_for(lambda: 'what="removed behind crewd\'s back: web-0"' in daemon.log(), 90, daemon.log)
        wait_for(lambda: "removed behind crewd's back" in daemon.notified.status())
        daemon.reload()

        daemon.wait_states(web_0="RUNNING")
        wait_for(lambda: daemon.notified.status() == "1 worker (1 instance): 1 running")
