"""One supervisord with a home of its own, from the first line of its configuration to its last process."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from crewd.model import table as table_codec
from crewd.model.facts import Fact
from crewd.model.generated import with_header
from crewd.model.home import Home
from crewd.model.spec import JournalSync, Loop
from crewd.model.table import Table
from harness import journal
from harness.editions import Edition, Mode
from harness.nursery import Nursery
from harness.processes import Member, alive, below, environment_of, member
from harness.programs import Program, Section, table_of
from harness.waiting import PATIENCE_SEC, wait_for

F = TypeVar("F")
TOKEN = "CREWD_HARNESS"
BOOT_SEC = 60.0
UNREACHABLE = (OSError, EOFError, ConnectionError)


class Supervisord:
    """A context manager: inside it supervisord runs (unless ``start=False``), after it nothing does.

    ``programs`` are in the policy table; ``sections`` are in the configuration alone.
    """

    def __init__(
        self,
        edition: Edition,
        programs: Iterable[Program] = (),
        sections: Iterable[Section] = (),
        *,
        settings: dict[str, str] | None = None,
        start: bool = True,
        environment: dict[str, str] | None = None,
        journal_sync: JournalSync = JournalSync.NONE,
        launch: list[str] | None = None,
        python_path: Iterable[str | Path] = (),
    ) -> None:
        self.edition = edition
        self.programs = {program.name: program for program in programs}
        self.sections = tuple(sections)
        self.settings = settings or {}
        self.root = tempfile.mkdtemp(prefix="crewd-")
        self.home = Home.under(self.root)
        self.token = uuid.uuid4().hex
        self.nursery = Nursery()
        self.pid = 0
        self.healthy = True
        """Whether the engine's own counters are looked at when it ends."""
        self._journal_sync = journal_sync
        self._environment = {**edition.environment, TOKEN: self.token, **(environment or {})}
        path = [*map(str, python_path), *filter(None, [self._environment.get("PYTHONPATH")])]
        if path:
            self._environment["PYTHONPATH"] = os.pathsep.join(path)
        self._launch = launch or edition.supervisord
        self._start = start
        self._tables = 0
        self._rpc: ServerProxy | None = None

    # --- life

    def __enter__(self) -> Self:
        """Write the home, start supervisord and wait until it answers."""
        try:
            for folder in (self.home.generations, self.home.worker_logs, self.home.run, self.path("work")):
                os.makedirs(folder, mode=0o700, exist_ok=True)
            self.write()
            if self._start:
                self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything; look at the engine's counters first, if all went well."""
        try:
            if kind is None and self.healthy and self.edition.engine and self.running:
                self.check_health()
        finally:
            self.close()

    def close(self) -> None:
        """Kill all that this supervisord ever started, and remove the home."""
        try:
            self.nursery.close()
            left = [name for name in os.listdir("/proc") if name.isdigit() and self.owns(int(name))]

            assert not left, f"left behind: {left}"
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def owns(self, pid: int) -> bool:
        """Return whether a process descends from this supervisord, by its environment."""
        return environment_of(pid).get(TOKEN) == self.token and alive(pid)

    def boot(self, programs: Iterable[Program] = (), sections: Iterable[Section] = ()) -> None:
        """Write these programs and sections and start on them: for those that need paths inside the home."""
        self.sections = tuple(sections)
        self.write(programs)
        self.start()

    def start(self, *, ready: bool = True) -> int:
        """Start supervisord on the configuration in force; return its pid."""
        command = [*self._launch, "-n", "-c", self.home.supervisord_conf]
        self.pid = self.nursery.spawn(command, self._environment, self.root, self.path("output"))
        if ready:
            self.wait_ready()
        return self.pid

    def wait_ready(self) -> None:
        """Wait until supervisord (this one: by its pid) answers, and forget the connection to an earlier one."""
        self._rpc = None
        wait_for(self._answers, BOOT_SEC, lambda: f"supervisord to answer:\n{self.output()}\n{self.log()}")

    def _answers(self) -> bool:
        if self.nursery.status(self.pid) is not None:
            raise AssertionError(f"supervisord ended:\n{self.output()}\n{self.log()}")
        with contextlib.suppress(*UNREACHABLE, Fault):
            return self.connect().supervisor.getPID() == self.pid
        return False

    @property
    def running(self) -> bool:
        """Whether the supervisord that was started last has not ended."""
        return self.pid != 0 and self.nursery.status(self.pid) is None

    def signal(self, number: int) -> None:
        """Send supervisord a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """``kill -9`` supervisord; its workers live on."""
        self.signal(signal.SIGKILL)
        self.nursery.wait(self.pid)

    def stop(self, timeout: float = 2 * PATIENCE_SEC) -> int:
        """SIGTERM supervisord, wait for its end, return the wait status."""
        self.signal(signal.SIGTERM)
        return self.nursery.wait(self.pid, timeout)

    def reload(self, how: str = "SIGHUP") -> None:
        """Make supervisord read its configuration anew, by SIGHUP or by ``supervisorctl reload``, and wait for it."""
        before = self.boots()
        if how == "SIGHUP":
            self.signal(signal.SIGHUP)
        else:
            assert self.supervisorctl("reload").stdout == "Restarted supervisord\n"
        wait_for(lambda: self.boots() > before, BOOT_SEC, "the next boot in supervisord's log")
        self.wait_ready()

    def boots(self) -> int:
        """Return how often supervisord has come up, reloads included."""
        return self.log().count("supervisord started with pid")

    def children(self) -> list[Member]:
        """Return the live children of supervisord itself."""
        return [one for one in below(self.pid) if one.parent == self.pid and one.state not in "ZX"]

    def workers_left(self) -> list[Member]:
        """Return what lives below the nursery besides supervisord."""
        return [one for one in self.nursery.members() if one.pid != self.pid]

    # --- configuration

    def path(self, name: str) -> str:
        """Return a path inside the home."""
        return f"{self.root}/{name}"

    def write(self, programs: Iterable[Program] | None = None) -> Table:
        """Write a new generation folder and swap ``current`` to it; ``programs`` replace the present ones."""
        if programs is not None:
            self.programs = {program.name: program for program in programs}
        self._tables += 1
        loop = Loop.STOCK if self.edition.mode is Mode.STOCK else Loop.AUTO
        table = table_of(f"table-{self._tables}", self.programs.values(), loop=loop, journal_sync=self._journal_sync)
        table = replace(table, log_directory=self.home.worker_logs)
        folder = Path(self.home.generations) / table.name
        folder.mkdir(mode=0o700)
        (folder / "supervisord.conf").write_text(with_header(self._configuration()))
        (folder / "policy.json").write_text(table_codec.encode(table))
        os.symlink(f"generations/{table.name}", self.home.current + ".new")
        os.replace(self.home.current + ".new", self.home.current)
        return table

    def apply(self, programs: Iterable[Program]) -> dict[str, Any]:
        """Write a new generation with these programs and have the engine take it over; return its answer."""
        table = self.write(programs)
        return self.crewd("apply", table.name)

    def change(self, name: str, **changes: Any) -> dict[str, Any]:
        """Apply with one program changed."""
        changed = {**self.programs, name: replace(self.programs[name], **changes)}
        return self.apply(changed.values())

    def _configuration(self) -> str:
        settings = {
            "logfile": self.home.supervisord_log,
            "logfile_maxbytes": "0",
            "pidfile": self.home.supervisord_pid,
            "childlogdir": self.home.worker_logs,
            "identifier": "crewd",
            **self.settings,
        }
        socket = {"file": self.home.engine_socket, "chmod": "0700"}
        sections = [
            Section("unix_http_server", socket),
            Section("supervisord", settings),
            Section("rpcinterface:supervisor", _factory("supervisor.rpcinterface:make_main_rpcinterface")),
            Section("supervisorctl", {"serverurl": f"unix://{self.home.engine_socket}"}),
        ]
        if self.edition.engine:
            engine = {**_factory("crewd_supervisord.plugin:make_engine"), "directory": self.home.engine}
            sections.append(Section("rpcinterface:crewd", engine))
            sections.append(Section("ctlplugin:crewd", {"supervisor.ctl_factory": "crewd_supervisord.ctl:make_verbs"}))
        texts = [section.text for section in (*sections, *self.sections)]
        texts += [program.section(engine=self.edition.engine) for program in self.programs.values()]
        return "\n".join(texts)

    # --- talking to it

    def connect(self) -> ServerProxy:
        """Return a new XML-RPC connection; one for each thread."""
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self.home.engine_socket}")
        return ServerProxy("http://127.0.0.1", transport=transport)

    @property
    def rpc(self) -> Any:
        """The test's own XML-RPC connection: ``server.rpc.supervisor.getState()``."""
        if self._rpc is None:
            self._rpc = self.connect()
        return self._rpc

    def crewd(self, method: str, *arguments: Any) -> Any:
        """Call ``crewd.<method>`` and return its answer, read as JSON where it is JSON."""
        answer = getattr(self.rpc.crewd, method)(*arguments)
        return json.loads(answer) if isinstance(answer, str) else answer

    def supervisorctl(
        self, *arguments: str, stdin: str = "", timeout: float = 120.0
    ) -> "subprocess.CompletedProcess[str]":
        """Run the real supervisorctl to its end."""
        return subprocess.run(
            self.supervisorctl_command(*arguments),
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def supervisorctl_command(self, *arguments: str) -> list[str]:
        """Return the command line of supervisorctl on this server."""
        return [*self.edition.supervisorctl, "-c", self.home.supervisord_conf, *arguments]

    def open_supervisorctl(self, output: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start the real supervisorctl, its standard input piped, its output in a file inside the home."""
        with open(self.path(output), "wb") as file:
            return subprocess.Popen(
                self.supervisorctl_command(*arguments),
                env={**self._environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                text=True,
            )

    # --- looking at it

    def info(self, name: str) -> dict[str, Any]:
        """Return ``supervisor.getProcessInfo``."""
        return self.rpc.supervisor.getProcessInfo(name)

    def state(self, name: str) -> str:
        """Return the process state as a word."""
        return self.info(name)["statename"]

    def pid_of(self, name: str) -> int:
        """Return the pid, 0 when there is no process."""
        return self.info(name)["pid"]

    def wait_state(self, name: str, *states: str, timeout: float = PATIENCE_SEC) -> dict[str, Any]:
        """Wait until the process is in one of these states; return its info."""

        def arrived() -> dict[str, Any] | None:
            info = self.info(name)
            return info if info["statename"] in states else None

        return wait_for(arrived, timeout, lambda: f"{name} to be {'|'.join(states)}, is {self.info(name)}")

    def wait_new_pid(self, name: str, old: int, timeout: float = PATIENCE_SEC) -> int:
        """Wait until another process runs under this name; return its pid."""
        return wait_for(lambda: (pid := self.pid_of(name)) not in (0, old) and pid, timeout, f"a new pid of {name}")

    def wait_executed(self, name: str, program: str) -> int:
        """Wait until the process is the program itself: a TERM before that is lost in stock supervisord."""

        def executed() -> int:
            found = member(self.pid_of(name))
            return found.pid if found and program in found.command and "supervisord" not in found.command else 0

        return wait_for(executed, what=f"{name} to execute {program}")

    def standing(self, name: str) -> dict[str, Any]:
        """Return ``crewd.status`` of one instance."""
        return self.crewd("status", [name])["instances"][0]

    def journal(self) -> list[journal.Entry]:
        """Return the whole journal."""
        return journal.read(self.home.journal)

    def facts(self, kind: type[F], instance: str | None = None) -> list[F]:
        """Return the facts of one class in the journal, of one instance if named."""
        found = (entry.event.fact for entry in self.journal())
        return [
            fact for fact in found if isinstance(fact, kind) and instance in (None, getattr(fact, "instance", None))
        ]

    def history(self, instance: str) -> list[Fact]:
        """Return all facts of one instance, in order."""
        found = (entry.event.fact for entry in self.journal())
        return [fact for fact in found if getattr(fact, "instance", None) == instance]

    def log(self) -> str:
        """Return supervisord's own log."""
        return _read(self.home.supervisord_log)

    def output(self) -> str:
        """Return what supervisord printed, workers' inherited output included."""
        return _read(self.path("output"))

    def read(self, name: str) -> str:
        """Return the text of a file inside the home; empty when there is none."""
        return _read(self.path(name))

    def check_health(self) -> None:
        """Assert that the engine runs in the mode asked for, caught no fault and left no registration stale."""
        version = self.crewd("version")

        assert version["mode"] == self.edition.mode, version["mode_reason"]
        assert version["faults"] == 0, self.log()
        assert version["stale_registrations"] == 0
        assert version["journal"]["lost"] == 0
        assert version["supervisor"] == self.edition.version

    def cpu_sec(self) -> float:
        """Return the processor time that supervisord has used so far."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        fields = stat[stat.rindex(")") + 2 :].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _factory(name: str) -> dict[str, str]:
    return {"supervisor.rpcinterface_factory": name}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except FileNotFoundError:
        return ""


def boottime() -> float:
    """Return the clock of the journal."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
