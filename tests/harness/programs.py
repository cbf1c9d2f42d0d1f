"""What a test describes: programs, and from them the configuration text and the policy table.

Written without crewd's renderer, so that neither can hide a mistake of the other. Values are the tests' own and
harmless: nothing here escapes more than ``%``.
"""

import hashlib
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

from crewd.model.spec import JournalSync, KillMode, Loop, RestartMode, RestartPolicy
from crewd.model.table import Entry, Table

AUTORESTART = {RestartMode.NO: "false", RestartMode.ALWAYS: "true"}
KILL_OPTIONS = {
    KillMode.MIXED: ("false", "true"),
    KillMode.PROCESS: ("false", "false"),
    KillMode.CONTROL_GROUP: ("true", "true"),
}


@dataclass(frozen=True, slots=True)
class Section:
    """Any section of the configuration that crewd knows nothing of: a listener, a FastCGI program, a plugin."""

    header: str
    options: Mapping[str, str]

    @property
    def text(self) -> str:
        """The section as in the file."""
        return "\n".join([f"[{self.header}]", *(f"{key}={value}" for key, value in self.options.items()), ""])


@dataclass(frozen=True, slots=True)
class Program:
    """One instance. Without the engine its policy becomes the nearest that supervisord has."""

    name: str
    argv: tuple[str, ...]
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    kill_mode: KillMode = KillMode.MIXED
    stdin_null: bool = True
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    table_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables that reach the worker through the policy table alone."""
    directory: str | None = None
    umask: int | None = None
    autostart: bool = True
    priority: int = 999
    stop_signal: str = "TERM"
    timeout_stop_sec: float = 10.0
    stdout: str = "NONE"
    stderr: str = "NONE"
    setpriv: bool = False
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    """Anything else, as in the file."""

    def section(self, *, engine: bool) -> str:
        """Return the ``[program:…]`` section."""
        as_group, kill_group = KILL_OPTIONS[self.kill_mode]
        options = {
            "command": shlex.join(self.argv).replace("%", "%%"),
            "autostart": str(self.autostart).lower(),
            "priority": str(self.priority),
            "startsecs": str(ceil(self.policy.start_success_sec)),
            "exitcodes": ",".join(str(code) for code in sorted(self.policy.success_exit_status.codes)),
            "stopsignal": self.stop_signal,
            "stopwaitsecs": str(ceil(self.timeout_stop_sec)),
            "stopasgroup": as_group,
            "killasgroup": kill_group,
            "stdout_logfile": self.stdout,
            "stderr_logfile": self.stderr,
            **self._restarts(engine=engine),
            **self._optional(),
            **self.options,
        }
        return Section(f"program:{self.name}", options).text

    def _restarts(self, *, engine: bool) -> dict[str, str]:
        if engine:
            return {"autorestart": "false", "startretries": "2000000000"}
        retries = max(0, self.policy.start_limit_burst - 1)
        return {"autorestart": AUTORESTART.get(self.policy.restart, "unexpected"), "startretries": str(retries)}

    def _optional(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self.environment:
            found["environment"] = ",".join(f'{key}="{value}"' for key, value in self.environment.items())
        if self.directory is not None:
            found["directory"] = self.directory
        if self.umask is not None:
            found["umask"] = f"{self.umask:03o}"
        return found

    def entry(self) -> Entry:
        """Return its line in the policy table."""
        worker_id, _, slot = self.name.rpartition("-")
        section = self.section(engine=True)
        needs_restart = (
            self.argv,
            self.directory,
            sorted(self.environment.items()),
            sorted(self.table_environment.items()),
            self.umask,
            self.stdin_null,
            self.stdout,
            self.stderr,
            self.setpriv,
            sorted(self.options.items()),
        )
        return Entry(
            instance=self.name,
            worker_id=worker_id or self.name,
            slot=int(slot) if slot.isdigit() else 0,
            section=section,
            fingerprint=_hash(needs_restart),
            settings=_hash((needs_restart, section, self.policy, self.timeout_stop_sec, self.kill_mode)),
            policy=self.policy,
            timeout_stop_sec=self.timeout_stop_sec,
            kill_mode=self.kill_mode,
            environment=self.table_environment,
            stdin_null=self.stdin_null,
            setpriv=self.setpriv,
        )


def table_of(
    name: str, programs: Iterable[Program], *, loop: Loop, journal_sync: JournalSync = JournalSync.NONE
) -> Table:
    """Return the policy table for these programs."""
    return Table(name, {program.name: program.entry() for program in programs}, loop, journal_sync)


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
