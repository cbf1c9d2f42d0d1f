"""runit: ``runsvdir`` over a directory of services, as its users write them: a shell script that execs the worker, and,
with logs, an ``svlogd`` of its own for each service."""

import signal
import subprocess
from pathlib import Path

from bench.peers.peer import Peer


class Runit(Peer):
    """``runsvdir -P``."""

    name = "runit"
    stop_signal = signal.SIGHUP
    most = 1000  # runsvdir's own limit

    def prepare(self) -> None:
        """Write the service directories."""
        for slot in range(self.site.n):
            service = self._services / self.site.worker(slot)
            service.mkdir(parents=True)
            self._write_run(service, slot)
            if self.site.logs:
                self._write_log(service, slot)

    def command(self) -> list[str]:
        """``runsvdir`` in a group of its own."""
        return ["runsvdir", "-P", str(self._services)]

    def ask_all(self) -> None:
        """``sv status`` of all services."""
        services = sorted(str(path) for path in self._services.iterdir())
        subprocess.run(["sv", "status", *services], check=True, stdout=subprocess.DEVNULL)

    def _write_run(self, service: Path, slot: int) -> None:
        redirect = "exec 2>&1\n" if self.site.logs else ""
        _write_script(service / "run", f"{redirect}exec {' '.join(self.site.command(slot))}")

    def _write_log(self, service: Path, slot: int) -> None:
        logs = self.site.folder / "logs" / self.site.worker(slot)
        logs.mkdir(parents=True)
        (service / "log").mkdir()
        _write_script(service / "log" / "run", f"exec svlogd {logs}")

    @property
    def _services(self) -> Path:
        return self.site.folder / "services"


class RunitDirect(Runit):
    """runit at its fastest, as hardly anybody writes it: no shell stands before the worker, ``#!`` leads to it."""

    name = "runit, no shell"
    most = 100

    def _write_run(self, service: Path, slot: int) -> None:
        del slot  # the worker finds it in the name of its working directory
        script = service / "run"
        script.write_text(f"#!{self.site.stamper} {self.site.stamp_file}\n")
        script.chmod(0o755)


def _write_script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
