"""Long work in a thread, in pieces: the loop gets the interpreter in between, not only after waiting 5 ms for it."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
PIECE = 50
"""So many lines of workers or instances, made anew, take about half a millisecond."""
PAUSE_SEC = 1e-6
"""Enough to be put to sleep: a thread that only lets go of the interpreter takes it again before another wakes up."""


def unhurried(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, and sleep for an instant after every PIECE of them."""
    for count, item in enumerate(items, 1):
        yield item
        if count % PIECE == 0:
            time.sleep(PAUSE_SEC)
