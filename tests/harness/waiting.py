"""Waiting for the world: poll fast, give up loudly, never sleep for good measure."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SEC = 0.01
PATIENCE_SEC = 30.0
"""A machine with more to do than it can lets any process stand still for seconds: whoever waits, waits for longer."""


def wait_for(
    predicate: Callable[[], T], timeout: float = PATIENCE_SEC, what: str | Callable[[], object] = "condition"
) -> T:
    """Return the first true value of ``predicate``; AssertionError with ``what`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() > deadline  # before the look: whoever stood still in between has one more
        value = predicate()
        if value:
            return value
        if late:
            raise AssertionError(f"waited {timeout} s for {what() if callable(what) else what}; last was {value!r}")
        time.sleep(POLL_SEC)


def stays(predicate: Callable[[], object], for_sec: float) -> bool:
    """Return whether ``predicate`` is true the whole time. For what must *not* happen: there is nothing to wait for."""
    deadline = time.monotonic() + for_sec
    while time.monotonic() < deadline:
        if not predicate():
            return False
        time.sleep(POLL_SEC)
    return True
