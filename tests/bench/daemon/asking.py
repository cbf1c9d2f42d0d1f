"""How long an answer takes, of the API and of a program. Each request has a connection of its own, as crewctl's."""

import socket
import subprocess
import time
from http.client import HTTPConnection

from bench.fleet import BenchError
from bench.peers.peer import ENVIRONMENT

TIMEOUT_SEC = 30.0


class UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SEC)
        self._path = path

    def connect(self) -> None:
        """Connect to it."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_SEC)
        self.sock.connect(self._path)


def get(connection: HTTPConnection, path: str, method: str = "GET") -> bytes:
    """Return the body of a 200; close the connection."""
    try:
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise BenchError(f"{method} {path}: {response.status} {body[:300]!r}")
    return body


def program_ms(command: list[str], home: str, lines: int) -> float:
    """Return how long a program took from its start to its end, its output read through a pipe.

    ``lines``: so many at least it must have printed.
    """
    begin = time.perf_counter_ns()
    done = subprocess.run(
        command,
        env=ENVIRONMENT | {"CREWD_HOME": home},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_SEC,
    )
    took_ms = (time.perf_counter_ns() - begin) / 1e6
    if done.stdout.count(b"\n") < lines:
        raise BenchError(f"{command}: {done.returncode} {(done.stderr or done.stdout)[-300:]!r}")
    return took_ms
