"""Workers that outlived a supervisord which had to be killed while the daemon itself ends: nobody else will come.

Otherwise leftovers are the engine's business. A process is named by pid *and* start time, held by a pidfd while it is
looked at, and killed with its process group, which supervisord made for it.
"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path


class LeftoverReaper:
    """Implements ``reconcile.port.Reaper``."""

    def end(self, left: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
        """Kill these, by instance: pid and start time in ticks. Return the instances that were still alive."""
        return tuple(instance for instance, (pid, ticks) in left.items() if _kill(pid, ticks))


def _kill(pid: int, start_ticks: int) -> bool:
    try:
        held = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if _start_ticks(pid) != start_ticks:
            return False
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        signal.pidfd_send_signal(held, signal.SIGKILL)
    except (OSError, ValueError):
        return False
    finally:
        os.close(held)
    return True


def _start_ticks(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return int(stat[stat.rindex(b")") + 2 :].split()[19])
