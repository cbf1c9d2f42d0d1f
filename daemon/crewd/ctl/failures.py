"""What keeps a command from being done: the daemon is not there, lets nobody in, or says no."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from crewd.errors import CrewdError
from crewd.model.home import Home


class Fault(Enum):
    """Whose fault it is, which decides the exit status."""

    USAGE = auto()
    """What was asked for makes no sense."""
    UNKNOWN = auto()
    """There is nothing of that name."""
    DENIED = auto()
    ABSENT = auto()
    """No daemon answers."""
    FAILED = auto()
    """All else."""


class RequestError(CrewdError):
    """A sentence for the operator. ``code`` and ``details`` are the API's, where it was the API that said no."""

    def __init__(
        self, fault: Fault, message: str, code: str = "", details: Mapping[str, Any] | None = None, status: int = 0
    ) -> None:
        self.fault = fault
        self.code = code
        self.details: Mapping[str, Any] = details or {}
        self.status = status
        super().__init__(message)


_FAULTS = {
    "VALID_001": Fault.USAGE,
    "WORKER_001": Fault.UNKNOWN,
    "AUTH_001": Fault.DENIED,
    "AUTH_002": Fault.DENIED,
}
UNKNOWN_TO_IT, TOO_MUCH = 401, 429


def refused(status: int, envelope: Mapping[str, Any], *, known: bool = False, again: str = "") -> RequestError:
    """Return what the daemon's no means; ``envelope``: the members of its answer.

    ``known``: whether a token was shown; ``again``: the header Retry-After.
    """
    error: Mapping[str, Any] = envelope.get("error") or {}
    message = envelope.get("message") or f"cannot be done: the daemon answered with status {status}"
    if status == UNKNOWN_TO_IT:
        message += "" if known else "; no token was shown: say --token-file, or set CREWD_TOKEN"
    if status == TOO_MUCH and again.isdecimal() and "try again" not in message:
        message += f"; try again in {again} s"
    code = error.get("code", "")
    return RequestError(_FAULTS.get(code, Fault.FAILED), message, code, error.get("details"), status)


def unreachable(socket: str, cause: OSError) -> RequestError:
    """Return why nobody could be asked, and what to do about it."""
    if isinstance(cause, PermissionError):
        who = "only root and the user that crewd runs as are let in"
        return RequestError(Fault.DENIED, f"cannot reach crewd at {socket}: permission denied; {who}")
    if isinstance(cause, TimeoutError):
        return RequestError(Fault.ABSENT, f"cannot reach crewd at {socket}: it does not answer; {_log(socket)}")
    words = "there is no such socket" if isinstance(cause, FileNotFoundError) else cause.strerror or str(cause)
    return RequestError(Fault.ABSENT, f"cannot reach crewd at {socket}: {words}; is crewd running? {_advice(socket)}")


def cut_off(socket: str) -> RequestError:
    """Return what to say where the daemon ended in the middle of an answer."""
    what = f"cannot read the answer of crewd at {socket}: it ended the connection"
    return RequestError(Fault.ABSENT, f"{what}; {_log(socket)}")


def not_crewd(where: str, status: int = 200) -> RequestError:
    """Return what to say where the answer is not one of crewd's."""
    said = "" if status == 200 else f" (status {status})"  # noqa: PLR2004 - HTTP's
    return RequestError(Fault.FAILED, f"cannot understand what answers at {where}: it is not crewd{said}")


def _advice(socket: str) -> str:
    return (
        "try `systemctl status crewd`, or set CREWD_HOME to its home"
        if _of_the_system(socket)
        else "`crewd run` starts it"
    )


def _log(socket: str) -> str:
    return "`journalctl -u crewd` may tell why" if _of_the_system(socket) else "its log may tell why"


def _of_the_system(socket: str) -> bool:
    return socket.startswith(f"{Home().run}/")
