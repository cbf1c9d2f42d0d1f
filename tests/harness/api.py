"""The daemon's API on real sockets in this process, the world behind it faked: what a test needs to ask it things."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crewd.api import Ports, Server
from crewd.config.offered import EMPTY, faults, joining, superseded
from crewd.config.quantities import duration
from crewd.config.schema import configuration_schema
from crewd.config.secrets import secret_of
from crewd.model.access import How, Principal, Role
from crewd.model.home import Home
from crewd.model.offer import Fate, Ruling
from crewd.model.spec import CrewSpec, DaemonSpec, RestartPolicy, WorkerSpec
from crewd.reconcile.auditor import Auditor
from crewd.reconcile.configuring import Configuring
from crewd.reconcile.control import Control
from crewd.reconcile.known_tokens import KnownTokens
from crewd.reconcile.loop import Loop, World
from crewd.reconcile.offering import offers_of
from crewd.reconcile.port import Applied
from crewd.reconcile.recorder import Recorder
from crewd.reconcile.reporting import Reporting
from crewd.reconcile.resetting import Resetting
from crewd.reconcile.restart_log import RestartLog
from crewd.reconcile.totals import Totals
from crewd.reconcile.view import View
from crewd.reconcile.wanted import Place, Wanted, wanted_of
from crewd.store.versions import CURRENT
from crewd.supervisord.output import WorkerOutput
from crewd.testing import (
    FakeApplier,
    FakeAudit,
    FakeClock,
    FakeConfigurations,
    FakeEngine,
    FakeJournal,
    FakeLauncher,
    FakeReaper,
    FakeRenderer,
    FakeReports,
    FakeRestartEvents,
    FakeService,
    FakeStore,
    FakeSupervisord,
    FakeTokens,
    fake_table,
)
from harness.described import described
from harness.waiting import PATIENCE_SEC

if TYPE_CHECKING:
    from crewd.reconcile.actions import Exit

ADMIN = Principal("uid 0 pid 1", How.PEER, Role.ADMIN, uid=0, source="unix")
POLICY = RestartPolicy(restart_sec=0.5)
PATIENCE_STEPS = int(PATIENCE_SEC / 0.01)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The data of an answer that is no refusal."""
        assert self.status == 200, self.body
        assert self.json["success"] is True
        return self.json["data"]

    @property
    def code(self) -> str:
        """The code of a refusal, which has the envelope."""
        members = self.json
        assert members["success"] is False
        assert members["message"] == members["error"]["message"]
        assert members["message"].startswith("cannot ")
        return members["error"]["code"]


class UnixConnection(HTTPConnection):
    """HTTP to a socket in the file system."""

    def __init__(self, path: str, timeout: float = PATIENCE_SEC) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def exchange(
    connection: HTTPConnection, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    """Ask once and read the answer."""
    try:
        connection.connect()
        try:
            connection.request(method, target, body, dict(headers))
        except ConnectionError:
            pass  # the answer came before all was sent
        response = connection.getresponse()
        return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def spec_of(instances: Iterable[str], labels: Mapping[str, Mapping[str, str]] | None = None) -> CrewSpec:
    """Return the configuration of these instances."""
    counts: dict[str, int] = {}
    for name in instances:
        counts[name.rpartition("-")[0]] = counts.get(name.rpartition("-")[0], 0) + 1
    workers = {
        worker: WorkerSpec(worker, ("true",), instances=count, policy=POLICY, labels=(labels or {}).get(worker, {}))
        for worker, count in counts.items()
    }
    return CrewSpec(workers)


class Crewd:
    """A loop and a recorder among fakes, and the server in front of them. Nothing runs before ``running``."""

    def __init__(
        self,
        root: Path,
        instances: tuple[str, ...] = ("web-0", "web-1", "mail-0"),
        labels: Mapping[str, Mapping[str, str]] | None = None,
        listen: str = "",
        access: DaemonSpec | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.supervisord = FakeSupervisord(fake_table(*instances, policy=POLICY), self.clock)
        self.engine = FakeEngine(self.supervisord)
        self.launcher = FakeLauncher(self.supervisord)
        self.applier = FakeApplier()
        self.store = FakeStore()
        self.configurations = FakeConfigurations()
        self.renderer = FakeRenderer()
        self.home = Home.under(str(root))
        self.listen = listen
        spec = replace(spec_of(instances, labels), daemon=access or DaemonSpec())
        places = {name: Place("/etc/crewd/crewd.yaml", line) for line, name in enumerate(spec.workers, 2)}
        self.wanted = wanted_of(spec, places, joining(EMPTY))
        self.remembered = CrewSpec(daemon=access or DaemonSpec())
        self.applier.before = self._ruled
        journal, service = FakeJournal(self.supervisord), FakeService()
        world = World(self.engine, self.launcher, journal, self.applier, FakeReaper(), service, self.clock)
        self.loop = Loop(world, self._read, changed=lambda: self.server.changed())  # noqa: PLW0108 - it is made later
        self.configuring = Configuring(
            self.configurations,
            self.renderer,
            self.loop.reload,
            faults,
            superseded,
            lambda: self.loop.supervision.wanted.places,
            self.clock,
        )
        totals = Totals()
        self.recorder = Recorder(journal, self.store, self.engine, self.clock, totals)
        self.view = View(self.loop.crew, self.loop.supervision, self.loop.applies, totals, self.recorder)
        self.tokens, self.audit = FakeTokens(), FakeAudit()
        self.auditor = Auditor(self.audit, self.clock, self.view.backlog)
        self.known_tokens = KnownTokens(self.tokens, self.clock)
        self.reports = FakeReports(self.store)
        self.reporting = Reporting(self.view, self.reports, self.clock, self.clock.monotonic)
        self.metrics_page = b"# page\n"
        self.path = f"{root}/run/crewd.sock"
        control = Control(self.loop, self.view, self.engine)
        self.restarts = FakeRestartEvents(self.store)
        self.restart_log = RestartLog(self.restarts, totals, self.clock)
        self.ports = Ports(
            view=self.view,
            control=control,
            resetting=Resetting(self.view, control, self.restart_log, self.clock),
            restarts=self.restarts,
            tables_version=CURRENT,
            bulletin=self.loop.bulletin,
            store=self.store,
            output=WorkerOutput(self.home),
            tokens=self.known_tokens,
            audit=self.audit,
            auditor=self.auditor,
            configurations=self.configurations,
            configuring=self.configuring,
            configuration_schema=configuration_schema(),
            reports=self.reports,
            reporting=self.reporting,
            metrics=lambda: self.metrics_page,
            duration=duration,
            configured=lambda: self.view.spec or self.remembered,
            secret=secret_of,
            wall=self.clock.time,
            boot=self.clock.monotonic,
        )
        self.server = Server(self.ports, self.path, listen, self.remembered.daemon.tls, again_sec=0.05)
        self.task: asyncio.Task[Exit]
        self.serving: asyncio.Task[None]

    def configure(self, spec: CrewSpec) -> None:
        """Let the file say this, from the next apply on."""
        self.wanted = replace(self.wanted, spec=spec, of_file=spec)

    async def _read(self) -> Wanted:
        return self.wanted

    def _ruled(self) -> None:
        """Let the apply have looked at all configurations that are stored by then."""
        result = self.applier.result
        if isinstance(result, Applied):
            offers = offers_of(tuple(self.configurations.stored.values()))
            rulings = {one.worker_id: self.renderer.rulings.get(one.worker_id, Ruling(Fate.IN_FORCE)) for one in offers}
            self.applier.result = replace(result, offers=offers, rulings=rulings)

    async def settle(self) -> None:
        """Let all tasks do what they can do without the clock; what happened is read then."""
        for _ in range(60):
            await asyncio.sleep(0)
        while self._unread() and not self.task.done():  # noqa: ASYNC110 - the tasks that read say nothing of it
            await asyncio.sleep(0)

    def listens(self) -> bool:
        """Return whether somebody can be reached there."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            return connection.connect_ex(self.path) == 0

    def _unread(self) -> bool:
        last = self.supervisord.lines[-1:]
        crew = self.loop.crew
        return any((name, event.sequence) != (crew.generation, crew.sequence) for name, event in last)

    async def advance(self, seconds: float) -> None:
        """Move the clock, and let all tasks do what follows."""
        self.clock.advance(seconds)
        await self.settle()

    async def ask(
        self, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask over the Unix socket; the answer is as described. ``body``: bytes as they are, else JSON."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {} if raw is None else {"Content-Type": "application/json"}
        got = await asyncio.to_thread(
            exchange, UnixConnection(self.path), method, target, raw, {**kind, **(headers or {})}
        )
        described().check(method, target, got.status, got.headers.get("content-type", ""), got.body)
        return got

    async def get(self, target: str, **headers: str) -> Answer:
        """Ask below ``/api/v1``."""
        return await self.ask("GET", f"/api/v1{target}", headers=headers)

    async def post(self, target: str, body: object = None, **headers: str) -> Answer:
        """Ask for something below ``/api/v1``."""
        return await self.ask("POST", f"/api/v1{target}", body, headers)

    @asynccontextmanager
    async def stream(self, target: str, **headers: str) -> AsyncIterator["Reading"]:
        """Read an answer that goes on."""
        connection = UnixConnection(self.path)
        try:
            await asyncio.to_thread(connection.request, "GET", f"/api/v1{target}", None, headers)
            yield Reading(await asyncio.to_thread(connection.getresponse))
        finally:
            await asyncio.to_thread(connection.close)


class Reading:
    """An answer that goes on."""

    def __init__(self, response: HTTPResponse) -> None:
        self.response = response
        self.status = response.status

    async def line(self) -> str:
        """Return the next line; "" at the end."""
        return (await asyncio.to_thread(self.response.readline)).decode()

    async def lines(self, count: int) -> list[str]:
        """Return so many lines, without their ends."""
        return [(await self.line()).rstrip("\n") for _ in range(count)]

    async def message(self) -> dict[str, str]:
        """Return the next server-sent event, comments passed over; empty at the end."""
        fields: dict[str, str] = {}
        while line := await self.line():
            if line == "\n" and fields:
                return fields
            name, _, value = line.rstrip("\n").partition(": ")
            if name and line != "\n":
                fields[name] = value
        return {}


async def until(what: Any) -> None:
    """Wait until it is so."""
    for _ in range(PATIENCE_STEPS):
        if what():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited too long")


@asynccontextmanager
async def running(crewd: Crewd, *, serving: bool = True) -> AsyncIterator[Crewd]:
    """Let it run until the end of the test, everybody up."""
    crewd.task = asyncio.create_task(crewd.loop.run())
    companions = (
        crewd.recorder.run,
        crewd.reporting.run,
        crewd.auditor.run,
        crewd.known_tokens.run,
        crewd.restart_log.run,
    )
    parts = [asyncio.create_task(run()) for run in companions]
    await crewd.settle()
    await crewd.advance(5)
    if serving:
        crewd.serving = asyncio.create_task(crewd.server.serve())
        parts.append(crewd.serving)
        await until(crewd.listens)
    try:
        yield crewd
    finally:
        for part in (*parts, crewd.task):
            part.cancel()
        await asyncio.gather(*parts, crewd.task, return_exceptions=True)
