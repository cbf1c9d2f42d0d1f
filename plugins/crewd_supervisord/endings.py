"""How a process ended: from its wait status, and told apart where setpriv failed before the program."""

import os
import signal
from collections.abc import Mapping
from typing import Any

from supervisor.options import decode_wait_status

from crewd.policy.restart import Ending
from crewd_supervisord import proc
from crewd_supervisord.clock import boottime
from crewd_supervisord.instance import Instance

SETPRIV_FAILED = (126, 127)


def ending_of(instance: Instance, status: int) -> Ending:
    """Return the end, now, of the run that the instance's record knows of."""
    code, sign, core = _decode(status)
    begun = instance.record.started_at
    ran = 0.0 if begun is None else max(0.0, boottime() - begun)
    return Ending(code, sign, core, ran, spawn_failed=instance.exec_failed)


def kill_group(pid: int) -> None:
    """Kill what is left of the process group, right after the reap: its number cannot have been used again yet."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def wait_knowing(of_process: Mapping[int, Instance], processes: Mapping[int, Any]) -> tuple[int | None, int | None]:
    """Reap one child; before, tell whether it was setpriv itself that failed, not the program behind it."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None, None
    if found is None:
        return None, None
    instance = of_process.get(id(processes.get(found.si_pid)))
    if instance is not None and instance.entry.setpriv and found.si_status in SETPRIV_FAILED:
        instance.exec_failed = proc.command_name(found.si_pid) == "setpriv"
    pid, status = os.waitpid(found.si_pid, os.WNOHANG)
    return (pid, status) if pid else (None, None)


def _decode(status: int) -> tuple[int | None, int | None, bool]:
    """Return exit code, signal, and whether a core was dumped."""
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status), os.WCOREDUMP(status)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else decode_wait_status(status)[0], None, False
