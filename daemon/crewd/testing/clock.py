"""Time that moves only when a test says so."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count


class FakeClock:
    """Implements ``reconcile.port.Clock``, and timers for other fakes."""

    def __init__(self, now: float = 1000.0, wall: float = 1_800_000_000.0) -> None:
        self.now = now
        self._wall_at_zero = wall - now
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()

    @property
    def wall(self) -> float:
        """Unix seconds."""
        return self._wall_at_zero + self.now

    def time(self) -> float:
        """Return unix seconds."""
        return self.wall

    def monotonic(self) -> float:
        """Return seconds since some fixed point."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Come back when the test has moved the clock that far; at once for 0."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        over = asyncio.get_running_loop().create_future()
        self.call_at(self.now + seconds, lambda: over.done() or over.set_result(None))
        await over

    def call_at(self, when: float, callback: Callable[[], object]) -> None:
        """Call back when the clock is there."""
        heapq.heappush(self._timers, (when, next(self._order), callback))

    def set_back(self, seconds: float) -> None:
        """Have it show an earlier time of day; what waits is not concerned."""
        self._wall_at_zero -= seconds

    def advance(self, seconds: float) -> None:
        """Move the clock, and call whoever is due, each at its own time."""
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            when, _, callback = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            callback()
        self.now = until
