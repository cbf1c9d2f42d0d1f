"""When it is looked at what the instances use: every interval, and sooner for whoever watches."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from crewd.model.spec import DaemonSpec
from crewd.reconcile import sampling
from crewd.reconcile.port import Usage
from crewd.reconcile.sampling import LEAST_SEC, Sampling
from crewd.testing import FakeClock
from harness.api import until
from harness.views import shown

INTERVAL_SEC = DaemonSpec().sample_interval_sec


@dataclass
class Passes:
    """Implements ``reconcile.port.Sampler``: counts, and waits where it is held."""

    count: int = 0
    held: threading.Event = field(default_factory=threading.Event)

    def sample(self, running: Mapping[str, tuple[int, int]]) -> Mapping[str, Usage]:
        """Return figures that tell which pass they are of."""
        self.held.wait(10)
        self.count += 1
        return {"web-0": Usage(self.count, 0.5, 4096, None, None, 1)}


class Watched:
    """A sampling that runs, on a clock of its own."""

    def __init__(self) -> None:
        self.clock, self.passes, self.view = FakeClock(), Passes(), shown({}).view
        self.passes.held.set()
        self.sampling = Sampling(self.view, self.passes, self.clock)

    async def advance(self, seconds: float) -> None:
        """Move the clock, and let what follows happen."""
        self.clock.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)


@asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    """After its first pass."""
    made = Watched()
    running = asyncio.create_task(made.sampling.run())
    await until(lambda: made.view.usages.at is not None)
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_is_looked_at_every_interval() -> None:
    """And not more often while nobody watches."""
    async with watched() as one:
        await one.advance(INTERVAL_SEC - 0.5)
        assert one.passes.count == 1
        await one.advance(0.5)
        await until(lambda: one.passes.count == 2)

        assert one.view.usages.at == one.clock.time()


async def test_who_watches_sees_what_is_no_older_than_asked_for() -> None:
    """What is young enough is given at once; else there is a pass, that all share who want one."""
    async with watched() as one:
        await one.advance(3)
        await one.sampling.fresh(5)
        assert one.passes.count == 1

        await asyncio.gather(*(one.sampling.fresh(2) for _ in range(50)))
        assert one.passes.count == 2
        assert one.view.usages.at == one.clock.time()


async def test_no_two_passes_are_closer_than_a_second() -> None:
    """However little is asked for."""
    async with watched() as one:
        await one.advance(LEAST_SEC / 2)
        await one.sampling.fresh(0)
        assert one.passes.count == 1

        await one.advance(LEAST_SEC / 2)
        await one.sampling.fresh(0)
        assert one.passes.count == 2
        waiting = asyncio.create_task(one.sampling.fresh(0))
        await one.advance(LEAST_SEC / 2)
        assert waiting.done()
        assert one.passes.count == 2


async def test_who_asks_during_a_pass_gets_that_one() -> None:
    """And causes none of its own."""
    async with watched() as one:
        await one.advance(5)
        one.passes.held.clear()
        asking = [asyncio.create_task(one.sampling.fresh(1)) for _ in range(2)]
        await one.advance(0)
        asking.append(asyncio.create_task(one.sampling.fresh(1)))
        await one.advance(0)
        one.passes.held.set()
        await asyncio.gather(*asking)
        await one.advance(LEAST_SEC)

        assert one.passes.count == 2


async def test_nobody_waits_for_a_pass_that_takes_too_long(monkeypatch) -> None:
    """An old figure is better than none."""
    monkeypatch.setattr(sampling, "PATIENCE_SEC", 0.05)
    async with watched() as one:
        await one.advance(5)
        one.passes.held.clear()
        await one.sampling.fresh(1)
        assert one.passes.count == 1
        one.passes.held.set()
