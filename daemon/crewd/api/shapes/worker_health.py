"""The shapes of ``GET /workers/{name}/health`` and ``GET /workers/stats/overview``."""

from typing import Literal

from typing_extensions import TypedDict

from crewd.api.describing import Answer, shape
from crewd.api.shapes.crew import Status


@shape
class Reason(TypedDict):
    """Why a worker is not healthy."""

    instance: str | None
    """null where it is crewd's."""
    cause: Literal["starting", "stopping", "stopped", "crashed", "error", "heartbeat", "unknown"]
    message: str


@shape
class Warned(TypedDict):
    """What will make a worker unhealthy."""

    instance: str
    cause: Literal["budget"]
    message: str


@shape
class WorkerHealth(TypedDict):
    """Whether a worker is as it is to be."""

    worker_id: str
    healthy: bool
    status: Status
    reasons: list[Reason]
    """Why not; none where it is."""
    warnings: list[Warned]


@shape
class Counts(TypedDict):
    """How many there are of each status."""

    stopped: int
    starting: int
    running: int
    stopping: int
    error: int
    crashed: int


@shape
class Heartbeats(TypedDict):
    """How it is with the heartbeats of all instances."""

    reporting: int
    """How many ever sent one."""
    stale: int
    """Of how many one is overdue."""
    stale_count: int
    """How often one was."""


@shape
class Overview(TypedDict):
    """All workers together."""

    workers: int
    instances: int
    by_status: Counts
    """Of the workers."""
    instances_by_status: Counts
    restart_count: int
    error_count: int | None
    cpu_usage: float | None
    """Percent of one core; null before it was looked at."""
    memory_usage: int | None
    sampled_at: str | None
    max_accounts: int | None
    assigned_accounts: int | None
    active_tasks: int | None
    reported_errors: int | None
    last_heartbeat_at: str | None
    heartbeat_stale: bool | None
    heartbeats: Heartbeats
    stale: bool
    """Whether this is the last known state, for supervisord is not heard."""


HEALTH = Answer(
    WorkerHealth,
    {
        "worker_id": "web",
        "healthy": False,
        "status": "running",
        "reasons": [
            {"instance": "web-0", "cause": "heartbeat", "message": "web-0 sent no heartbeat for 1 min 35 s"},
        ],
        "warnings": [],
    },
    "Whether it is healthy, and why not.",
)
_COUNTS = {"stopped": 0, "starting": 0, "running": 2, "stopping": 0, "error": 0, "crashed": 0}
OVERVIEW = Answer(
    Overview,
    {
        "workers": 2,
        "instances": 2,
        "by_status": _COUNTS,
        "instances_by_status": _COUNTS,
        "restart_count": 1,
        "error_count": 1,
        "cpu_usage": 25.5,
        "memory_usage": 104857600,
        "sampled_at": "2026-01-31T09:00:00.000Z",
        "max_accounts": 20,
        "assigned_accounts": 7,
        "active_tasks": 2,
        "reported_errors": 0,
        "last_heartbeat_at": "2026-01-31T08:59:58.000Z",
        "heartbeat_stale": False,
        "heartbeats": {"reporting": 1, "stale": 0, "stale_count": 0},
        "stale": False,
    },
    "All together.",
)
