"""The service manager: sd_notify(3) where there is one, silence elsewhere."""

import time
from collections.abc import MutableMapping
from typing import Any, cast

import sdnotify

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
BEATS_PER_WATCHDOG = 3
PATIENCE_SEC = 0.2


class Systemd:
    """Implements ``reconcile.port.ServiceManager``; takes its variables out of ``environ``: no child speaks for us."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._notifier: Any = cast("Any", sdnotify).SystemdNotifier()
        if self._notifier.socket is not None:
            # a manager that does not read must not hold us up; sdnotify swallows what comes of it
            self._notifier.socket.settimeout(PATIENCE_SEC)
        taken = {name: environ.pop(name, "") for name in VARIABLES}
        self.beat_sec = _beat_sec(taken["WATCHDOG_USEC"])
        """How often it wants to hear of us; None where it does not care."""

    def notify(self, *lines: str) -> None:
        """Send one message, ``KEY=value`` each; never fails."""
        if "RELOADING=1" in lines:
            lines = (*lines, f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        self._notifier.notify("\n".join(_latin(line) for line in lines))


def _latin(line: str) -> str:
    """Return the line without line ends of its own and, as sdnotify encodes in Latin-1, in ASCII."""
    return line.replace("\n", " ").encode("ascii", "replace").decode("ascii")


def _beat_sec(watchdog_usec: str) -> float | None:
    return int(watchdog_usec) / 1_000_000 / BEATS_PER_WATCHDOG if watchdog_usec.isdigit() else None
