"""One ``crewd run`` with a thousand workers, each of one instance: each has every series there is."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench import proc
from bench.daemon.asking import UnixConnection, get
from bench.fleet import BenchError, Fleet
from bench.peers import Site
from bench.peers.crewd import AT_ONCE, CrewdRun

PATIENCE_SEC = 60.0
TESTS = Path(__file__).parents[2]


class CrewdCrew(CrewdRun):
    """The whole daemon on SQLite, with many workers instead of many instances of one."""

    name = "crewd run"

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def write_yaml(self) -> None:
        """One section for each."""
        Path(self.home.etc).mkdir(parents=True)
        lines = [
            f"  {self.worker(slot)}: {{command: {json.dumps(self.site.command(slot))}, "
            f"stdout_logfile: none, stderr_logfile: none, {AT_ONCE}}}\n"
            for slot in range(self.site.n)
        ]
        Path(self.home.config).write_text("".join(["workers:\n", *lines]))

    def worker(self, slot: int) -> str:
        """The name of a slot's worker."""
        return f"w{slot}"

    @property
    def environment(self) -> dict[str, str]:
        """With the port."""
        return super().environment | {"CREWD_LISTEN": f"127.0.0.1:{self.port}"}


class Crew(Fleet):
    """The fleet, and all that asks it."""

    peer: CrewdCrew

    def __init__(self, site: Site) -> None:
        super().__init__(CrewdCrew, site)

    def make_ready(self) -> None:
        """Wait until all is served, recorded and sampled, then do once what will be measured."""
        self._await(lambda: self.api("/readyz"))
        last = f'crewd_worker_cpu_seconds_total{{worker="{self.peer.worker(self.n - 1)}",'.encode()
        self._await(lambda: last in self.scrape())
        for _ in range(5):
            self.scrape()
            self.api("/api/v1/workers")

    @property
    def daemon(self) -> int:
        """Its pid."""
        return self.process.pid

    @cached_property
    def supervisord(self) -> int:
        """Its pid."""
        return int(Path(self.peer.home.supervisord_pid).read_text())

    def api(self, path: str) -> bytes:
        """Ask over the Unix socket."""
        return get(UnixConnection(f"{self.peer.home.run}/crewd.sock"), path)

    def scrape(self) -> bytes:
        """Ask for the metrics over TCP, as Prometheus does."""
        return get(HTTPConnection("127.0.0.1", self.peer.port), "/metrics")

    def cpu_ns(self) -> tuple[int, int]:
        """Return the processor time of the daemon and of supervisord."""
        return proc.threads_cpu_ns(self.daemon), proc.threads_cpu_ns(self.supervisord)

    @contextmanager
    def scraped(self) -> Iterator[None]:
        """Be scraped without pause for the time of the block, by another process."""
        command = [sys.executable, "-m", "bench.daemon.scraper", str(self.peer.port)]
        with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE) as scraper:
            try:
                if scraper.stdout.readline() != b"scraped\n":
                    raise BenchError("cannot scrape")
                yield
                if scraper.poll() is not None:
                    raise BenchError("the scraper ended")
            finally:
                scraper.kill()

    def _await(self, asked: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_SEC
        while True:
            why: object = "not yet"
            try:
                if asked():
                    return
            except (BenchError, OSError, HTTPException) as cause:
                why = cause
            if time.monotonic() > end:
                raise BenchError(f"{self.name}: {why}: {self.peer.last_words()}")
            time.sleep(0.1)
