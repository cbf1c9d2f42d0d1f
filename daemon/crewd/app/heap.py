"""The C library's memory: what is free goes back to the system.

By itself glibc gives every thread an arena of its own, and what a thread freed there, as when it read the configuration
of a thousand workers, is then nobody else's. And it keeps what is free between what is not: after each busy time it is
asked for it. Where the C library has no such calls, nothing is done.
"""

import ctypes
import time
from collections.abc import Callable

from crewd.reconcile.port import Clock

_M_ARENA_MAX = -8
LOOK_SEC = 1.0
BUSY_SEC = 0.2
"""So much processor time since it was given back last is worth another time."""
CALM_SHARE = 0.1
"""Less than this share of a core since the last look is calm."""
MOST_SEC = 60.0
"""So long it waits for calm."""


def share() -> None:
    """Have all threads take from one arena. To be called while there is one thread."""
    _call("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the system what is free."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    try:
        getattr(ctypes.CDLL(None), name)(*arguments)
    except (OSError, AttributeError):
        return


async def tidy_for_ever(
    clock: Clock, give: Callable[[], None] = give_back, used_sec: Callable[[], float] = time.process_time
) -> None:
    """Give back whenever the process has worked and rests again: what works is what uses memory."""
    given_at, given, seen = clock.monotonic(), used_sec(), used_sec()
    while True:
        await clock.sleep(LOOK_SEC)
        now, used = clock.monotonic(), used_sec()
        calm = used - seen < CALM_SHARE * LOOK_SEC or now - given_at >= MOST_SEC
        if used - given < BUSY_SEC:
            given_at = now
        elif calm:
            give()
            given_at, given = now, used_sec()
        seen = used
