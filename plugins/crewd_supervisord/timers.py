"""Timers on the boot clock: a heap, and at most one live timer for each instance (its states exclude each other)."""

import heapq
from enum import Enum

from crewd_supervisord.instance import Instance

HEAP_LEAST = 1024
"""The heap is cleared of void timers when it has grown to twice the live ones, and to this at least."""


class Alarm(Enum):
    """What is due."""

    SUCCESS = "success"
    """The process has run ``start_success_sec``."""
    KILL = "kill"
    """The stop has taken ``timeout_stop_sec``."""
    START = "start"
    """The restart delay is over."""


class Timers:
    """The heap. A timer that was replaced or cancelled stays in it, void, until its time comes."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Instance, Alarm]] = []
        self._number = 0
        self._most = HEAP_LEAST

    def set(self, instance: Instance, at: float, alarm: Alarm) -> None:
        """Replace the instance's timer."""
        self._number += 1
        instance.timer = self._number
        heapq.heappush(self._heap, (at, self._number, instance, alarm))
        if len(self._heap) > self._most:
            self._heap = [entry for entry in self._heap if entry[1] == entry[2].timer]
            heapq.heapify(self._heap)
            self._most = max(HEAP_LEAST, 2 * len(self._heap))

    @staticmethod
    def cancel(instance: Instance) -> None:
        """Make the instance's timer void."""
        instance.timer = 0

    def next_at(self) -> float | None:
        """Return when the first live timer is due."""
        heap = self._heap
        while heap and heap[0][1] != heap[0][2].timer:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop(self, now: float) -> tuple[float, Instance, Alarm] | None:
        """Remove and return one timer that is due, or None."""
        at = self.next_at()
        if at is None or at > now:
            return None
        _, _, instance, alarm = heapq.heappop(self._heap)
        instance.timer = 0
        return at, instance, alarm
