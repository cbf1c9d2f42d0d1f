"""The shapes of ``GET /workers`` and ``GET /workers/{name}/status``."""

from typing import Any, Literal

from typing_extensions import TypedDict

from crewd.api.describing import Answer, shape

Status = Literal["running", "starting", "stopping", "stopped", "crashed", "error"]
State = Literal["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"]


@shape
class LastExit(TypedDict):
    """How the last run ended, or the spawn that failed."""

    at: str | None
    cause: str
    """In words."""
    code: int | None
    signal: int | None
    reason: str
    verdict: str | None
    """null where none fell."""
    ran_sec: float
    message: str
    """Why a spawn failed."""
    commanded: bool
    """Whether a stop was under way."""


@shape
class Heartbeat(TypedDict):
    """What an instance last said of itself."""

    at: str | None
    """null where none ever came, and one is overdue."""
    age_ms: int | None
    stale: bool
    """Whether the next one is overdue."""
    stale_count: int
    """How often one was."""
    assigned_accounts: int | None
    active_tasks: int | None
    error_count: int | None
    metadata: dict[str, Any]


@shape
class Instance(TypedDict):
    """One process of a worker."""

    instance: str
    slot: int
    pid: int | None
    """null when there is no process."""
    status: Status
    process_state: State
    """supervisord's word."""
    standing: str
    """The last word on it."""
    started_at: str | None
    uptime_ms: int | None
    restart_count: int
    """Automatic restarts since it was added."""
    budget: int | None
    """How many starts the limit leaves now; null where there is no limit."""
    restart_at: str | None
    """When its restart is due."""
    due_in_sec: float | None
    cpu_usage: float | None
    """Percent of one core, children included."""
    memory_usage: int | None
    """Resident bytes, children included."""
    heartbeat: Heartbeat | None
    """What it last said of itself."""
    last_exit: LastExit | None


@shape
class Worker(TypedDict):
    """A worker."""

    worker_id: str
    name: str | None
    """For people."""
    status: Status
    """The first of error, crashed, starting, stopping that any instance has; else stopped where all are."""
    restart_count: int
    error_count: int | None
    """Ends that were failures, ever; null while the database has not told."""
    last_error: str | None
    host: str | None
    port: int | None
    max_accounts: int | None
    assigned_accounts: int | None
    """What its instances last reported, added up; null where none said it."""
    active_tasks: int | None
    reported_errors: int | None
    last_heartbeat_at: str | None
    heartbeat_stale: bool | None
    """Whether the heartbeat of one of them is overdue; null where nothing was ever heard, nor is missed."""
    labels: dict[str, str]
    instances: list[Instance]


@shape
class Summary(TypedDict):
    """How many there are, on all pages together."""

    workers: int
    instances: int
    by_status: dict[str, int]


@shape
class Daemon(TypedDict):
    """The daemon that answers."""

    version: str
    not_ready: list[str]
    """Why it is not ready, as ``/readyz`` says it, as far as no other member of this answer tells."""


@shape
class Supervisord(TypedDict):
    """How supervisord is."""

    up: bool
    pid: int | None
    generation: str
    mode: str
    mode_reason: str
    words: str
    """The status line."""


@shape
class Configuration(TypedDict):
    """Whether the configuration is in force."""

    in_force: bool
    problems: list[str]
    applied_at: str | None
    drift: list[str]
    """What supervisord runs otherwise, in sentences."""


@shape
class Recording(TypedDict):
    """Whether what happens is recorded."""

    lag_events: int
    trouble: str
    tables_version: str | None
    """That of the database's tables; null until it was opened."""


@shape
class Crew(TypedDict):
    """The crew as it is."""

    workers: list[Worker]
    next_cursor: str | None
    summary: Summary
    stale: bool
    """Whether this is the last known state, for supervisord is not heard."""
    daemon: Daemon
    supervisord: Supervisord
    configuration: Configuration
    recording: Recording
    sampled_at: str | None
    """When it was last looked at what the instances use."""


_EXIT: dict[str, Any] = {
    "at": "2026-01-31T08:59:47.250Z",
    "cause": "exit code 3",
    "code": 3,
    "signal": None,
    "reason": "ExitCode",
    "verdict": "Restarted",
    "ran_sec": 62.5,
    "message": "",
    "commanded": False,
}
_INSTANCE: dict[str, Any] = {
    "instance": "web-0",
    "slot": 0,
    "pid": 4242,
    "status": "running",
    "process_state": "RUNNING",
    "standing": "up",
    "started_at": "2026-01-31T08:59:47.500Z",
    "restart_count": 1,
    "last_exit": _EXIT,
    "uptime_ms": 12500,
    "budget": 8,
    "restart_at": None,
    "due_in_sec": None,
    "cpu_usage": 12.5,
    "memory_usage": 52428800,
    "heartbeat": {
        "at": "2026-01-31T08:59:58.000Z",
        "age_ms": 2000,
        "stale": False,
        "stale_count": 0,
        "assigned_accounts": 7,
        "active_tasks": 2,
        "error_count": 0,
        "metadata": {"queue": "mail"},
    },
}
_WORKER: dict[str, Any] = {
    "worker_id": "web",
    "name": "The web",
    "status": "running",
    "restart_count": 1,
    "error_count": 1,
    "last_error": "web-0: exit code 3 after 1 min 2 s",
    "host": "127.0.0.1",
    "port": 4001,
    "max_accounts": 10,
    "assigned_accounts": 7,
    "active_tasks": 2,
    "reported_errors": 0,
    "last_heartbeat_at": "2026-01-31T08:59:58.000Z",
    "heartbeat_stale": False,
    "labels": {"tier": "front"},
    "instances": [_INSTANCE],
}
WORKERS = Answer(
    Crew,
    {
        "workers": [_WORKER],
        "next_cursor": None,
        "summary": {"workers": 1, "instances": 1, "by_status": {"running": 1}},
        "stale": False,
        "daemon": {"version": "0.1.0", "not_ready": []},
        "supervisord": {
            "up": True,
            "pid": 4200,
            "generation": "00000001-fa4e00",
            "mode": "fast",
            "mode_reason": "",
            "words": "1 worker (1 instance): 1 running",
        },
        "configuration": {
            "in_force": True,
            "problems": [],
            "applied_at": "2026-01-31T08:00:00.000Z",
            "drift": [],
        },
        "recording": {"lag_events": 0, "trouble": "", "tables_version": "0006"},
        "sampled_at": "2026-01-31T08:59:55.000Z",
    },
    "The crew.",
    refuses=(404,),
)
STATUS = Answer(Worker, _WORKER, "The worker.")
