"""When it is looked at what the instances use: as often as the configuration says, and sooner while somebody watches.

Rules:

1. One pass at a time, in a thread; however many watch, they share it.
2. No pass begins sooner than LEAST_SEC after the last one: a share of the processor over less says nothing.
3. Nobody is kept waiting for longer than PATIENCE_SEC: an old figure is better than none.
"""

import asyncio

from crewd.model.spec import DaemonSpec
from crewd.reconcile.port import Clock, Sampler
from crewd.reconcile.view import View

LEAST_SEC = 1.0
PATIENCE_SEC = 2.0


class Sampling:
    """Looks again and again. The one writer of ``view.usages``."""

    def __init__(self, view: View, sampler: Sampler, clock: Clock) -> None:
        self._view = view
        self._sampler = sampler
        self._clock = clock
        self._wanted = asyncio.Event()
        self._looked = asyncio.Event()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self._look()
            self._wanted.clear()
            await self._pause()

    async def fresh(self, within_sec: float) -> None:
        """Come back when what is known is no older than that; LEAST_SEC where less is asked for."""
        at = self._view.usages.at
        if at is not None and 0 <= self._clock.time() - at < max(LEAST_SEC, within_sec):
            return
        looked = self._looked
        self._wanted.set()
        try:
            async with asyncio.timeout(PATIENCE_SEC):
                await looked.wait()
        except TimeoutError:
            pass

    async def _look(self) -> None:
        usages, begun = self._view.usages, self._clock.monotonic()
        used = await asyncio.to_thread(self._sampler.sample, self._view.crew.running())
        usages.of, usages.at = used, self._clock.time()
        usages.took_sec = self._clock.monotonic() - begun
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    async def _pause(self) -> None:
        """Wait until the next pass is due, or wanted."""
        spec = self._view.spec
        interval_sec = (spec.daemon if spec else DaemonSpec()).sample_interval_sec
        due_at = self._clock.monotonic() + interval_sec
        await self._clock.sleep(min(LEAST_SEC, interval_sec))
        due = asyncio.ensure_future(self._clock.sleep(max(0.0, due_at - self._clock.monotonic())))
        wanted = asyncio.ensure_future(self._wanted.wait())
        try:
            await asyncio.wait((due, wanted), return_when=asyncio.FIRST_COMPLETED)
        finally:
            due.cancel()
            wanted.cancel()
