"""What a service manager hears of supervisord, from either loop, and what it hears where there is no engine."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewd.model.spec import RestartPolicy
from harness import ENGINE_EDITIONS, Program, Supervisord, wait_for
from harness.daemon import NotifySocket
from harness.editions import Edition
from harness.processes import environment_of
from harness.sabotage import PLUGINS, saboteur
from harness.waiting import stays

SLEEP = Program("web-0", ("/bin/sleep", "1000"))
GIVEN = {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1", "INVOCATION_ID": "f00", "JOURNAL_STREAM": "8:1"}
EVERY_SEC = 5.0
BEAT_SEC = 60.0
DEAF_JOURNALD = """
import os, socket, sys
out = socket.socket(socket.AF_UNIX)
out.connect(sys.argv[1])
out.setblocking(False)
try:
    while True:
        out.send(b"x" * 1000)
except BlockingIOError:
    out.setblocking(True)
found = os.fstat(out.fileno())
os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
os.dup2(out.fileno(), 1)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Runs a command with a standard output that is journald's, which takes nothing."""
RELOADS = 6


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[NotifySocket]:
    """The manager's end."""
    manager = NotifySocket(str(tmp_path / "notify"))
    yield manager
    manager.close()


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_the_manager_hears_of_a_life(edition: Edition, manager: NotifySocket) -> None:
    """Ready, beats, and the end; a reload is not the end. No worker hears of the manager."""
    with Supervisord(edition, [SLEEP], environment={**GIVEN, "NOTIFY_SOCKET": manager.path}) as server:
        wait_for(lambda: manager.said() == ["READY"], what=manager.lines)
        server.wait_state("web-0", "RUNNING")
        own = server.wait_executed("web-0", "sleep")  # its own environment by then, not its parent's before the exec
        assert not environment_of(own).keys() & {*GIVEN, "NOTIFY_SOCKET"}
        wait_for(manager.beats, BEAT_SEC, manager.lines)
        wait_for(lambda: manager.status() == "1 of 1 programs running", BEAT_SEC, manager.lines)

        server.reload()
        wait_for(lambda: manager.said() == ["READY", "READY"], what=manager.lines)
        server.stop()

    wait_for(lambda: manager.said() == ["READY", "READY", "STOPPING"], what=manager.lines)


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_the_status_counts_what_runs_alone(edition: Edition, manager: NotifySocket) -> None:
    """Not what waits for its next start."""
    waiting = Program("waiting-0", ("/bin/false",), RestartPolicy(restart_sec=1000.0))
    with Supervisord(edition, [SLEEP, waiting], environment={"NOTIFY_SOCKET": manager.path}) as server:
        server.wait_state("waiting-0", "BACKOFF")
        server.wait_state("web-0", "RUNNING")
        beats = manager.beats()
        wait_for(lambda: manager.beats() > beats, BEAT_SEC, manager.lines)

    assert manager.status() == "1 of 2 programs running"


@pytest.mark.parametrize("edition", ENGINE_EDITIONS[:1])
def test_a_loop_that_stands_still_feeds_no_watchdog(edition: Edition, manager: NotifySocket, tmp_path: Path) -> None:
    """Though the process lives, and its other threads: nothing beats in the place of the main one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    environment = {"NOTIFY_SOCKET": manager.path}
    with Supervisord(edition, start=False, python_path=[PLUGINS], environment=environment) as server:
        server.boot([SLEEP], [saboteur()])
        stalling = threading.Thread(target=server.rpc.saboteur.stall, args=(str(pipe),))
        stalling.start()
        with pipe.open("w"):  # returns as the other end is opened
            time.sleep(0.5)  # what was sent before has arrived
            beats = manager.beats()
            assert stays(lambda: manager.beats() == beats, EVERY_SEC + 2.0)
        wait_for(lambda: manager.beats() > beats, BEAT_SEC, manager.lines)
        stalling.join()


@pytest.mark.parametrize("edition", ENGINE_EDITIONS[:1])
def test_a_supervisord_without_an_engine_is_heard_of_too(edition: Edition, manager: NotifySocket) -> None:
    """It restarts programs by its own means, and is no reason for the manager to kill it."""
    with Supervisord(edition, start=False, environment={"NOTIFY_SOCKET": manager.path}) as server:
        server.healthy = False
        server.write([SLEEP])
        os.unlink(server.home.table)
        server.start()
        wait_for(lambda: manager.said() == ["READY"], what=manager.lines)
        wait_for(manager.beats, BEAT_SEC, manager.lines)
        server.stop()


@pytest.mark.parametrize("edition", ENGINE_EDITIONS[:1])
def test_a_manager_that_is_gone_holds_nothing_up(edition: Edition, tmp_path: Path) -> None:
    """Nobody listens there."""
    with Supervisord(edition, [SLEEP], environment={"NOTIFY_SOCKET": str(tmp_path / "nobody")}) as server:
        server.wait_state("web-0", "RUNNING")
        assert server.stop() == 0


@pytest.mark.parametrize("edition", ENGINE_EDITIONS[:1])
def test_a_journald_that_takes_nothing_holds_nothing_up(edition: Edition, tmp_path: Path) -> None:
    """Reload by reload, each of which closes what supervisord finds open: it closes nobody else's descriptor."""
    path = str(tmp_path / "journald")
    with socket.socket(socket.AF_UNIX) as journald:
        journald.bind(path)
        journald.listen()
        launch = [sys.executable, "-c", DEAF_JOURNALD, path, *edition.supervisord]
        with Supervisord(edition, [SLEEP], launch=launch) as server:
            for _ in range(RELOADS):
                server.reload()
                server.wait_state("web-0", "RUNNING")
            assert server.stop() == 0


@pytest.mark.parametrize("edition", ENGINE_EDITIONS[:1])
def test_without_a_rendering_it_ends_with_78(edition: Edition) -> None:
    """Another try would end the same; it says what is missing."""
    with Supervisord(edition, start=False) as server:
        Path(server.home.supervisord_conf).unlink(missing_ok=True)
        status = server.nursery.wait(server.start(ready=False))
        said = server.output()

    assert os.waitstatus_to_exitcode(status) == 78
    assert said.startswith(f"cannot start supervisord: {server.home.supervisord_conf} is missing")
