"""The shape of ``GET /workers/{name}/why``: the engine's own answer."""

from typing import Any, Literal

from typing_extensions import TypedDict

from crewd.api.describing import Answer, shape
from crewd.api.shapes.crew import State


@shape
class Past(TypedDict):
    """The end of a run, or a spawn that failed."""

    at: float
    """In unix seconds."""
    reason: str
    code: int | None
    signal: int | None
    ran_sec: float
    message: str
    verdict: str | None
    delay_sec: float | None
    """The delay of the restart, as drawn."""


@shape
class Policy(TypedDict):
    """The restart policy in force."""

    restart: str
    restart_sec: float
    restart_steps: int
    restart_max_delay_sec: float | Literal["infinity"]
    restart_randomized_delay_sec: float
    start_limit_burst: int
    start_limit_interval_sec: float | Literal["infinity"]
    restart_reset_sec: float | Literal["infinity"]
    start_success_sec: float


@shape
class Why(TypedDict):
    """Why an instance is as it is."""

    instance: str
    worker_id: str
    slot: int
    process_state: State
    standing: str
    pid: int
    """0 when there is no process."""
    started_at: float | None
    """In unix seconds."""
    uptime_sec: float | None
    restart_count: int
    budget: int | None
    restart_at: float | None
    """In unix seconds."""
    due_in_sec: float | None
    last_exit: Past | None
    exits: list[Past]
    """The newest last."""
    policy: Policy


_EXIT: dict[str, Any] = {
    "at": 1769850000.0,
    "reason": "ExitCode",
    "code": 3,
    "signal": None,
    "ran_sec": 62.5,
    "message": "",
    "verdict": "Restarted",
    "delay_sec": 0.5,
}
WHY = Answer(
    Why,
    {
        "instance": "web-0",
        "worker_id": "web",
        "slot": 0,
        "process_state": "BACKOFF",
        "standing": "up",
        "pid": 0,
        "started_at": None,
        "restart_count": 1,
        "last_exit": _EXIT,
        "uptime_sec": None,
        "restart_at": 1769850000.5,
        "due_in_sec": 0.25,
        "budget": 8,
        "exits": [_EXIT],
        "policy": {
            "restart": "on-failure",
            "restart_sec": 0.5,
            "restart_steps": 6,
            "restart_max_delay_sec": 60.0,
            "restart_randomized_delay_sec": 0.0,
            "start_limit_burst": 10,
            "start_limit_interval_sec": 600.0,
            "restart_reset_sec": 600.0,
            "start_success_sec": 1.0,
        },
    },
    "What the engine says.",
)
