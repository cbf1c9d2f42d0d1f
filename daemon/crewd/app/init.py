"""PID 1 of a container: ``crewd run`` forks, PID 1 reaps and passes signals on, and the daemon is its child.

Rules:

1. The daemon is a process of its own, so nothing that PID 1 waits for is a child that the daemon waits for.
2. PID 1 forks before any part is imported: it holds nothing, opens nothing, and costs little.
3. PASSED_ON goes to the daemon. Every other signal is left to the kernel, which lets none of them do anything to PID 1.
4. It ends with the daemon, as the daemon ended; what is left in the container then is killed by the kernel.
"""

import os
import signal
import sys

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SIGNALLED = 128
"""Added to the number of the signal that ended the daemon, as a shell does it."""

_WAITED_FOR = frozenset({*PASSED_ON, signal.SIGCHLD})


def needed() -> bool:
    """Return whether this process is PID 1."""
    return os.getpid() == 1


def fork() -> None:
    """Return in the child, which is to be the daemon; in this process, exit as that did."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    daemon = os.fork()
    if daemon != 0:
        sys.exit(_stay(daemon))
    os.setsid()  # a terminal's Ctrl-C reaches PID 1 alone, which passes it on: once
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED_FOR)


def _stay(daemon: int) -> int:
    """Reap and pass on until the daemon has ended; return the exit status."""
    while True:
        number = signal.sigwait(_WAITED_FOR)
        if number != signal.SIGCHLD:
            os.kill(daemon, number)
        elif (ended := _reap().get(daemon)) is not None:
            return ended if ended >= 0 else SIGNALLED - ended


def _reap() -> dict[int, int]:
    """Take note of all that have ended; one signal may stand for many. Return how, by pid."""
    ended: dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return ended
            ended[pid] = os.waitstatus_to_exitcode(status)
    except ChildProcessError:
        return ended
