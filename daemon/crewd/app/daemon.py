"""The composition root: puts the parts together for ``crewd run`` and lets them run.

Exit codes: 0 asked to end · 1 cannot run, in one sentence · 78 the configuration is wrong, one line per mistake.
"""

import asyncio
import signal
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path

from crewd.app.lock import locked
from crewd.app.memory import Memory
from crewd.app.service import Systemd
from crewd.config import load
from crewd.config.home import home_from
from crewd.errors import ConfigError, CrewdError
from crewd.model.home import Home
from crewd.reconcile.loop import Loop, World
from crewd.reconcile.supervision import EX_CONFIG, EX_FAILED, Exit, Wanted, wanted_of
from crewd.supervisord.applier import ApplyChild
from crewd.supervisord.client import AsyncClient, Client
from crewd.supervisord.journal import Journal
from crewd.supervisord.launcher import SupervisordLauncher
from crewd.supervisord.leftovers import LeftoverReaper

RPC_DEADLINE_SEC = 5.0


class SystemClock:
    """The machine's clock. Implements ``reconcile.port.Clock``."""

    def time(self) -> float:
        """Return unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some fixed point."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Come back after so many seconds."""
        await asyncio.sleep(seconds)


def run(config: str | None, environ: MutableMapping[str, str]) -> int:
    """Run the daemon in the foreground; return the exit code. ``config`` None: the home's own file."""
    service = Systemd(environ)
    try:
        home = home_from(environ)
        path = str(Path(config or home.config).absolute())
        with locked(home.lock):
            leaving = asyncio.run(_run(home, path, service, environ))
    except ConfigError as error:
        leaving = Exit(EX_CONFIG, tuple(str(problem) for problem in error.problems))
    except CrewdError as error:
        leaving = Exit(EX_FAILED, (str(error),))
    for line in leaving.complaint:
        sys.stderr.write(line + "\n")
    return leaving.code


def _wanted(path: str) -> Wanted | None:
    """Return what the file says to the daemon; what is wrong with it is for crewd-apply to say."""
    try:
        return wanted_of(load(path).spec)
    except Exception:  # noqa: BLE001 - whatever a file does to the loader, the daemon goes on with what it has
        return None


async def _run(home: Home, path: str, service: Systemd, environ: MutableMapping[str, str]) -> Exit:
    world = World(
        engine=AsyncClient(Client(home.engine_socket, RPC_DEADLINE_SEC)),
        launcher=SupervisordLauncher(home, environ),
        journal=Journal(home.journal),
        applier=ApplyChild(path, environ),
        reaper=LeftoverReaper(),
        service=service,
        clock=SystemClock(),
    )
    memory = Memory(home.memory)
    loop = Loop(world, lambda: asyncio.to_thread(_wanted, path), service.beat_sec, memory.recall(), memory.remember)
    events = asyncio.get_running_loop()
    events.add_signal_handler(signal.SIGHUP, loop.hangup)
    for ending in (signal.SIGTERM, signal.SIGINT):
        events.add_signal_handler(ending, loop.terminate, ending.name)
    return await loop.run()
