"""THE MODEL of the configuration: every key of every section, once.

Rules:

1. A key that is not here is refused. A key of a later version comes with what it does, not before.
2. The help says what the key means in one or two sentences; bounds and units are its kind's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import Any

from crewd.config import access_kinds, accounts, quantities
from crewd.config.compound import Nested, Several
from crewd.config.key import Alias, Key, Section
from crewd.config.kinds import AbsolutePath, Choice, Duration, Flag, Parsed, Size, Text, Whole
from crewd.config.listeners import Listeners
from crewd.config.resets import Resets
from crewd.config.worker_kinds import (
    ENVIRONMENT,
    ID_MOST,
    ID_PATTERN,
    LABELS,
    Account,
    Arguments,
    Command,
    LogPath,
    Statuses,
)
from crewd.model.spec import (
    CLEAN_EXITS,
    START_LIMIT_BURST_MOST,
    ApiWorkers,
    DaemonSpec,
    EngineSpec,
    JournalSync,
    KillMode,
    Loop,
    OnShutdown,
    RestartMode,
    Stdin,
    SupervisordOwner,
    WorkerSpec,
)

INSTANCES_MOST = 10_000
SIZE_MOST = 2**50
STOP_SIGNALS = ("TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2")


class _Deployment(StrEnum):
    """Where a worker runs. Only ``local`` is built."""

    LOCAL = "local"
    DOCKER = "docker"
    SSH = "ssh"
    REMOTE = "remote"
    KUBERNETES = "kubernetes"
    PM2 = "pm2"


def _stop_signal(text: str) -> str:
    name = text.removeprefix("SIG")
    if name not in STOP_SIGNALS:
        raise ValueError(f"write one of {' '.join(STOP_SIGNALS)}")
    return name


_STOP_SIGNAL = Parsed(
    "a signal's name", _stop_signal, {"enum": [*STOP_SIGNALS, *(f"SIG{name}" for name in STOP_SIGNALS)]}
)
_UMASK = Parsed(
    "an octal mask",
    quantities.umask,
    {"type": ["string", "integer"], "pattern": quantities.UMASK_PATTERN, "minimum": 0, "maximum": 777},
)
_LISTEN = Parsed(
    "an address and a port, or none",
    quantities.listen,
    {"type": "string", "pattern": quantities.LISTEN_PATTERN},
    lambda address: address or "none",
)
_DATABASE = Parsed(
    "a database", quantities.database, {"type": "string", "pattern": quantities.DATABASE_PATTERN}, secret=True
)
_NOT_BUILT = dict.fromkeys(
    (word.value for word in _Deployment if word is not _Deployment.LOCAL),
    "this version runs workers on this machine only: write local",
)

API_WORKERS = Section(
    "crewd.api_workers",
    "What workers that are made over the API may do. See [the how-to](../how-to/configure-over-the-api.md).",
    ApiWorkers(),
    (
        Key(
            "users",
            Several(Account(accounts.USERS), "[mail, nobody]"),
            "users",
            "Who they may run as; the first one is taken where neither the worker nor `defaults` names a user. None: "
            "nobody, so there are no such workers; or supervisord's own user, where that is not root.",
            example="[nobody]",
        ),
        Key(
            "roots",
            Several(AbsolutePath(), "[/srv/workers]"),
            "roots",
            "Below which directories their `directory`, `environment_file` and log files lie. None: none of these may "
            "be a path.",
            example="[/srv/workers]",
        ),
        Key(
            "instances",
            Whole(0, INSTANCES_MOST),
            "instances",
            "How many instances all of them together may have. What is beyond it, by the order of the names, is left "
            "out.",
        ),
    ),
    otherwise="it has users, roots and instances",
)

CREWD = Section(
    "crewd",
    "The daemon.",
    DaemonSpec(),
    (
        Key(
            "on_shutdown",
            Choice(OnShutdown),
            "on_shutdown",
            "What `crewd run` does, when it ends, to the supervisord that it started: stop it with all its workers, or "
            "keep both running. One that it found running is always kept.",
        ),
        Key(
            "supervisord",
            Choice(SupervisordOwner),
            "supervisord",
            "Who starts supervisord: the daemon itself (own), or somebody else, such as a systemd unit (external).",
        ),
        Key(
            "listen",
            _LISTEN,
            "listen",
            "Where the API is served over TCP; `CREWD_LISTEN` goes before it. Beyond the loopback interface only with "
            "`tls`. A change takes effect when the daemon is started next.",
        ),
        Key(
            "tls",
            access_kinds.TLS,
            "tls",
            "What TLS is spoken with on `listen`; unset: plain HTTP. Changed files take effect at a reload; "
            "whether TLS is spoken at all is decided when the daemon starts.",
            example="{certificate: /etc/crewd/tls/crewd.pem, key: /etc/crewd/tls/crewd.key}",
        ),
        Key(
            "allowed_hosts",
            access_kinds.HOSTS,
            "allowed_hosts",
            "By which names the API may be asked for over TCP, beside localhost, 127.0.0.1, [::1] and the address in "
            "`listen`.",
        ),
        Key(
            "roles",
            access_kinds.ROLES_OF,
            "roles",
            "What others than root and the daemon's own user may do, by group or by certificate: viewer, operator or "
            "admin.",
        ),
        Key(
            "hmac_keys",
            access_kinds.HMAC_KEYS,
            "hmac_keys",
            "Keys that programs sign their requests with, by name. The secrets stand in files of their own.",
        ),
        Key(
            "trusted_proxies",
            access_kinds.NETWORKS,
            "trusted_proxies",
            "Whose `X-Forwarded-For` is believed, for limits and for the audit; never for who somebody is.",
        ),
        Key(
            "database",
            _DATABASE,
            "database",
            "Where what happened is kept: sqlite, a file in the state directory, or the URL of a PostgreSQL database "
            "that is this crew's alone; `CREWD_DATABASE_URL` goes before it. A change takes effect when the daemon is "
            "started next.",
        ),
        Key(
            "retention_sec",
            Duration(above=True, endless=True),
            "retention_sec",
            "How long events are kept in the database. Totals are kept for ever.",
        ),
        Key(
            "retention_bytes",
            Size(SIZE_MOST),
            "retention_bytes",
            "How much space the events may take in the database, about; 0: any. The oldest go first.",
        ),
        Key(
            "audit_retention_sec",
            Duration(above=True, endless=True),
            "audit_retention_sec",
            "How long entries of the audit are kept in the database.",
        ),
        Key(
            "audit_retention_bytes",
            Size(SIZE_MOST),
            "audit_retention_bytes",
            "How much space the audit may take in the database, about; 0: any. The oldest entries go first.",
        ),
        Key(
            "sample_interval_sec",
            Duration(least=1.0, most=3600.0),
            "sample_interval_sec",
            "How often CPU, memory and open files of the workers are looked at.",
        ),
        Key(
            "default_worker",
            Text("the id of a worker", ID_PATTERN, ID_MOST),
            "default_worker",
            "The worker that `POST /restart` means where the request names none; it needs a `reset`. Unset: the only "
            "worker that has one.",
            example="example",
        ),
        Key(
            "api_workers",
            Nested(API_WORKERS),
            "api_workers",
            "What workers made over the API may do: who they run as, where their files lie, how many there may be.",
            example="{users: [nobody], roots: [/srv/workers]}",
        ),
    ),
)

SUPERVISORD = Section(
    "supervisord",
    "supervisord and the engine inside it.",
    EngineSpec(),
    (
        Key(
            "loop",
            Choice(Loop),
            "loop",
            "The main loop: crewd's own where the installed supervisord is known (auto), or supervisord's (stock).",
        ),
        Key(
            "journal_sync",
            Choice(JournalSync),
            "journal_sync",
            "When the journal of events is forced to the disk, against power loss: never (none), once a second "
            "(interval), or after each pass of the loop (pass). Not even none loses "
            "anything by the crash of a process.",
        ),
        Key(
            "eventlisteners",
            Listeners(),
            "eventlisteners",
            "Event listeners of supervisord, by name: the options of a stock [eventlistener:NAME] section. "
            "Needs command and events.",
            example="{crashmail: {command: /usr/local/bin/crashmail, events: PROCESS_STATE_EXITED}}",
        ),
    ),
)

_COMMAND = (
    Key(
        "command",
        Command(),
        "command",
        "The program and its arguments. A string is split into words as a shell would, and is never given to a shell.",
        example="[sleep, infinity]",
        required=True,
        in_defaults=False,
        elsewhere=("cmd", "exec", "exec_start", "args", "script"),
    ),
    Key(
        "directory",
        AbsolutePath(),
        "directory",
        "The working directory; unset: supervisord's own. Where it is missing, the start fails and is "
        "tried again like any other.",
        example="/srv",
        elsewhere=("working_directory", "workdir", "working_dir"),
    ),
    Key(
        "environment",
        ENVIRONMENT,
        "environment",
        "Variables, set over the few that supervisord has itself (PATH, LANG, TZ). Those of `defaults` are added.",
        elsewhere=("env", "vars"),
    ),
    Key(
        "environment_file",
        AbsolutePath(optional=True),
        "environment_file",
        "A file of NAME=text lines, read when the configuration is applied; `environment` goes before it. With a "
        "leading - it may be missing.",
        example="-/etc/default/example",
        elsewhere=("env_file",),
    ),
    Key(
        "user",
        Account(accounts.USERS),
        "user",
        "Who the worker runs as, by name or number; unset: as supervisord. HOME, USER, LOGNAME and SHELL are set "
        "to match. Only root may name another user than itself.",
        example="nobody",
    ),
    Key(
        "group",
        Account(accounts.GROUPS),
        "group",
        "The main group, by name or number; unset: that of the user.",
        example="nogroup",
    ),
    Key(
        "umask",
        _UMASK,
        "umask",
        "The file mode mask, always read as octal: write the leading 0. Unset: as supervisord's.",
        example='"022"',
    ),
    Key(
        "stdin",
        Choice(Stdin),
        "stdin",
        "Standard input: /dev/null, or a pipe that `supervisorctl fg` and sendProcessStdin write to.",
    ),
)

_LIFE = (
    Key(
        "instances",
        Whole(1, INSTANCES_MOST),
        "instances",
        "How many processes; they are named NAME-0, NAME-1 and so on, a single one too.",
        elsewhere=("numprocs", "replicas", "scale", "processes"),
    ),
    Key(
        "autostart",
        Flag(),
        "autostart",
        "Whether it is started with supervisord; otherwise it waits to be started by hand.",
        elsewhere=("enabled",),
    ),
    Key("priority", Whole(0, 9999), "priority", "Lower starts first and is stopped last."),
    Key(
        "stop_signal",
        _STOP_SIGNAL,
        "stop_signal",
        "What asks the worker to end: " + ", ".join(STOP_SIGNALS) + ".",
        elsewhere=("stopsignal", "kill_signal"),
    ),
    Key(
        "timeout_stop_sec",
        Duration(most=86400.0, above=True),
        "timeout_stop_sec",
        "How long a worker may take to end after that before it is killed.",
        elsewhere=("stopwaitsecs", "stop_timeout", "stop_grace_period"),
    ),
    Key(
        "kill_mode",
        Choice(KillMode),
        "kill_mode",
        "Whom a stop concerns. mixed: the stop signal to the main process, KILL to its whole process group; "
        "process: both to the main process only; control-group: both to the group.",
    ),
)

_RESTART = (
    Key(
        "restart",
        Choice(RestartMode, {"on-watchdog": "needs a watchdog, which this version does not have"}),
        "policy.restart",
        "After which ends it is started again, as systemd's Restart=.",
        elsewhere=("autorestart", "restart_policy"),
    ),
    Key(
        "restart_sec",
        Duration(),
        "policy.restart_sec",
        "The delay before the first restart. A worker that ended within start_success_sec waits 100ms at least.",
        elsewhere=("restart_delay",),
    ),
    Key(
        "restart_steps",
        Whole(0, 100),
        "policy.restart_steps",
        "In how many steps the delay grows from restart_sec to restart_max_delay_sec; 0: it does not grow.",
    ),
    Key(
        "restart_max_delay_sec",
        Duration(),
        "policy.restart_max_delay_sec",
        "What the delay grows to. Where restart_sec is longer, the delay does not grow.",
    ),
    Key(
        "restart_randomized_delay_sec",
        Duration(),
        "policy.restart_randomized_delay_sec",
        "A random part of up to this is added to each delay, so that many workers do not come back at once.",
    ),
    Key(
        "start_limit_burst",
        Whole(0, START_LIMIT_BURST_MOST),
        "policy.start_limit_burst",
        "How many starts, the first included, may lie within start_limit_interval_sec; one more, and it is given up. "
        "0: no limit.",
        elsewhere=("startretries", "max_restarts"),
    ),
    Key(
        "start_limit_interval_sec",
        Duration(endless=True),
        "policy.start_limit_interval_sec",
        "The sliding window of start_limit_burst; infinity: starts are counted until a run of restart_reset_sec. "
        "0: no limit.",
    ),
    Key(
        "restart_reset_sec",
        Duration(above=True, endless=True),
        "policy.restart_reset_sec",
        "A run of this length begins a new history: earlier starts no longer count, the delay begins at restart_sec.",
    ),
    Key(
        "start_success_sec",
        Duration(most=86400.0, above=True),
        "policy.start_success_sec",
        "A start has succeeded when the worker ran this long.",
        elsewhere=("startsecs",),
    ),
    Key(
        "success_exit_status",
        Statuses(CLEAN_EXITS),
        "policy.success_exit_status",
        "Exit codes and signals that count as a clean end, beside 0, HUP, INT, PIPE and TERM.",
        elsewhere=("exitcodes",),
    ),
    Key(
        "restart_prevent_exit_status",
        Statuses(),
        "policy.restart_prevent_exit_status",
        "Exit codes and signals after which it is never restarted, whatever `restart` says.",
    ),
    Key(
        "restart_force_exit_status",
        Statuses(),
        "policy.restart_force_exit_status",
        "Exit codes and signals after which it is always restarted, unless prevented.",
    ),
)


def _log(stream: str, what: str) -> tuple[Key, ...]:
    return (
        Key(
            f"{stream}_logfile",
            LogPath(),
            f"{stream}.path",
            f"Where {what} goes: a file in crewd's log directory (auto), nowhere (none), or a file of its own, "
            "in whose path {instance} stands for the instance's name. Two streams never share a file.",
        ),
        Key(
            f"{stream}_logfile_maxbytes",
            Size(),
            f"{stream}.maxbytes",
            "The size at which the file is rotated; 0: never.",
        ),
        Key(
            f"{stream}_logfile_backups",
            Whole(0, 1000),
            f"{stream}.backups",
            "How many rotated files are kept.",
        ),
    )


_OUTPUT = (
    *_log("stdout", "standard output"),
    *_log("stderr", "standard error"),
    Key(
        "redirect_stderr",
        Flag(),
        "redirect_stderr",
        "Whether standard error goes where standard output goes.",
    ),
)

_DESCRIPTION = (
    Key(
        "name",
        Text(most=200),
        "name",
        "A name for people, passed to each instance as WORKER_NAME.",
        example="Example",
        in_defaults=False,
    ),
    Key("labels", LABELS, "labels", "Words to select workers by. Those of `defaults` are added.", elsewhere=("tags",)),
    Key(
        "host",
        Text("a host name or address", r"^[A-Za-z0-9.:_-]+$", 255),
        "host",
        "Passed to each instance as HOST.",
        example="127.0.0.1",
    ),
    Key("port", Whole(1, 65535), "port", "Passed to each instance as PORT.", example="4001", in_defaults=False),
    Key(
        "max_accounts",
        Whole(0, 1_000_000_000),
        "max_accounts",
        "How many accounts the worker may serve: passed to each instance as MAX_ACCOUNTS.",
        example="10",
    ),
    Key(
        "heartbeat_stale_sec",
        Duration(above=True, endless=True),
        "heartbeat_stale_sec",
        "How long an instance may be silent before its heartbeat counts as stale, also before the first after a start; "
        "infinity: for ever. Unset: 90s for an instance that ever sent one, and none is expected of others.",
        example="90s",
    ),
    Key(
        "deployment_type",
        Choice(_Deployment, _NOT_BUILT),
        "",
        "Where the worker runs. Only local, this machine, is built.",
        example="local",
    ),
)


_RESET = (
    Key(
        "reset",
        Resets(),
        "reset",
        "What a manual restart (`POST /restart`, `crewctl reset`) clears, and whether it restarts the process. A "
        "worker without it has no such restart.",
        example="{actions: [{type: command, argv: [/bin/true]}]}",
    ),
)


def _restart_mode(value: bool) -> Mapping[str, Any]:
    return {"restart": RestartMode.ALWAYS if value else RestartMode.NO}


def _attempts(value: int) -> Mapping[str, Any]:
    return {"start_limit_burst": value + 1, "start_limit_interval_sec": inf}


_ALIASES = (
    Alias("auto_start", Flag(), ("autostart",), lambda value: {"autostart": value}, "`autostart`.", "true"),
    Alias(
        "auto_restart",
        Flag(),
        ("restart",),
        _restart_mode,
        "`restart: always` where true, `restart: no` where false.",
        "true",
    ),
    Alias(
        "max_restart_attempts",
        Whole(0, START_LIMIT_BURST_MOST - 1),
        ("start_limit_burst", "start_limit_interval_sec"),
        _attempts,
        "`start_limit_burst`, one more than this number, with `start_limit_interval_sec: infinity`.",
        "3",
    ),
    Alias(
        "restart_delay_ms",
        Whole(0, 1_000_000_000),
        ("restart_sec",),
        lambda value: {"restart_sec": value / 1000},
        "`restart_sec`, in milliseconds.",
        "5000",
    ),
    Alias("cwd", AbsolutePath(), ("directory",), lambda value: {"directory": value}, "`directory`.", "/srv"),
)

WORKER = Section(
    "worker",
    "A worker: one program, run as one or more instances.",
    WorkerSpec("", ()),
    _COMMAND + _LIFE + _RESTART + _OUTPUT + _RESET + _DESCRIPTION,
    _ALIASES,
)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What holds for workers of one deployment type."""

    command: tuple[str, ...] = ()


LOCAL = Section(
    "defaults.local",
    "What holds for the workers of this machine.",
    Deployed(),
    (
        Key(
            "command",
            Command(),
            "command",
            "The program and its arguments of workers made over the API that have none.",
            example="[python3, -m, worker]",
        ),
    ),
    otherwise="it has a command",
)

DEFAULTS = Section(
    "defaults",
    "Settings of every worker that does not set them itself.",
    WORKER.blank,
    (
        *(key for key in WORKER.keys if key.in_defaults),
        Key(
            "local",
            Nested(LOCAL),
            "",
            "What holds for workers of `deployment_type: local`, which all are: the `command` of those made over the "
            "API that have none.",
            example="{command: [python3, -m, worker]}",
        ),
    ),
    WORKER.aliases,
    {key.name: "cannot be a default: write it to each worker" for key in WORKER.keys if not key.in_defaults},
)

_OF_THE_FILE = {"reset": "can be said in the file alone: it acts in the daemon's name"}
OFFERED = replace(
    WORKER,
    name="configuration",
    keys=tuple(
        replace(key, kind=Arguments(), required=False) if key.name == "command" else key
        for key in WORKER.keys
        if key.name not in _OF_THE_FILE
    ),
    misplaced=_OF_THE_FILE,
    otherwise="remove it; docs/reference/configuration.md has all there are",
)
"""What a document of the API may hold: the keys of a worker, its command as a list alone, and no resets."""
