"""One rendering for the whole of a start: no apply comes between reading the configuration and reading the table.

crewd-apply holds ``apply.lock`` exclusively; a supervisord that starts holds it shared, from before its configuration
is parsed until the engine has the policy table beside it. The kernel lets go of it with the process. An apply that
takes longer than PATIENCE_SEC, and a configuration that is not crewd's, is not waited for.
"""

import fcntl
import os
import time
from collections.abc import Sequence
from itertools import pairwise

LOCK = "apply.lock"
PATIENCE_SEC = 10.0
_POLL_SEC = 0.01

_held = -1


def hold(arguments: Sequence[str]) -> None:
    """Hold the lock of the engine directory that the ``-c`` of supervisord's arguments points into."""
    global _held
    directory = _directory(arguments)
    if not directory or _held >= 0:
        return
    try:
        lock = os.open(f"{directory}/{LOCK}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # nothing was ever applied there
    deadline = time.monotonic() + PATIENCE_SEC
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_POLL_SEC)
        else:
            _held = lock
            return
    os.close(lock)


def release() -> None:
    """Let the next apply come."""
    global _held
    if _held >= 0:
        os.close(_held)
        _held = -1


def nothing_in_force(arguments: Sequence[str]) -> str:
    """Return the configuration of crewd's that supervisord is to read and that is not there; empty where it is."""
    directory = _directory(arguments)
    conf = f"{directory}/current/supervisord.conf"
    return conf if directory and not os.path.exists(conf) else ""


def _directory(arguments: Sequence[str]) -> str:
    """Return ``D`` of ``-c D/current/supervisord.conf``; empty for anything else."""
    for option, value in pairwise(arguments):
        folder = os.path.dirname(value)
        if option in ("-c", "--configuration") and os.path.basename(folder) == "current":
            return os.path.dirname(folder)
    return ""
