"""``crewd run`` with a home of its own, everything it starts owned by a nursery."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from crewd.errors import TargetError
from crewd.model.facts import Event
from crewd.model.home import Home
from crewd.supervisord.client import Client
from harness.journal import read
from harness.nursery import Nursery
from harness.waiting import PATIENCE_SEC, wait_for

COMMAND = (sys.executable, "-c", "from crewd.cli import main; main()")
UP_SEC = 60.0
SHOWN = 8000
"""So many characters of a log are shown where a test fails."""


class NotifySocket:
    """The service manager's end of sd_notify."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.messages: list[tuple[float, list[str]]] = []
        """When each came, and its lines."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while text := self._socket.recv(65536).decode():
            self.messages.append((time.monotonic(), text.split("\n")))

    def close(self) -> None:
        """Let go of it."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._socket.close()

    def lines(self) -> list[str]:
        """Return every line that has come, in order."""
        return [line for _, message in tuple(self.messages) for line in message]

    def said(self) -> list[str]:
        """Return the keys of all but STATUS and WATCHDOG, in order."""
        quiet = ("STATUS", "WATCHDOG", "MONOTONIC_USEC", "EXTEND_TIMEOUT_USEC")
        return [key for line in self.lines() if (key := line.partition("=")[0]) not in quiet]

    def status(self) -> str:
        """Return the last status."""
        found = [line for line in self.lines() if line.startswith("STATUS=")]
        return found[-1].removeprefix("STATUS=") if found else ""

    def beats(self) -> int:
        """Return how often the watchdog was fed."""
        return self.lines().count("WATCHDOG=1")


class Daemon:
    """A context manager: after it nothing that was started in it is left."""

    def __init__(self, workers: Mapping[str, Any] | None = None, **sections: Any) -> None:
        self.root = tempfile.mkdtemp(prefix="crewd-")
        self.home = Home.under(self.root)
        self.nursery = Nursery()
        self.client = Client(self.home.engine_socket)
        self.pid = 0
        self.prefix: Sequence[str] = ()
        """What ``crewd`` is started by; nothing: by us."""
        self.notified: NotifySocket
        self._starts = 0
        os.makedirs(self.home.etc)
        self.write(workers or {}, **sections)

    def __enter__(self) -> Self:
        """Bind the notification socket; nothing is started yet."""
        self.notified = NotifySocket(f"{self.root}/notify")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        try:
            self.notified.close()
            self.nursery.close()
        finally:
            if kind is not None:
                print(self.log()[-SHOWN:], self.supervisord_log()[-SHOWN:], sep="\n--\n")
            shutil.rmtree(self.root, ignore_errors=True)

    def write(self, workers: Mapping[str, Any], **sections: Any) -> None:
        """Write the configuration."""
        self.write_text(yaml.safe_dump({**sections, "workers": dict(workers)}))

    def write_text(self, text: str) -> None:
        """Write the configuration as it is given."""
        Path(self.home.config).write_text(text)

    def start(
        self,
        *options: str,
        environ: Mapping[str, str] | None = None,
        ready: bool = True,
        file_listens: bool = False,
    ) -> int:
        """Start ``crewd run``; return its pid. Without TCP, unless the file is to have its way."""
        self._starts += 1
        before, told = self.log().count(" ready"), self.notified.said().count("READY")
        variables = {
            "PATH": os.environ["PATH"],
            "CREWD_HOME": self.root,
            "NOTIFY_SOCKET": self.notified.path,
            "SECRET": "of the daemon alone",
            **({} if file_listens else {"CREWD_LISTEN": ""}),
            **(environ or {}),
        }
        self.pid = self.nursery.spawn(
            [*self.prefix, *COMMAND, "run", *options], variables, self.root, f"{self.root}/output"
        )
        if ready:
            wait_for(lambda: self.log().count(" ready") > before or self._ended(), UP_SEC, self.log)
            if (
                variables["NOTIFY_SOCKET"] == self.notified.path
            ):  # whoever counts them next must not take this for another
                wait_for(lambda: self.notified.said().count("READY") > told, UP_SEC, self.log)
        return self.pid

    def _ended(self) -> bool:
        if self.nursery.status(self.pid) is not None:
            raise AssertionError(f"the daemon ended:\n{self.log()}")
        return False

    def run(self, *options: str, environ: Mapping[str, str] | None = None) -> int:
        """Start it and return its exit code once it ended by itself."""
        return self.wait(self.start(*options, environ=environ, ready=False))

    def wait(self, pid: int | None = None, timeout: float = 2 * PATIENCE_SEC) -> int:
        """Return the daemon's exit code, negative for a signal, once it ended."""
        return os.waitstatus_to_exitcode(self.nursery.wait(pid or self.pid, timeout))

    def signal(self, number: signal.Signals) -> None:
        """Send the daemon a signal."""
        os.kill(self.pid, number)

    def stop(self, timeout: float = 2 * PATIENCE_SEC) -> int:
        """SIGTERM; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout=timeout)

    def reload(self) -> str:
        """SIGHUP; return what was logged of it."""
        before, count = len(self.log()), self.notified.said().count("READY")
        self.signal(signal.SIGHUP)
        wait_for(lambda: self.notified.said().count("READY") > count, UP_SEC, self.log)
        return self.log()[before:]

    def log(self) -> str:
        """Return all that the daemons of this home wrote."""
        try:
            return Path(f"{self.root}/output").read_text()
        except FileNotFoundError:
            return ""

    def supervisord_log(self) -> str:
        """Return supervisord's own log."""
        try:
            return Path(self.home.supervisord_log).read_text()
        except (FileNotFoundError, IsADirectoryError):
            return ""

    def supervisord_pid(self) -> int:
        """Return the pid of the supervisord that answers, 0 where none does."""
        try:
            return self.client.version().pid
        except TargetError:
            return 0

    def running_supervisord(self) -> int:
        """Return the pid of the supervisord that answers, once one does: for whoever sends it a signal."""
        return wait_for(self.supervisord_pid, UP_SEC, self.log)

    def wait_serving(self) -> None:
        """Wait until the API answers, and has all that it needs."""
        wait_for(self._serves, UP_SEC, self.log)

    def _serves(self) -> bool:
        connection = HTTPConnection("localhost", timeout=PATIENCE_SEC)
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(self.home.socket)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def states(self) -> dict[str, str]:
        """Return every instance's process state; empty while supervisord does not answer."""
        try:
            return {one["instance"]: one["process_state"] for one in self.client.status()["instances"]}
        except TargetError:
            return {}

    def pids(self) -> dict[str, int]:
        """Return the pids of all instances that run."""
        return {one["instance"]: one["pid"] for one in self.client.status()["instances"] if one["pid"]}

    def wait_states(self, timeout: float = 2 * PATIENCE_SEC, **states: str) -> None:
        """Wait until exactly these instances are in these states; ``web_0`` means ``web-0``."""
        wanted = {name.replace("_", "-"): state for name, state in states.items()}
        wait_for(lambda: self.states() == wanted, timeout, lambda: f"{wanted}, is {self.states()}\n{self.log()}")

    def journal(self) -> list[tuple[str, Event]]:
        """Return the whole journal."""
        return [(entry.generation, entry.event) for entry in read(self.home.journal)]
