"""A PostgreSQL of our own: a private directory, a free port of 127.0.0.1, as user postgres where we are root.

``postgres`` is a fixture: a module of tests imports it, and each of its tests makes a database for itself.
"""

import contextlib
import glob
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from harness.ports import free_port
from harness.processes import below
from harness.waiting import wait_for

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "30",
    "shared_buffers": "32MB",
}
BOOT_SEC = 60.0
_numbers = itertools.count(1)


def programs() -> str | None:
    """Return the directory of PostgreSQL's programs; None where it is not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return os.path.dirname(os.path.realpath(found))
    return max(glob.glob("/usr/lib/postgresql/*/bin"), default=None)  # Debian keeps them off PATH


class Postgres:
    """A context manager: inside it the server runs, after it nothing does."""

    def __init__(self) -> None:
        found = programs()
        if found is None:
            raise RuntimeError("PostgreSQL is not installed")
        self._programs = found
        self._directory = Path(tempfile.mkdtemp(prefix="crewd-postgres-"))
        self._account: dict[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        )
        self._server: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        if self._account:
            shutil.chown(self._directory, "postgres", "postgres")
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8", "--locale=C")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._directory, ignore_errors=True)

    def start(self) -> None:
        """Start it where it does not run, and wait until it answers."""
        if self._server is not None:
            return
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        settings += ["-D", str(self._data), "-p", str(self.port), "-k", str(self._directory)]
        with (self._directory / "log").open("ab") as log:
            self._server = subprocess.Popen(
                ["setpriv", "--pdeathsig", "QUIT", f"{self._programs}/postgres", *settings],
                stdout=log,
                stderr=log,
                cwd="/",
                **self._account,
            )
        wait_for(self._answers, BOOT_SEC, (self._directory / "log").read_text)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it at once; its clients lose their connections. SIGQUIT: without leaving its files in order."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(BOOT_SEC)
            self._server = None

    def hang(self) -> None:
        """Stop all of its processes where they are."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def url(self, name: str, user: str = "postgres") -> str:
        """Return the URL of a database. Anybody is let in, with any password."""
        return f"postgresql://{user}:s3cret@127.0.0.1:{self.port}/{name}"

    def make(self, template: str = "template0") -> str:
        """Make a database, empty or a copy of another; return its URL."""
        name = f"crewd_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement; return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [f"{self._programs}/{program}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **self._account)
        assert done.returncode == 0, done.stderr

    def _answers(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, (self._directory / "log").read_text()
        with contextlib.suppress(Exception):
            return bool(self.sql("SELECT 1"))
        return False

    def _signal(self, number: int) -> None:
        if self._server is not None:
            pids = [self._server.pid, *(member.pid for member in below(self._server.pid))]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """A server for all tests of this process."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: see .ci/debian-packages")
    with Postgres() as server:
        yield server
