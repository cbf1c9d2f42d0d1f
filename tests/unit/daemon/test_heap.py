"""When the daemon gives memory back: after work, when it rests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crewd.app.heap import LOOK_SEC, MOST_SEC, tidy_for_ever
from crewd.testing import FakeClock

RESTING, WORKING = 0.0625, 0.25
"""Seconds of processor time within a second."""


class Process:
    """What it has used, and how often it gave back."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.used_sec = 5.0
        self.given = 0

    def give(self) -> None:
        self.given += 1

    async def second(self, used_sec: float) -> int:
        """Let a second pass in which so much is used; return how often it gave back in it."""
        before = self.given
        self.used_sec += used_sec
        self.clock.advance(LOOK_SEC)
        for _ in range(3):
            await asyncio.sleep(0)
        return self.given - before


@asynccontextmanager
async def tidied() -> AsyncIterator[Process]:
    process = Process()
    task = asyncio.create_task(tidy_for_ever(process.clock, process.give, lambda: process.used_sec))
    await asyncio.sleep(0)
    yield process
    task.cancel()


async def test_memory_is_given_back_once_when_work_is_done() -> None:
    """Not while it goes on, and not again while nothing more was done."""
    async with tidied() as process:
        busy = [await process.second(WORKING) for _ in range(3)]
        rest = [await process.second(RESTING) for _ in range(3)]

    assert (busy, rest) == ([0, 0, 0], [1, 0, 0])


async def test_rest_alone_gives_back_when_it_has_come_to_something() -> None:
    """Small things add up: a sampling here, a scrape there."""
    async with tidied() as process:
        looks = [await process.second(RESTING) for _ in range(9)]

    assert looks == [0, 0, 0, 1, 0, 0, 0, 1, 0]


async def test_a_process_that_never_rests_gives_back_now_and_then() -> None:
    """Somebody who scrapes without a pause does not keep it from that."""
    async with tidied() as process:
        looks = [await process.second(WORKING) for _ in range(round(2.5 * MOST_SEC / LOOK_SEC))]

    assert sum(looks) == 2
