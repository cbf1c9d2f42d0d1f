"""The engine's clock. What waits or measures uses the boot clock: it never jumps, and it runs during suspend."""

import time

JUMP_SEC = 0.2
_BOOT = time.CLOCK_BOOTTIME
_QUICK_SEC = 0.001


def boottime() -> float:
    """Return the seconds since boot."""
    return time.clock_gettime(_BOOT)


class WallClock:
    """Notices when the wall clock was set."""

    def __init__(self) -> None:
        self._ahead = _wall_ahead()

    def jump(self) -> float:
        """Return by how many seconds it was set since the last call; 0 for what may be slewing."""
        ahead = _wall_ahead()
        by_sec, self._ahead = ahead - self._ahead, ahead
        return by_sec if abs(by_sec) > JUMP_SEC else 0.0


def _wall_ahead() -> float:
    """Return wall clock minus boot clock; read again if something came between the two."""
    ahead = 0.0
    for _ in range(5):
        before = boottime()
        ahead = time.time() - before
        if boottime() - before < _QUICK_SEC:
            break
    return ahead


def boot_id() -> str:
    """Return the kernel's name for this boot; empty where /proc does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
