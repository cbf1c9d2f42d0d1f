"""The composition root: puts the parts together for ``crewd run`` and lets them run.

Exit codes: 0 asked to end · 1 cannot run, in one sentence · 78 the configuration is wrong, one line per mistake.
"""

import asyncio
import gc
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path

from crewd.api import Ports, Server
from crewd.api.ports import boottime
from crewd.app import heap, logs
from crewd.app.companions import companions
from crewd.app.lock import locked
from crewd.app.memory import Memory
from crewd.app.service import Systemd
from crewd.app.settings import settings_from, surrounded_by
from crewd.config import load, quantities
from crewd.config.accounts import USERS, Self
from crewd.config.home import home_from
from crewd.config.offered import faults, joining, superseded
from crewd.config.schema import configuration_schema
from crewd.config.secrets import secret_of
from crewd.errors import ConfigError, CrewdError, TargetError
from crewd.metrics import Calls, Metrics, ProcSampler
from crewd.model.home import Home
from crewd.model.spec import CrewSpec, DaemonSpec, SupervisordOwner
from crewd.reconcile.actions import EX_FAILED, Exit
from crewd.reconcile.auditor import Auditor
from crewd.reconcile.configuring import Configuring
from crewd.reconcile.control import Control
from crewd.reconcile.known_tokens import KnownTokens
from crewd.reconcile.loop import Loop, World
from crewd.reconcile.offering import Offering
from crewd.reconcile.port import Renderer
from crewd.reconcile.recorder import Recorder
from crewd.reconcile.reporting import Reporting
from crewd.reconcile.resetting import Resetting
from crewd.reconcile.restart_log import RestartLog
from crewd.reconcile.sampling import Sampling
from crewd.reconcile.storage import Retention, Store
from crewd.reconcile.supervision import Life
from crewd.reconcile.totals import Totals
from crewd.reconcile.view import View
from crewd.reconcile.wanted import Place, Wanted, wanted_of
from crewd.store import SqlAudit, SqlReports, SqlRestartEvents, SqlTokens, store_of
from crewd.store.configurations import SqlConfigurations
from crewd.store.versions import CURRENT
from crewd.supervisord import generation
from crewd.supervisord.applier import ApplyChild
from crewd.supervisord.apply_socket import ApplySocket
from crewd.supervisord.client import AsyncClient, Client
from crewd.supervisord.journal import Journal
from crewd.supervisord.launcher import SupervisordLauncher
from crewd.supervisord.leftovers import LeftoverReaper
from crewd.supervisord.output import WorkerOutput

RPC_DEADLINE_SEC = 5.0
AUDIT_FLUSH_SEC = 3.0
"""So long the daemon's end waits for the last entries of the audit to be stored."""
SETTLED_SEC = 30.0
"""By then all parts are imported, and the crew is known."""


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
    heap.share()
    service = Systemd(environ)
    try:
        home = home_from(environ)
        path = str(Path(config or home.config).absolute())
        _refuse_anothers(home)
        with locked(home.lock):
            leaving = asyncio.run(_run(home, path, service, environ))
    except ConfigError as error:
        leaving = Exit(os.EX_CONFIG, tuple(str(problem) for problem in error.problems))
    except CrewdError as error:
        leaving = Exit(EX_FAILED, (str(error),))
    logs.complain(leaving.complaint, environ)
    return leaving.code


def _refuse_anothers(home: Home) -> None:
    """As root, follow nothing that another user may have put into the daemon's own directory."""
    owner = Self.owning(home.lib).uid
    if os.geteuid() == 0 != owner:
        name = USERS.find(str(owner)) or f"uid {owner}"
        raise TargetError(f"cannot run as root: {home.lib} belongs to {name}; under systemd: systemctl start crewd")


def _wanted(path: str, home: Home, owner: SupervisordOwner | None) -> Wanted | None:
    """Return what the file says to the daemon; what is wrong with it is for crewd-apply to say."""
    try:
        loaded = load(path, Self.owning(home.engine))
        places = {name: Place(worker.place.file, worker.place.line) for name, worker in loaded.crew.workers.items()}
        return _owned(wanted_of(loaded.spec, places, joining(loaded.crew)), owner)
    except Exception:  # noqa: BLE001 - whatever a file does to the loader, the daemon goes on with what it has
        return None


def _owned(wanted: Wanted, owner: SupervisordOwner | None) -> Wanted:
    """Return it as whoever started the daemon says, where they do."""
    return wanted if owner is None else replace(wanted, owner=owner)


def _renderer(home: Home, path: str, environ: Mapping[str, str], apply_socket: str) -> Renderer:
    if not apply_socket:
        return ApplyChild(path, environ)
    if path != home.config:
        raise TargetError(f"cannot run on {path}: crewd-apply at {apply_socket} reads {home.config}")
    return ApplySocket(apply_socket)


async def _run(home: Home, path: str, service: Systemd, environ: MutableMapping[str, str]) -> Exit:
    around = surrounded_by(environ)
    read = await asyncio.to_thread(_wanted, path, home, around.owner)
    memory, clock, calls = Memory(home.memory), SystemClock(), Calls()
    file = read.spec.daemon if read and read.spec else memory.settings() or DaemonSpec()
    settings = settings_from(file, environ)
    store = store_of(settings.database, home)
    configurations, renderer = SqlConfigurations(store), _renderer(home, path, environ, around.apply_socket)
    offering = Offering(configurations, renderer, lambda: generation.current(home) is not None, clock)
    world = World(
        engine=AsyncClient(Client(home.engine_socket, RPC_DEADLINE_SEC), calls.timed),
        launcher=SupervisordLauncher(home, environ),
        journal=Journal(home.journal),
        applier=offering,
        reaper=LeftoverReaper(),
        service=service,
        clock=clock,
    )
    changes: list[Callable[[], object]] = []

    async def remember(wanted: Wanted) -> None:
        await asyncio.to_thread(memory.remember, wanted)  # it waits for the disk

    def changed() -> None:
        for told in changes:
            told()

    last = _owned(memory.recall() or Wanted(), around.owner)

    def read_wanted() -> Awaitable[Wanted | None]:
        return asyncio.to_thread(_wanted, path, home, around.owner)

    loop = Loop(world, read_wanted, service.beat_sec, last, remember, changed=changed)
    _listen_to_signals(loop)
    view = _view(loop, world, store)
    control = Control(loop, view, world.engine)
    reports = SqlReports(store)
    reporting = Reporting(view, reports, clock, boottime)
    metrics = Metrics(view, calls)
    sampling = Sampling(view, ProcSampler(), clock)
    tokens, audit = KnownTokens(SqlTokens(store), clock), SqlAudit(store)
    auditor = Auditor(audit, clock, view.backlog, lambda: _audit_retention(view))
    restarts = SqlRestartEvents(store)
    restart_log = RestartLog(restarts, view.totals, clock)
    remembered = CrewSpec(daemon=settings)
    ports = Ports(
        view=view,
        control=control,
        bulletin=loop.bulletin,
        store=store,
        output=WorkerOutput(home),
        reports=reports,
        reporting=reporting,
        tokens=tokens,
        audit=audit,
        auditor=auditor,
        configurations=configurations,
        configuring=_configuring(loop, configurations, renderer, clock),
        metrics=metrics.render,
        duration=quantities.duration,
        configured=lambda: view.spec or remembered,
        secret=secret_of,
        resetting=Resetting(view, control, restart_log, clock),
        restarts=restarts,
        tables_version=CURRENT,
        drift=lambda: _drift(view),
        fresh=sampling.fresh,
        configuration_schema=configuration_schema(),
    )
    server = Server(ports, home.socket, settings.listen, settings.tls)
    changes.append(server.changed)
    parts = {
        "recorder": view.recorder.run,
        "tokens": tokens.run,
        "auditor": auditor.run,
        "restart log": restart_log.run,
        "configurations": lambda: offering.catch_up(loop.reload),
        "heap": lambda: heap.tidy_for_ever(clock),
        "reporting": reporting.run,
        "sampler": sampling.run,
        "server": server.serve,
    }
    settled = asyncio.get_running_loop().call_later(SETTLED_SEC, _settle)
    try:
        async with companions(parts, clock):
            return await loop.run()
    finally:
        settled.cancel()
        await auditor.flush(AUDIT_FLUSH_SEC)
        await store.close()


def _configuring(loop: Loop, stored: SqlConfigurations, renderer: Renderer, clock: SystemClock) -> Configuring:
    def places() -> Mapping[str, Place]:
        return loop.supervision.wanted.places

    return Configuring(stored, renderer, loop.reload, faults, superseded, places, clock)


def _settle() -> None:
    """Spare the collector what is there for good: a look at all of it takes 40 ms, in which nobody is answered."""
    gc.collect()
    gc.freeze()


def _view(loop: Loop, world: World, store: Store) -> View:
    """Return all that is shown, the recorder included."""
    supervision, totals = loop.supervision, Totals()

    def may_tell() -> bool:
        return supervision.life is Life.UP and supervision.version is not None and supervision.version.spoken

    def retention() -> Retention | None:
        spec = supervision.wanted.spec
        return None if spec is None else Retention(spec.daemon.retention_sec, spec.daemon.retention_bytes)

    recorder = Recorder(world.journal, store, world.engine, world.clock, totals, may_tell=may_tell, retention=retention)
    return View(loop.crew, supervision, loop.applies, totals, recorder)


def _audit_retention(view: View) -> Retention | None:
    own = None if view.spec is None else view.spec.daemon
    return None if own is None else Retention(own.audit_retention_sec, own.audit_retention_bytes)


def _drift(view: View) -> tuple[str, ...]:
    version = view.supervision.version
    return () if version is None else version.drift


def _listen_to_signals(loop: Loop) -> None:
    events = asyncio.get_running_loop()
    events.add_signal_handler(signal.SIGHUP, loop.hangup)
    for ending in (signal.SIGTERM, signal.SIGINT):
        events.add_signal_handler(ending, loop.terminate, ending.name)
