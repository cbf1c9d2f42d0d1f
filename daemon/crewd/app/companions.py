"""What runs beside the loop: the recorder, the sampler, the servers. Supervision does not depend on any of them.

One that fails says so and is begun again, after a while; none of them ends the daemon.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from crewd.reconcile.port import Clock

AGAIN_SEC = 1.0
AGAIN_MOST_SEC = 60.0
STEADY_SEC = 60.0
END_SEC = 5.0
"""So long they may take to end, all together."""

_log: Any = structlog.get_logger("crewd")


@asynccontextmanager
async def companions(parts: Mapping[str, Callable[[], Awaitable[None]]], clock: Clock) -> AsyncGenerator[None]:
    """Let these run, by name, for the time of the block."""
    tasks = [asyncio.create_task(_run(name, part, clock), name=name) for name, part in parts.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=END_SEC) if tasks else None


async def _run(name: str, part: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run it for ever; one that fails again and again is begun ever more slowly."""
    pause = AGAIN_SEC
    while True:
        begun = clock.monotonic()
        try:
            await part()
            _log.error("a part of the daemon ended", part=name, again_sec=pause)
        except Exception as error:  # noqa: BLE001 - whatever it is, supervision goes on
            _log.error("a part of the daemon failed", part=name, error=repr(error), again_sec=pause, exc_info=error)
        steady = clock.monotonic() - begun >= STEADY_SEC
        pause = AGAIN_SEC if steady else pause
        await clock.sleep(pause)
        pause = min(AGAIN_MOST_SEC, pause * 2)
