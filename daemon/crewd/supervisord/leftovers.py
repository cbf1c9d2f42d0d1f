"""Workers that outlived a supervisord which had to be killed while the daemon itself ends: nobody else will come.

Otherwise leftovers are the engine's business. A process is named by pid *and* start time, or by the token in its
environment, held by a pidfd while it is looked at, and killed with its process group, which supervisord made for it.
"""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

_SPAWN = b"CREWD_SPAWN="


class LeftoverReaper:
    """Implements ``reconcile.port.Reaper``."""

    def end(self, left: Mapping[str, tuple[int, int]], tokens: Mapping[str, str]) -> tuple[str, ...]:
        """Kill these; return the instances that were still alive."""
        known = [instance for instance, (pid, ticks) in left.items() if _kill(pid, _start_ticks, ticks)]
        found = [(pid, token) for pid in _pids() if (token := _token(pid)) in tokens] if tokens else []
        return (*known, *(tokens[token] for pid, token in found if _kill(pid, _token, token)))


def _kill(pid: int, mark: Callable[[int], object], wanted: object) -> bool:
    """Kill the process if it bears the mark that is wanted, once it is held and cannot become another."""
    try:
        held = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if mark(pid) != wanted:
            return False
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        signal.pidfd_send_signal(held, signal.SIGKILL)
    except (OSError, ValueError):
        return False
    finally:
        os.close(held)
    return True


def _pids() -> list[int]:
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]


def _token(pid: int) -> str:
    """Return the CREWD_SPAWN that the process was started with; empty where it has none or may not be read."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    found = [one for one in environment.split(b"\0") if one.startswith(_SPAWN)]
    return found[0].removeprefix(_SPAWN).decode(errors="replace") if found else ""


def _start_ticks(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return int(stat[stat.rindex(b")") + 2 :].split()[19])
