"""Whether the event loop is free."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

TICK_SEC = 0.01


@contextlib.asynccontextmanager
async def free_loop(most_sec: float = 0.3) -> AsyncGenerator[None]:
    """Check that the event loop never stands still for longer meanwhile."""
    gaps = [0.0]

    async def tick() -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(TICK_SEC)
            gaps.append(time.monotonic() - begun)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
    assert max(gaps) < most_sec
