"""Memory that was freed goes back to the system.

What a start leaves behind (a thousand parsed sections, a table, a snapshot) and what long answers leave is free, but in
pieces between what stays, and the C library keeps it: some 2 MiB with a thousand workers. It is asked for it after the
start and after each busy time. Where the C library has no such call, nothing is done.
"""

import ctypes
import gc
from collections.abc import Callable

CALM, BUSY = 100, 200
"""Journal lines within a second below which it is calm; lines since the last time from which on it is worth it."""


def collect() -> None:
    """Let go of what parsing left behind, and at a reload of the old supervisord."""
    gc.unfreeze()
    gc.collect()


def collect_new() -> None:
    """Let go of what parsing left behind while workers run: what was there before is not looked at again."""
    gc.collect()
    gc.freeze()


def calm_the_collector() -> None:
    """What was made so far stays, and collections are rare."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def _trim() -> Callable[[int], object]:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return lambda _pad: None


_malloc_trim = _trim()


class Tidy:
    """Gives back once things are calm after a busy time; asked once a second."""

    def __init__(self) -> None:
        self._seen = 0
        self._given = 0

    def look(self, sequence: int) -> None:
        """Take note how many lines the journal has by now: what happens is what uses memory."""
        calm = sequence - self._seen < CALM
        self._seen = sequence
        if calm and sequence - self._given >= BUSY:
            self._given = sequence
            _malloc_trim(0)
