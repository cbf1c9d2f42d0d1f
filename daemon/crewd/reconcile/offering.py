"""The applier: the file and the workers made over the API, put in force together.

What is known of the database, in words:

- READ: the workers were read for this apply.
- AWAY: they could not be. Where there is a last good rendering nothing is applied, and it stays in force; on a machine
  that never had one there is nothing to lose: the file alone is put in force. Either way it is applied again as soon as
  they can be read.

Rules:

1. What cannot be read is never taken for empty: a worker is not removed because a database is away.
2. Supervision does not wait long: the database has READ_SEC.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from crewd.errors import StoreError
from crewd.model.offer import Offer
from crewd.reconcile.configurations import Configuration, Configurations
from crewd.reconcile.port import Applied, ApplyFailed, ApplyRefused, ApplyResult, Clock, Renderer

READ_SEC = 5.0
AGAIN_SEC = 1.0
AGAIN_MOST_SEC = 15.0

_log: Any = structlog.get_logger("crewd")


@dataclass(slots=True)
class Offering:
    """Implements ``reconcile.port.Applier``. ``rendered``: whether there is a last good rendering."""

    configurations: Configurations
    renderer: Renderer
    rendered: Callable[[], bool]
    clock: Clock
    _missed: asyncio.Event = field(default_factory=asyncio.Event)
    """The last apply could not read them."""

    async def apply(self) -> ApplyResult:
        """Put both in force."""
        try:
            stored = await self._read()
        except StoreError as error:
            return await self._without(f"cannot read the workers made over the API: {error}")
        self._missed.clear()
        result = await self.renderer.apply(offers_of(stored))
        if isinstance(result, ApplyRefused):
            return replace(result, standing=self.rendered())
        return _with_offers(result, stored)

    async def catch_up(self, reload: Callable[[], Awaitable[object]]) -> None:
        """For ever: where they could not be read, try until they can be, and then apply again."""
        while True:
            await self._missed.wait()
            pause = AGAIN_SEC
            while self._missed.is_set():
                await self.clock.sleep(pause)
                pause = min(AGAIN_MOST_SEC, pause * 2)
                try:
                    await self._read()
                except StoreError:
                    continue
                self._missed.clear()
                _log.info("the workers made over the API can be read again; applying")
                await reload()

    async def _read(self) -> tuple[Configuration, ...]:
        try:
            async with asyncio.timeout(READ_SEC):
                return await self.configurations.all()
        except TimeoutError:
            raise StoreError(f"cannot read the database: no answer within {READ_SEC:g} s", retryable=True) from None

    async def _without(self, why: str) -> ApplyResult:
        self._missed.set()
        if self.rendered():
            return ApplyFailed(f"{why}; nothing is applied", standing=True)
        result = await self.renderer.apply(())
        if isinstance(result, Applied):
            return replace(result, warnings=(*result.warnings, f"{why}; they follow"))
        return result


def offers_of(stored: tuple[Configuration, ...]) -> tuple[Offer, ...]:
    """Return them as they are offered to crewd-apply."""
    return tuple(Offer(one.worker_id, one.document) for one in stored)


def _with_offers(result: ApplyResult, stored: tuple[Configuration, ...]) -> ApplyResult:
    return replace(result, offers=offers_of(stored)) if isinstance(result, Applied) else result
