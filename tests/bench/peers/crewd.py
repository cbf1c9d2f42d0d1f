"""crewd: supervisord with the engine on a rendered file, and ``crewd run`` as a whole."""

import json
import sys
from pathlib import Path
from subprocess import run

from bench.peers.peer import ENVIRONMENT
from bench.peers.stock import Stock
from crewd.model.home import Home

AT_ONCE = "restart: always, restart_sec: 0, start_limit_burst: 0, start_success_sec: 50ms"


class Crewd(Stock):
    """``python -m crewd_supervisord.launch`` on what crewd-apply rendered: the fast mode."""

    name = "crewd"
    slow = False
    most = 3000
    loop = "auto"
    worker = AT_ONCE
    """The settings of the worker, as a YAML flow."""

    def prepare(self) -> None:
        """Write crewd.yaml and have it rendered, as before supervisord's first start."""
        self.write_yaml()
        done = run(
            [sys.executable, "-m", "crewd.apply", "-c", self.home.config],
            env=ENVIRONMENT | {"CREWD_HOME": str(self.site.folder)},
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"cannot apply {self.home.config}: {done.stderr.decode()}")

    def write_yaml(self) -> None:
        """One worker of n instances."""
        log = "auto" if self.site.logs else "none"
        Path(self.home.etc).mkdir(parents=True)
        Path(self.home.config).write_text(
            f"supervisord: {{loop: {self.loop}}}\n"
            f"workers:\n  w: {{command: {json.dumps(self.argv())}, instances: {self.site.n}, "
            f"stdout_logfile: {log}, stderr_logfile: {log}, {self.worker}}}\n"
        )

    def argv(self) -> list[str]:
        """The same for all instances: the worker finds its slot in CREWD_INSTANCE."""
        return [str(self.site.stamper), str(self.site.stamp_file)]

    def command(self) -> list[str]:
        """As the unit file does it."""
        return [sys.executable, "-m", "crewd_supervisord.launch", "-n", "-c", self.home.supervisord_conf]

    def ask_all(self) -> None:
        """``crewd.status``."""
        assert len(json.loads(self.rpc.crewd.status())["instances"]) == self.site.n

    def ask_one(self) -> bool:
        """``crewd.status`` of one."""
        self.rpc.crewd.status([self.site.worker(self.site.n // 2)])
        return True

    @property
    def home(self) -> Home:
        """Everything under the site's folder."""
        return Home.under(str(self.site.folder))

    @property
    def socket(self) -> str:
        """Where it listens."""
        return self.home.engine_socket


class CrewdStock(Crewd):
    """The fallback, where the installed supervisor is not known: supervisor's own loop."""

    name = "crewd, fallback"
    most = 1000
    loop = "stock"


class CrewdRun(Crewd):
    """The whole daemon, from nothing."""

    name = "crewd run, cold"

    def prepare(self) -> None:
        """Write crewd.yaml alone."""
        self.write_yaml()

    def command(self) -> list[str]:
        """As typed."""
        return [str(Path(sys.executable).with_name("crewd")), "run", "-c", self.home.config]

    @property
    def environment(self) -> dict[str, str]:
        """All under the site's folder."""
        return ENVIRONMENT | {"CREWD_HOME": str(self.site.folder)}


class CrewdDying(Crewd):
    """A worker that dies at once, under the defaults, not yet started."""

    name = "crewd, dying worker"
    worker = "autostart: false"

    def argv(self) -> list[str]:
        """Exits with 1."""
        return [*super().argv(), "-", "1"]


class CrewdDyingForever(CrewdDying):
    """The same with neither limit nor growing delay."""

    name = "crewd, dying worker without limit"
    worker = "autostart: false, start_limit_burst: 0, restart_steps: 0"
