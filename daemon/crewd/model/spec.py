"""What the operator wants: the crew and its workers, as loaded from the YAML, defaults filled in.

Times are seconds (float), sizes bytes, statuses numbers; names are resolved by the loader, not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crewd.model.access import HmacKey, Roles, Tls

SQLITE = "sqlite"
DEFAULT_PRIORITY = 999
LOG_BYTES = 50 * 1024 * 1024
LOG_BACKUPS = 5
START_LIMIT_BURST_MOST = 1000
"""The highest ``start_limit_burst``: so many starts of a history are remembered, and no more."""


class RestartMode(StrEnum):
    """``restart:``, systemd's ``Restart=``. ``on-watchdog`` is refused by the loader until probes exist."""

    NO = "no"
    ALWAYS = "always"
    ON_SUCCESS = "on-success"
    ON_FAILURE = "on-failure"
    ON_ABNORMAL = "on-abnormal"
    ON_ABORT = "on-abort"
    ON_WATCHDOG = "on-watchdog"


class KillMode(StrEnum):
    """Whom a stop signals. systemd's words, where the control group is the process group."""

    MIXED = "mixed"
    PROCESS = "process"
    CONTROL_GROUP = "control-group"


class Stdin(StrEnum):
    """Where standard input comes from."""

    NULL = "null"
    PIPE = "pipe"


@dataclass(frozen=True, slots=True)
class ExitStatusSet:
    """Exit codes (0..255) and signal numbers, as in systemd's ``SuccessExitStatus=``."""

    codes: frozenset[int] = frozenset()
    signals: frozenset[int] = frozenset()

    def holds(self, code: int | None, signal: int | None) -> bool:
        """Return whether an exit with this code, or by this signal, is in the set."""
        return (code is not None and code in self.codes) or (signal is not None and signal in self.signals)


# 0 and HUP, INT, PIPE, TERM are clean exits in systemd; ``success_exit_status`` adds to them.
CLEAN_EXITS = ExitStatusSet(frozenset({0}), frozenset({1, 2, 13, 15}))


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a worker is restarted, after how long, and how often. Keys, units and formula are systemd's."""

    restart: RestartMode = RestartMode.ON_FAILURE
    restart_sec: float = 0.1
    restart_steps: int = 6
    restart_max_delay_sec: float = 60.0
    restart_randomized_delay_sec: float = 0.0
    start_limit_burst: int = 10
    """How many starts within the interval, the first included; at most START_LIMIT_BURST_MOST; 0: no limit."""
    start_limit_interval_sec: float = 600.0
    """The sliding window; ``inf`` counts for ever, 0 switches the limit off."""
    restart_reset_sec: float = 600.0
    """A run of this length begins a new history."""
    start_success_sec: float = 1.0
    """A start has succeeded when the process ran this long."""
    success_exit_status: ExitStatusSet = CLEAN_EXITS
    restart_prevent_exit_status: ExitStatusSet = ExitStatusSet()
    restart_force_exit_status: ExitStatusSet = ExitStatusSet()


@dataclass(frozen=True, slots=True)
class LogFile:
    """Where one output stream goes. ``path``: ``auto`` (crewd's log directory), ``none``, or an absolute path."""

    path: str = "auto"
    maxbytes: int = LOG_BYTES
    backups: int = LOG_BACKUPS


@dataclass(frozen=True, slots=True)
class ResetAction:
    """One entry of ``reset.actions``: a plugin of ``crewd.resets``, and its options."""

    type: str
    options: Any
    """The plugin's own frozen dataclass."""


@dataclass(frozen=True, slots=True)
class ResetSpec:
    """``reset:``, what a manual restart clears."""

    actions: tuple[ResetAction, ...] = ()
    restart_process: bool = True


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One worker: a program run as ``instances`` processes, each supervised by itself."""

    worker_id: str
    command: tuple[str, ...]
    name: str | None = None
    instances: int = 1
    autostart: bool = True
    essential: bool = False
    """Without it the crew is not to go on: see ``policy.essential``."""
    priority: int = DEFAULT_PRIORITY
    """Lower starts first and stops last."""
    directory: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    environment_file: str | None = None
    """A file of KEY=value lines, read at apply; a leading ``-`` lets it be missing."""
    user: str | None = None
    group: str | None = None
    umask: int | None = None
    stop_signal: str = "TERM"
    """Without the SIG."""
    timeout_stop_sec: float = 10.0
    kill_mode: KillMode = KillMode.MIXED
    stdin: Stdin = Stdin.NULL
    stdout: LogFile = LogFile()
    stderr: LogFile = LogFile()
    redirect_stderr: bool = False
    policy: RestartPolicy = RestartPolicy()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    host: str | None = None
    port: int | None = None
    max_accounts: int | None = None
    reset: ResetSpec | None = None
    """None: it cannot be restarted with a reset."""
    heartbeat_stale_sec: float | None = None
    """How long an instance may be silent that reports; None: it need not report, and then 90 s where it does."""

    @property
    def instance_names(self) -> tuple[str, ...]:
        """The instances' names, always numbered so that scaling renames nobody."""
        return tuple(f"{self.worker_id}-{slot}" for slot in range(self.instances))


class OnShutdown(StrEnum):
    """What ``crewd run`` does, when it ends, to the supervisord that it started."""

    STOP = "stop"
    KEEP = "keep"


class SupervisordOwner(StrEnum):
    """Who starts supervisord: the daemon itself, or somebody else such as systemd."""

    OWN = "own"
    EXTERNAL = "external"


class Loop(StrEnum):
    """The engine's main loop: replaced where the installed supervisor is known, or supervisor's own."""

    AUTO = "auto"
    STOCK = "stock"


class JournalSync(StrEnum):
    """When the journal is forced to disk: never, once a second, or once per pass of the loop."""

    NONE = "none"
    INTERVAL = "interval"
    PASS = "pass"  # noqa: S105 - not a password


@dataclass(frozen=True, slots=True)
class ApiWorkers:
    """``crewd.api_workers``: what workers made over the API may do. All names are made out, all paths absolute."""

    users: tuple[str, ...] = ()
    """Who they may run as. None named: nobody, or supervisord's own user where that is not root."""
    roots: tuple[str, ...] = ()
    """The directories below which their paths lie."""
    instances: int = 1000
    """How many there may be of all of them together."""


@dataclass(frozen=True, slots=True)
class DaemonSpec:
    """The ``crewd:`` section."""

    on_shutdown: OnShutdown = OnShutdown.STOP
    supervisord: SupervisordOwner = SupervisordOwner.OWN
    listen: str = "127.0.0.1:3000"
    """Where the API is served over TCP, ``host:port``; empty: nowhere. Beyond the loopback interface with TLS alone."""
    tls: Tls | None = None
    """None: plain HTTP."""
    allowed_hosts: tuple[str, ...] = ()
    """Names by which the API may be asked for over TCP, beside those of the loopback interface."""
    roles: Roles = field(default_factory=Roles)
    hmac_keys: Mapping[str, HmacKey] = field(default_factory=dict[str, HmacKey])
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose word on where a request comes from is believed."""
    database: str = SQLITE
    """``sqlite``, a file in the state directory, or a ``postgresql://`` URL."""
    retention_sec: float = 30 * 86400.0
    """How long an event is kept; ``inf``: for ever."""
    retention_bytes: int = 512 * 1024 * 1024
    """How much space the events may take; 0: any."""
    audit_retention_sec: float = 365 * 86400.0
    """How long an entry of the audit is kept; ``inf``: for ever."""
    audit_retention_bytes: int = 256 * 1024 * 1024
    """How much space the audit may take; 0: any."""
    sample_interval_sec: float = 15.0
    """How often CPU, memory and open files of the workers are looked at."""
    default_worker: str | None = None
    """The worker that ``POST /restart`` means where none is named; None: the only one with a reset."""
    api_workers: ApiWorkers = ApiWorkers()


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """The ``supervisord:`` section."""

    loop: Loop = Loop.AUTO
    journal_sync: JournalSync = JournalSync.NONE
    eventlisteners: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """Stock ``[eventlistener:NAME]`` sections, option by option."""


@dataclass(frozen=True, slots=True)
class CrewSpec:
    """All that is desired, from all files."""

    workers: Mapping[str, WorkerSpec] = field(default_factory=dict[str, WorkerSpec])
    daemon: DaemonSpec = DaemonSpec()
    engine: EngineSpec = EngineSpec()
