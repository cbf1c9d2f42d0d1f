"""The shapes of manual restarts with a reset: the document's own, without an envelope."""

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from crewd.api.describing import Answer, Fault, shape


@with_config(ConfigDict(use_attribute_docstrings=True, extra="allow"))
class Action(TypedDict):
    """One action. Other members say what came of it; docs/reference/resets.md has them for each type."""

    action: str
    key: NotRequired[str]
    """What it was about."""
    wallet: NotRequired[str]
    """Instead of the key: whose lock it was."""
    success: bool
    error: NotRequired[str]
    """Why it did not succeed."""


@shape
class Summary(TypedDict):
    """How many actions there were."""

    total_actions: int
    successful_actions: int
    failed_actions: int


@shape
class Restarted(TypedDict):
    """What became of a manual restart."""

    success: Literal[True]
    message: str
    worker_id: str
    worker_name: str
    """Its name for people; its id where it has none."""
    timestamp: str
    """When it began."""
    duration: int
    """How long it took, in milliseconds."""
    actions: list[Action]
    """All that was to be done, in order."""
    summary: Summary


@shape
class Incomplete(TypedDict):
    """A manual restart of which an action failed: the others were carried out all the same."""

    success: Literal[False]
    message: str
    worker_id: str
    worker_name: str
    timestamp: str
    duration: int
    actions: list[Action]
    summary: Summary
    error: Fault


@shape
class ManualRestart(TypedDict):
    """A manual restart, as it is stored."""

    id: int
    """Grows with each."""
    restart_id: str
    """Unique, also across databases."""
    type: Literal["manual_restart"]
    at: str | None
    worker_id: str
    success: bool
    duration: int
    """In milliseconds."""
    by: str
    """Who asked."""
    source: str
    """From where: unix, or an address."""
    user: str | None
    """Whom the request says that it comes from: a claim."""
    reason: str | None
    actions: list[Action]
    summary: Summary


@shape
class ManualRestarts(TypedDict):
    """Manual restarts, in the order in which they were stored."""

    restart_events: list[ManualRestart]
    next_cursor: str | None
    """Where the older ones are; null where there are none."""


_DONE: list[dict[str, Any]] = [
    {"action": "release_lock", "key": "scan_global_lock", "success": True, "released": True, "old_value": "ingest-0"},
    {"action": "restart_process", "key": "ingest", "success": True, "instances": ["ingest-0"]},
    {"action": "log_restart_event", "success": True},
]
_WHY = "cannot release scan_global_lock: Redis did not answer within 2 s"
_FAILED: list[dict[str, Any]] = [
    {"action": "release_lock", "key": "scan_global_lock", "success": False, "error": _WHY},
    *_DONE[1:],
]
_ALL = {"total_actions": 3, "successful_actions": 3, "failed_actions": 0}
_NOT_ALL = {"total_actions": 3, "successful_actions": 2, "failed_actions": 1}
_MESSAGE = f"cannot restart ingest completely: 1 of 3 actions failed, the first: release_lock scan_global_lock: {_WHY}"
_HEAD: dict[str, Any] = {
    "worker_id": "ingest",
    "worker_name": "ingest",
    "timestamp": "2026-01-31T09:00:00.000Z",
    "duration": 123,
}
_DETAILS = {"failed": [f"release_lock scan_global_lock: {_WHY}"]}
RESTARTED = Answer(
    Restarted,
    {"success": True, "message": "Worker restarted successfully", **_HEAD, "actions": _DONE, "summary": _ALL},
    "Every action succeeded.",
    enveloped=False,
    also=(
        Answer(
            Restarted,
            {
                "success": True,
                "message": "Worker restarted successfully",
                **_HEAD,
                "actions": [_DONE[0], {**_DONE[1], "late": ["ingest-0"]}, _DONE[2]],
                "summary": _ALL,
            },
            "Every action succeeded; time was up before all new processes were.",
            status=202,
            enveloped=False,
        ),
        Answer(
            Incomplete,
            {
                "success": False,
                "message": _MESSAGE,
                **_HEAD,
                "actions": _FAILED,
                "summary": _NOT_ALL,
                "error": {"code": "RESET_001", "message": _MESSAGE, "details": _DETAILS},
            },
            "An action failed; the others were carried out.",
            status=502,
            enveloped=False,
        ),
    ),
    refuses=(404,),
)
RESTARTS = Answer(
    ManualRestarts,
    {
        "restart_events": [
            {
                "id": 7,
                "restart_id": "0b1a8a3f0d8d4f0c9a9d0a1b2c3d4e5f",
                "type": "manual_restart",
                "at": "2026-01-31T09:00:00.000Z",
                "worker_id": "ingest",
                "success": True,
                "duration": 118,
                "by": "uid 0 pid 4242",
                "source": "unix",
                "user": None,
                "reason": "the scan lock hangs",
                "actions": _DONE,
                "summary": _ALL,
            }
        ],
        "next_cursor": None,
    },
    "Manual restarts that are stored, the newest page first.",
)
