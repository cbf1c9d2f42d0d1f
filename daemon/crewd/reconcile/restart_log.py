"""Manual restarts on their way into the database: at once where it can be had, later where not.

Where one is, in words:

- BEING STORED: whoever restarts waits for it, STORE_SEC at most.
- WAITING: the database could not be used. It is tried again until it is stored; beyond WAITING_MOST the oldest are
  dropped, aloud. They wait in memory: the daemon's end loses them, and its log has had each of them.
- STORED: the totals say so, too.
"""

import asyncio
from collections import deque
from typing import Any

import structlog

from crewd.errors import StoreError
from crewd.reconcile.port import Clock
from crewd.reconcile.restart_events import ManualRestart, RestartEvents
from crewd.reconcile.totals import Totals

STORE_SEC = 3.0
AGAIN_SEC = 5.0
WAITING_MOST = 1000

_log: Any = structlog.get_logger("crewd")


class RestartLog:
    """One writer of all manual restarts, and of the totals that they add to."""

    def __init__(self, events: RestartEvents, totals: Totals, clock: Clock) -> None:
        self._events = events
        self._totals = totals
        self._clock = clock
        self._waiting: deque[ManualRestart] = deque()
        self._some_wait = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many wait for the database."""
        return len(self._waiting)

    async def store(self, restart: ManualRestart) -> str:
        """Store it; return "" or, where it waits from now on, why."""
        try:
            async with asyncio.timeout(STORE_SEC):
                await self._store(restart)
        except StoreError as error:
            return str(error)
        except TimeoutError:
            return f"cannot store the restart: the database did not answer within {STORE_SEC:g} s"
        return ""

    def keep(self, restart: ManualRestart) -> None:
        """Let it wait for the database."""
        if len(self._waiting) >= WAITING_MOST:
            dropped = self._waiting.popleft()
            _log.error("a manual restart is dropped: too many wait", worker=dropped.worker_id, id=dropped.restart_id)
        self._waiting.append(restart)
        self._some_wait.set()

    async def run(self) -> None:
        """Store what waits, for ever."""
        while True:
            await self._some_wait.wait()
            await self._clock.sleep(AGAIN_SEC)
            await self._drain()

    async def _drain(self) -> None:
        while self._waiting:
            restart = self._waiting[0]
            try:
                await self._store(restart)
            except StoreError:
                return
            if self._waiting and self._waiting[0] is restart:
                self._waiting.popleft()
            _log.info("a manual restart that waited is stored", worker=restart.worker_id, id=restart.restart_id)
        self._some_wait.clear()

    async def _store(self, restart: ManualRestart) -> None:
        amounts = await self._events.add(restart)
        self._totals.put(amounts)
