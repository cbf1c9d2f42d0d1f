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
class WorkerResult(TypedDict):
    """What became of one worker: of all its instances that were meant."""

    worker_id: str
    ok: bool
    changed: bool
    status: Status | None
    message: str


@shape
class Results(TypedDict):
    """What an action came to."""

    action: Literal["start", "stop", "restart", "reset-failed"]
    results: list[Result]
    """One for each instance, in the order in which they are named."""
    workers: list[WorkerResult]
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
_WORKER: dict[str, Any] = {"worker_id": "web", "ok": True, "changed": True, "status": "running", "message": ""}
_RESULTS: dict[str, Any] = {
    "action": "restart",
    "results": [_RESULT],
    "workers": [_WORKER],
    "waited": True,
    "timed_out": False,
}
_LATE: dict[str, Any] = {
    **_RESULTS,
    "results": [{**_RESULT, "ok": False, "message": "not in time"}],
    "workers": [{**_WORKER, "ok": False, "message": "web-0: not in time"}],
    "timed_out": True,
}
_PROGRESS = text(_LINES, media=NDJSON)
BATCH = Answer(Results, _RESULTS, "What it came to, for each instance.", also=(_PROGRESS,), refuses=(404, 406))
ACTED = Answer(
    Results,
    _RESULTS,
    "What it came to, for each instance.",
    also=(_PROGRESS, Answer(Results, _LATE, "Time was up: it may still come.", status=202)),
    refuses=(404, 406, 409),
)
