"""Whether the event loop is free."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator

TICK_SEC = 0.01


@contextlib.asynccontextmanager
async def free_loop(most: int = 80) -> AsyncGenerator[None]:
    """Check that the event loop never stands still while another thread ticks so often.

    Not by the clock: on a busy machine the whole process stands still now and then, and so do both.
    """
    ticks, over = 0, threading.Event()
    gaps = [0]

    def tick_beside() -> None:
        nonlocal ticks
        while not over.is_set():
            time.sleep(TICK_SEC)
            ticks += 1

    async def tick() -> None:
        while True:
            begun = ticks
            await asyncio.sleep(TICK_SEC)
            gaps.append(ticks - begun)

    beside = threading.Thread(target=tick_beside)
    beside.start()
    ticking = asyncio.create_task(tick())
    try:
        yield
        await asyncio.sleep(2 * TICK_SEC)  # the last gap is one, too
    finally:
        ticking.cancel()
        over.set()
        beside.join()
    assert max(gaps) < most
