"""The shape of what an action came to."""

from typing import Any, Literal

from typing_extensions import TypedDict

from crewd.api.describing import NDJSON, Answer, shape, text
from crewd.api.shapes.crew import State, Status


@shape
class Result(TypedDict):
    """What became of one instance."""

    instance: str
    done: str
    """What the engine did, in its words."""
    changed: bool
    """Whether there was anything to do."""
    ok: bool
    """Without a wait: the engine took it. Else: it has come true."""
    status: Status | None
    """How it is now; null where it was removed."""
    process_state: State | None
    message: str
    """Why it is not ok."""


@shape
class Results(TypedDict):
    """What an action came to."""

    action: Literal["start", "stop", "restart", "reset-failed"]
    results: list[Result]
    """One for each instance, in the order in which they are named."""
    waited: bool
    timed_out: bool


_RESULT: dict[str, Any] = {
    "instance": "web-0",
    "done": "restarting",
    "changed": True,
    "ok": True,
    "status": "running",
    "process_state": "RUNNING",
    "message": "",
}
_LINES = '{"progress":{"done":0,"of":1}}\n{"progress":{"done":1,"of":1}}\n{"success":true,"data":{}}\n'
ACTED = Answer(
    Results,
    {"action": "restart", "results": [_RESULT], "waited": True, "timed_out": False},
    "What it came to, for each instance.",
    also=(text(_LINES, media=NDJSON),),
    refuses=(404, 409),
)
