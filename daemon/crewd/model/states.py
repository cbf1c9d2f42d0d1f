"""Process states (supervisord's words and numbers) and the status that users see."""

from enum import IntEnum, StrEnum


class ProcessState(IntEnum):
    """supervisord's process states, verbatim.

    BACKOFF means: a restart is due. EXITED is final. FATAL means: given up.
    """

    STOPPED = 0
    STARTING = 10
    RUNNING = 20
    BACKOFF = 30
    STOPPING = 40
    EXITED = 100
    FATAL = 200
    UNKNOWN = 1000


class Status(StrEnum):
    """The six statuses of a worker."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ERROR = "error"
    CRASHED = "crashed"


_BY_STATE = {
    ProcessState.STOPPED: Status.STOPPED,
    ProcessState.STARTING: Status.STARTING,
    ProcessState.RUNNING: Status.RUNNING,
    ProcessState.STOPPING: Status.STOPPING,
    ProcessState.BACKOFF: Status.CRASHED,
    ProcessState.FATAL: Status.ERROR,
    ProcessState.UNKNOWN: Status.ERROR,
}


def status_of(state: ProcessState, *, expected_exit: bool) -> Status:
    """Return the status for a process state; ``expected_exit`` tells a clean EXITED from a crash."""
    if state is ProcessState.EXITED:
        return Status.STOPPED if expected_exit else Status.CRASHED
    return _BY_STATE[state]
