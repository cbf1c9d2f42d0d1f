"""A real Alertmanager, owned by a nursery, and the one whom it wakes: a webhook in the test."""

import json
import os
import shutil
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.nursery import Nursery
from harness.ports import free_port
from harness.waiting import wait_for

PROGRAM = "prometheus-alertmanager"
UP_SEC = 60.0


def installed() -> bool:
    """Return whether there is an Alertmanager on this machine."""
    return shutil.which(PROGRAM) is not None


class OnCall:
    """A context manager: inside it somebody listens at ``url``, and keeps what each message says of each alert."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def told(self, status: str) -> set[str]:
        """Return the names of the alerts that were said to be ``firing``, or ``resolved``."""
        return {one["labels"]["alertname"] for one in self.heard if one["status"] == status}


class Alertmanager:
    """A context manager: inside it Alertmanager runs at ``address``, after it nothing is left."""

    def __init__(self, configuration: str) -> None:
        self.root = tempfile.mkdtemp(prefix="alertmanager-")
        self.address = f"127.0.0.1:{free_port()}"
        self._nursery = Nursery()
        Path(self.root, "alertmanager.yml").write_text(configuration)

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        argv = [
            PROGRAM,
            f"--config.file={self.root}/alertmanager.yml",
            f"--storage.path={self.root}/data",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]
        self._nursery.spawn(argv, {"PATH": os.environ["PATH"]}, self.root, f"{self.root}/output")
        wait_for(self._ready, UP_SEC, lambda: Path(self.root, "output").read_text())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        try:
            self._nursery.close()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=10) as answer:
                return bool(answer.read())
        except OSError:
            return False
