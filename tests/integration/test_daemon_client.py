"""The XML-RPC client against whoever may sit on supervisord's socket."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crewd.errors import TargetError
from crewd.reconcile.port import EngineAbsent, EngineFault, ForeignSupervisord
from crewd.supervisord.client import Client
from harness.editions import NEW, Edition, Mode
from harness.server import Supervisord

DEADLINE_SEC = 0.4
PATIENT_SEC = 60.0
SLACK_SEC = 10.0
"""So late a busy machine may be."""


@contextmanager
def serving(path: str, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Serve one connection."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    serve(connection)
                except OSError:
                    pass  # the client has gone

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield
        thread.join(60)


def failing(path: str, deadline_sec: float = PATIENT_SEC) -> tuple[TargetError, float]:
    """Return how a call fails, and after how long."""
    began = time.monotonic()
    with pytest.raises(TargetError) as caught:
        Client(path, deadline_sec).version()
    return caught.value, time.monotonic() - began


def test_nobody_is_absent(tmp_path: Path) -> None:
    """No socket, or a socket that nobody listens on any more."""
    path = str(tmp_path / "s")
    assert isinstance(failing(path)[0], EngineAbsent)

    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    assert isinstance(failing(path)[0], EngineAbsent)


def test_silence_ends_at_the_deadline(tmp_path: Path) -> None:
    """Somebody accepts and says nothing."""
    path = str(tmp_path / "s")

    def listen(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with serving(path, listen):
        error, took = failing(path, DEADLINE_SEC)

    assert error.retryable
    assert DEADLINE_SEC <= took < DEADLINE_SEC + SLACK_SEC


def test_a_trickle_ends_at_the_deadline_too(tmp_path: Path) -> None:
    """The deadline is of the whole call: an answer byte by byte wins no time."""
    path = str(tmp_path / "s")

    def trickle(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000:
            connection.send(bytes([byte]))
            time.sleep(0.02)

    with serving(path, trickle):
        error, took = failing(path, DEADLINE_SEC)

    assert error.retryable
    assert took < DEADLINE_SEC + SLACK_SEC


def test_an_end_in_the_middle_may_pass(tmp_path: Path) -> None:
    """supervisord dies while it answers; and the call is not made twice."""
    path = str(tmp_path / "s")
    calls: list[bytes] = []
    with serving(path, lambda connection: calls.append(connection.recv(100))):
        error, _ = failing(path)

    assert error.retryable
    assert len(calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
    ids=["404", "no-xml", "ssh"],
)
def test_a_stranger_is_refused(tmp_path: Path, answer: bytes) -> None:
    """It speaks something else."""
    path = str(tmp_path / "s")

    def serve(connection: socket.socket) -> None:
        asked = b""
        while b"</methodCall>" not in asked:
            asked += connection.recv(65536)
        connection.sendall(answer)

    with serving(path, serve):
        assert isinstance(failing(path)[0], ForeignSupervisord)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not")
def test_a_socket_that_is_not_ours_to_open_is_said(tmp_path: Path) -> None:
    """Trying again does not help."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        os.chmod(path, 0o600)
        child = os.fork()
        if child == 0:
            os.chmod(tmp_path, 0o755)
            os.setresuid(65534, 65534, 65534)
            error, _ = failing(path)
            os._exit(0 if not error.retryable and not isinstance(error, EngineAbsent) else 1)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_supervisord_without_the_engine_is_refused_by_name() -> None:
    """Its stock verbs work, but it is not ours to use."""
    with Supervisord(Edition(NEW, Mode.PLAIN)) as server:
        client = Client(server.home.engine_socket)
        with pytest.raises(ForeignSupervisord, match="crewd's engine is not loaded"):
            client.version()

        assert client.state() == "RUNNING"
        assert client.pid() == server.pid
        with pytest.raises(EngineFault) as fault:
            client.call("supervisor.startProcess", "nobody")
        assert fault.value.code == 10


def test_shutdown_ends_it() -> None:
    """With its workers."""
    with Supervisord(Edition(NEW, Mode.FAST)) as server:
        Client(server.home.engine_socket).shutdown()

        assert server.nursery.wait(server.pid) == 0
