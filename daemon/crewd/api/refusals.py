"""The ways to say no: a status, a code, a sentence. One place for all of them.

| code | status | when |
| --- | --- | --- |
| VALID_001 | 422, 413 | a parameter or a body is wrong, or too large |
| AUTH_001 | 401 | nobody knows who you are, or what was shown is worth nothing |
| AUTH_002 | 403 | not for you |
| NOT_FOUND, METHOD | 404, 405 | no such path; not in this way |
| WORKER_001 | 404 | no such worker, instance or label |
| WORKER_002 | 409 | there is a worker of that name |
| WORKER_003 | 409 | as things are: the file has it, crewd-apply left it out, or somebody else wanted something else |
| WORKER_004 | 422 | there is no command to run |
| WORKER_006 | 412 | it was changed since it was looked at |
| TOKEN_001 | 404 | no such token |
| TOKEN_002 | 409 | too many tokens |
| IDEMPOTENCY_001 | 422 | the key was used for another request |
| IDEMPOTENCY_002, 003 | 409 | the first is under way; it was done, and its answer not kept |
| WORKER_005 | 500 | a start that was waited for failed |
| NOT_ACCEPTABLE | 406 | it is not to be had in the form that Accept asks for |
| LOG_001 | 404 | there is no output to read |
| RATE_001 | 429 | too much at once, or too often |
| RESET_001 | 502 | a manual restart of which an action failed: in its own flat answer, see ``resets`` |
| SUPERVISORD_001 | 503 | supervisord does not answer |
| STORE_001 | 503 | the database cannot be used |
| RESTART_004, APPLY_001 | 422, 500 | the configuration is wrong; it could not be applied |
| INTERNAL | 500 | a mistake of crewd's |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from crewd.errors import CrewdError, StoreError, TargetError
from crewd.model.offer import Fate
from crewd.reconcile.configuring import (
    ChangedMeanwhile,
    ConfigurationExists,
    NoConfiguration,
    NotApplied,
    OfTheFile,
    WrongConfiguration,
)
from crewd.reconcile.output import BadPattern, NoOutput, TooManySearches
from crewd.reconcile.port import EngineFault
from crewd.reconcile.reporting import TooManyReports
from crewd.reconcile.resetting import NoReset, QueueFull
from crewd.reconcile.selecting import NotInForce, SeveralInstances, UnknownNames
from crewd.reconcile.wanted import Place

QUEUE_SEC = 10
"""After so long one that waits for another restart of its worker may be done."""
BAD_NAME = 10
"""supervisor's fault code for a name that is not there."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no."""

    status: int
    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the answer, by names in lower case."""


class Refused(CrewdError):  # noqa: N818 - an answer
    """Raised wherever the answer is no."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.message)


def invalid(message: str, **details: Any) -> Refused:
    """Return the no to a wrong parameter or body."""
    return Refused(Refusal(422, "VALID_001", message, details))


def too_much(message: str, after_sec: int = 1) -> Refused:
    """Return the no to one too many, who may try again after so long."""
    return Refused(Refusal(429, "RATE_001", message, headers={"retry-after": str(after_sec)}))


INTERNAL = Refusal(500, "INTERNAL", "cannot answer: a mistake in crewd, see its log")


def refusal_of(error: Exception) -> Refusal:
    """Return what an error means to who asked."""
    message = str(error)
    match error:
        case Refused():
            return error.refusal
        case UnknownNames():
            return Refusal(404, "WORKER_001", message, {"names": list(error.names)})
        case NoConfiguration():
            return Refusal(404, "WORKER_001", message)
        case ConfigurationExists():
            return Refusal(409, "WORKER_002", message, _where(error.place))
        case OfTheFile():
            return Refusal(409, "WORKER_003", message, _where(error.place))
        case ChangedMeanwhile():
            return Refusal(412, "WORKER_006", message, {"revision": error.revision})
        case WrongConfiguration():
            problems = [{"field": one.field, "message": one.message} for one in error.complaints]
            return Refusal(422, "VALID_001", message, {"problems": problems})
        case NotApplied() if error.of_file:
            return Refusal(422, "RESTART_004", message, {"problems": list(error.problems)})
        case NotApplied():
            return Refusal(500, "APPLY_001", message)
        case NotInForce() if error.ruling.fate is Fate.WITHOUT_COMMAND:
            return Refusal(422, "WORKER_004", message)
        case NotInForce():
            problems = [{"field": one.field, "message": one.message} for one in error.ruling.complaints]
            return Refusal(409, "WORKER_003", message, {"problems": problems})
        case SeveralInstances():
            return Refusal(422, "VALID_001", message, {"instances": list(error.instances)})
        case NoOutput():
            return Refusal(404, "LOG_001", message)
        case BadPattern():
            return Refusal(422, "VALID_001", message)
        case TooManySearches():
            return too_much(message).refusal
        case NoReset():
            return Refusal(422, "VALID_001", message, {"workers": list(error.workers)})
        case QueueFull():
            return too_much(message, QUEUE_SEC).refusal
        case TooManyReports():
            return too_much(message, ceil(error.wait_sec)).refusal
        case EngineFault() if error.code == BAD_NAME:
            return Refusal(404, "WORKER_001", message)  # removed meanwhile
        case TargetError():
            return Refusal(503, "SUPERVISORD_001", message)
        case StoreError():
            return Refusal(503, "STORE_001", message)
        case _:
            return INTERNAL


def _where(place: Place | None) -> dict[str, Any]:
    return {} if place is None else {"file": place.file, "line": place.line}
