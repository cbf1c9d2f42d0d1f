"""What runs beside the loop is kept running, and never in its way."""

import asyncio

from structlog.testing import capture_logs

from crewd.app.companions import AGAIN_SEC, STEADY_SEC, companions
from crewd.testing import FakeClock


async def settle() -> None:
    """Let all tasks do what they can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_that_fails_is_begun_again_ever_more_slowly() -> None:
    """And says so each time."""
    clock, begun = FakeClock(), []

    async def part() -> None:
        begun.append(clock.now)
        raise RuntimeError("boom")

    with capture_logs() as logs:
        async with companions({"part": part}, clock):
            for _ in range(7):
                await settle()
                clock.advance(AGAIN_SEC)
            await settle()

    assert [at - begun[0] for at in begun] == [0.0, 1.0, 3.0, 7.0]
    assert all("boom" in line["error"] and line["part"] == "part" for line in logs)


async def test_one_that_was_steady_is_begun_again_soon() -> None:
    """Old failures are forgotten."""
    clock, begun = FakeClock(), []
    fail = asyncio.Event()

    async def part() -> None:
        begun.append(clock.now)
        await fail.wait()
        raise RuntimeError("boom")

    with capture_logs():
        async with companions({"part": part}, clock):
            for _ in range(3):
                await settle()
                clock.advance(STEADY_SEC)
                fail.set()
                await settle()
                fail.clear()
                clock.advance(AGAIN_SEC)
            await settle()

    assert len(begun) == 4


async def test_all_end_with_the_block() -> None:
    """None is left behind."""
    ended = []

    async def part() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with companions({"one": part, "two": part}, FakeClock()):
        await settle()

    assert ended == [True, True]
