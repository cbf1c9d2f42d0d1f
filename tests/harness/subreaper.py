"""The nursery's own process, run as a bare script: adopts every orphan below it and reaps it.

JSON lines: ``{"argv", "env", "cwd", "output"}`` come down; ``{"pid"}`` and ``{"ended", "status"}`` go up.
When its standard input ends - the test closed it, or died - it kills all that is left and goes.
"""

import ctypes
import json
import os
import selectors
import signal
import subprocess
from typing import Any

from processes import below  # type: ignore[import-not-found]

PR_SET_CHILD_SUBREAPER = 36


def answer(**members: int) -> None:
    """Tell the test; it may be gone."""
    try:
        print(json.dumps(members), flush=True)
    except BrokenPipeError:
        pass


def start(order: dict[str, Any]) -> None:
    """Start what was ordered, in its own session."""
    with open(order["output"], "ab") as output:
        child = subprocess.Popen(
            order["argv"],
            env=order["env"],
            cwd=order["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    child.returncode = 0  # reaped by reap(), never by subprocess
    answer(pid=child.pid)


def reap() -> None:
    """Take every child that ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        answer(ended=pid, status=status)


def kill_all() -> None:
    """Until there is no child: whoever dies leaves its children to us."""
    while True:
        for one in below(os.getpid()):
            try:
                os.kill(one.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def serve() -> None:
    """Start and reap until the input ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    bell, ringer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
    ears = selectors.DefaultSelector()
    ears.register(bell, selectors.EVENT_READ)
    ears.register(0, selectors.EVENT_READ)
    pending = b""
    while True:
        for key, _ in ears.select():
            data = os.read(key.fd, 65536)
            if key.fd == bell:
                continue
            if not data:
                kill_all()
                return
            *orders, pending = (pending + data).split(b"\n")
            for order in orders:
                start(json.loads(order))
        reap()


if __name__ == "__main__":
    serve()
