"""How often somebody may do something: so often within a window that slides. Pure: the time is an argument.

Rules:

1. Memory is bounded: of each client ``limit`` times are kept, and of ``clients`` clients, those that came last.
2. Times come from one monotonic clock.
"""

from collections import OrderedDict, deque


class Limiter:
    """Counts by client: ``limit`` times within ``window_sec``."""

    def __init__(self, limit: int, window_sec: float, clients: int = 10_000) -> None:
        self._limit = limit
        self._window_sec = window_sec
        self._clients = clients
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_sec(self, client: str, now: float) -> float:
        """Return how long the client has to wait until once more is not too often; 0: it need not."""
        times = self._times.get(client)
        if times is None or len(times) < self._limit:
            return 0.0
        return max(0.0, times[0] + self._window_sec - now)

    def count(self, client: str, now: float) -> None:
        """Count once."""
        times = self._times.setdefault(client, deque(maxlen=self._limit))
        times.append(now)
        self._times.move_to_end(client)
        self._forget(now)

    def take(self, client: str, now: float) -> float:
        """Count once where that is not too often, and return 0; else return how long to wait, and count nothing."""
        wait = self.wait_sec(client, now)
        if not wait:
            self.count(client, now)
        return wait

    def _forget(self, now: float) -> None:
        """Let go of those who have not come for a window, and of those beyond ``clients``."""
        while self._times:
            client, times = next(iter(self._times.items()))
            if len(self._times) <= self._clients and times[-1] + self._window_sec > now:
                return
            del self._times[client]
