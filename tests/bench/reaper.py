"""Runs the bench under a process that reaps: where PID 1 does not, the dead of a killed supervisor would stay for ever.

1. What is orphaned below the reaper becomes its child and is waited for at once.
2. When the bench is over, however it ended, everything below the reaper is killed: nothing is left behind.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def run_reaped(work: Callable[[], int]) -> int:
    """Run ``work`` in a child, reap whatever ends below, leave nothing behind; return the child's exit code."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    reaper = os.getpid()
    child = os.fork()
    if child == 0:
        _be_the_child(reaper, work)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: _signal(child, got))
    try:
        return _reap_until(child)
    finally:
        _end_all_below()


def _be_the_child(reaper: int, work: Callable[[], int]) -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != reaper:
        os._exit(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(work())


def _reap_until(child: int) -> int:
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _end_all_below() -> None:
    """Kill and reap the children until there is none: each level's orphans become children in turn."""
    while True:
        for pid in _children():
            _signal(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as listing:
        return [int(word) for word in listing.read().split()]


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot prctl")
