"""A Redis of our own: a private directory, a free port of 127.0.0.1, nothing saved.

``redis`` is a fixture: a module of tests imports it; each of its tests begins with an empty server.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Self

import pytest
import redis as client

from harness.ports import free_port
from harness.waiting import wait_for

BOOT_SEC = 60.0


class RedisServer:
    """A context manager: inside it the server runs, after it nothing does."""

    def __init__(self, password: str = "") -> None:
        self.port = free_port()
        self.password = password
        self._directory = Path(tempfile.mkdtemp(prefix="crewd-redis-"))
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def start(self) -> None:
        """Start it where it does not run, and wait until it answers."""
        if self._server is not None:
            return
        settings = {
            "--port": str(self.port),
            "--bind": "127.0.0.1",
            "--unixsocket": self.unix,
            "--save": "",
            "--appendonly": "no",
            "--dir": str(self._directory),
            **({"--requirepass": self.password} if self.password else {}),
        }
        with (self._directory / "log").open("ab") as log:
            command = ["setpriv", "--pdeathsig", "KILL", "redis-server"]
            words = [word for pair in settings.items() for word in pair]
            self._server = subprocess.Popen([*command, *words], stdout=log, stderr=log)
        wait_for(self._answers, BOOT_SEC, (self._directory / "log").read_text)

    def kill(self) -> None:
        """End it at once."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(BOOT_SEC)
            self._server = None

    def hang(self) -> None:
        """Stop it where it is."""
        if self._server is not None:
            os.kill(self._server.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        if self._server is not None:
            os.kill(self._server.pid, signal.SIGCONT)

    @property
    def unix(self) -> str:
        """Its socket in the file system."""
        return str(self._directory / "redis.sock")

    @property
    def url(self) -> str:
        """Its address, with the password."""
        account = f":{self.password}@" if self.password else ""
        return f"redis://{account}127.0.0.1:{self.port}/0"

    @property
    def client(self) -> Any:
        """A client of it; texts are texts."""
        return self.database(0)

    def database(self, number: int) -> Any:
        """Return a client of one of its databases."""
        password = self.password or None
        return client.Redis(port=self.port, db=number, password=password, decode_responses=True, protocol=2)

    def fill(self, keys: Iterable[str]) -> None:
        """Set all of these."""
        pipeline = self.client.pipeline(transaction=False)
        for number, key in enumerate(keys, 1):
            pipeline.set(key, "x")
            if number % 5000 == 0:
                pipeline.execute()
        pipeline.execute()

    def keys(self) -> list[str]:
        """Return all keys there are."""
        return sorted(self.client.scan_iter(count=5000))

    def _answers(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, (self._directory / "log").read_text()
        with contextlib.suppress(client.exceptions.ConnectionError, client.exceptions.BusyLoadingError):
            return bool(self.client.ping())
        return False


def _installed() -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed: see .ci/debian-packages")


@pytest.fixture(scope="module")
def _redis() -> Generator[RedisServer]:
    _installed()
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis(_redis: RedisServer) -> Generator[RedisServer]:
    """A server for the tests of a module; it runs, and is empty."""
    _redis.go_on()
    _redis.start()
    _redis.client.flushall()
    yield _redis
    _redis.go_on()
