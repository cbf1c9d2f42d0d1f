"""The exit statuses, which are LSB's, and who gets which.

Rules:

1. A command that shows answers as LSB's ``status`` does: unknown where it cannot tell, be it for want of the name, the
   daemon or the permission.
2. A command that does something answers as LSB's other actions do, which tell these apart.
3. An instance counts as running when its status is ``running``: one that is only starting may still fail.
"""

from collections.abc import Iterable

from crewd.ctl.failures import Fault, RequestError
from crewd.wording import Members

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
EXIT_UNKNOWN = 4
EXIT_DENIED = 4
EXIT_NO_DAEMON = 7
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130
EXIT_HUNG_UP = 141

_SHOWING = {
    Fault.USAGE: EXIT_USAGE,
    Fault.UNKNOWN: EXIT_UNKNOWN,
    Fault.DENIED: EXIT_UNKNOWN,
    Fault.ABSENT: EXIT_UNKNOWN,
    Fault.FAILED: EXIT_FAILED,
}
_DOING = {
    Fault.USAGE: EXIT_USAGE,
    Fault.UNKNOWN: EXIT_FAILED,
    Fault.DENIED: EXIT_DENIED,
    Fault.ABSENT: EXIT_NO_DAEMON,
    Fault.FAILED: EXIT_FAILED,
}


SHOWN: dict[int, str] = {
    EXIT_DONE: "It was shown.",
    EXIT_FAILED: "It failed.",
    EXIT_USAGE: "It was used wrongly.",
    EXIT_UNKNOWN: "A name is unknown, or the daemon cannot be reached or does not let you in.",
    EXIT_INTERRUPTED: "It was ended by Ctrl-C.",
}
"""What the statuses of a command that shows mean, unless it says otherwise."""
DONE: dict[int, str] = {
    EXIT_DONE: "All of it was done.",
    EXIT_FAILED: "Some of it failed, a name is unknown, or the daemon said no.",
    EXIT_USAGE: "It was used wrongly; nothing was done.",
    EXIT_DENIED: "You may not do that.",
    EXIT_NO_DAEMON: "The daemon cannot be reached.",
    EXIT_INTERRUPTED: "It was ended by Ctrl-C; what was begun goes on.",
}
"""As well, of a command that does something."""


def of_failure(failure: RequestError, *, shows: bool) -> int:
    """Return the exit status of a command that failed: one that shows, or one that does something."""
    return (_SHOWING if shows else _DOING)[failure.fault]


def of_status(instances: Iterable[Members], *, stale: bool) -> int:
    """Return 0 where all run, 3 where one does not, 4 where nobody knows: what is stale is no proof of anything."""
    if stale:
        return EXIT_UNKNOWN
    return EXIT_DONE if all(one["status"] == "running" for one in instances) else EXIT_NOT_RUNNING


def of_health(answers: Iterable[Members]) -> int:
    """Return 0 where all are healthy, 3 where one is not, 4 where nobody knows."""
    found = list(answers)
    if any(reason["cause"] == "unknown" for one in found for reason in one["reasons"]):
        return EXIT_UNKNOWN
    return EXIT_DONE if all(one["healthy"] for one in found) else EXIT_NOT_RUNNING


def of_results(results: Iterable[Members]) -> int:
    """Return 0 where all was done, else 1."""
    return EXIT_DONE if all(one["ok"] for one in results) else EXIT_FAILED
