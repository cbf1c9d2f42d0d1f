"""``GET /events?follow=true``: first what is stored, then what happens, each event once and none left out.

How the two fit together: listening begins first, then the store is read once the recorder is where the picture was at
that moment; whatever the store had is passed over when it comes again.

Rules:

1. Nobody is waited for: a reader that does not keep up gets ``event: dropped`` and the end, and may resume. So does a
   resumed one where the recorder is too far behind.
2. Without the store, or with a recorder that is too far behind, there is no past: a stream that only wants what happens
   goes on and says so; one that resumes is refused where the store cannot be read.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from crewd.api.events import Wanted, live_message, stored_message
from crewd.api.ports import Ports
from crewd.errors import StoreError
from crewd.reconcile.bulletin import Dropped, Listener
from crewd.reconcile.port import BEGINNING, Position
from crewd.reconcile.storage import StoredEvent

KEEPALIVE_SEC = 15.0
KEEPALIVE = b": keepalive\n\n"
RECORDED_SEC = 2.0
"""So long the recorder may take to come where the picture is."""
LOOK_SEC = 0.01
PAGE = 1000
ELSEWHERE = b": there is no such place in this journal: what happens from now on\n\n"
DROPPED = b'event: dropped\ndata: {"message": "what comes next cannot be told here: resume later"}\n\n'


@dataclass(frozen=True, slots=True)
class Begin:
    """Where a stream begins: with the newest ``limit`` events, or behind ``after``."""

    limit: int = 0
    after: Position | None = None


class EventStream:
    """One reader. ``keepalive_sec``: how long it may be silent."""

    def __init__(self, ports: Ports, wanted: Wanted, keepalive_sec: float = KEEPALIVE_SEC) -> None:
        self._ports = ports
        self._wanted = wanted
        self._keepalive_sec = keepalive_sec
        self._place = BEGINNING
        """Of the last event that was read of the store."""
        self._began = BEGINNING
        """Behind which a resumed stream begins."""
        self._last_id: int | None = None

    async def messages(self, begin: Begin) -> AsyncGenerator[bytes, None]:
        """Yield messages, for ever; raises StoreError, at the first step only, where it cannot be resumed."""
        missed = () if begin.after is None else await self._resumed(begin.after)
        yield b": events\n\n"
        try:
            async for text in self._past(missed):
                yield text
            with self._ports.bulletin.listening() as listener:
                async for text in self._newest(begin.limit) if begin.after is None else self._rest():
                    yield text
                if self._elsewhere():
                    yield ELSEWHERE
                async for text in self._live(listener):
                    yield text
        except Dropped:
            yield DROPPED
        except StoreError:
            if begin.after is not None:
                yield DROPPED

    async def _past(self, missed: tuple[StoredEvent, ...]) -> AsyncGenerator[bytes, None]:
        """What was missed, page by page until one is not full.

        At first nothing is listened to meanwhile, for it might be too much.
        """
        while missed:
            for one in missed:
                yield stored_message(one)
            missed = await self._page() if len(missed) == PAGE else ()

    async def _rest(self) -> AsyncGenerator[bytes, None]:
        """Yield what was stored meanwhile, to its end; raises Dropped where that is not all that happened."""
        recorded = await self._recorded()
        async for text in self._past(await self._page()):
            yield text
        if not recorded:
            raise Dropped

    async def _newest(self, limit: int) -> AsyncGenerator[bytes, None]:
        """Yield the newest events; a comment where there would be a gap between them and what happens."""
        if not limit:
            return
        try:
            if not await self._recorded():
                raise StoreError("cannot read the newest events: they are not stored yet")
            found = self._noted(await self._ports.store.events(self._wanted.query(limit=limit)))
        except StoreError as error:
            yield b": no past: " + str(error).replace("\n", " ").encode("utf-8", "replace") + b"\n\n"
            return
        for one in found:
            yield stored_message(one)

    async def _live(self, listener: Listener) -> AsyncGenerator[bytes, None]:
        while True:
            try:
                async with asyncio.timeout(self._keepalive_sec):
                    news = await listener.next()
            except TimeoutError:
                yield KEEPALIVE
                continue
            fresh = Position(news.generation, news.event.sequence) > self._place
            if fresh and self._wanted.holds(news):
                yield live_message(news)

    def _elsewhere(self) -> bool:
        """Go on from here where the place is none of this journal's: else nothing would ever lie behind it."""
        view = self._ports.view
        here = max(Position(view.crew.generation, view.crew.sequence), view.recorder.recorded.position)
        if BEGINNING < here < self._place:
            self._place = here
            return True
        return False

    async def _recorded(self) -> bool:
        """Wait, not for long, until what lies between the place and the picture of now is stored; return whether it is.

        Also where nothing lies between them.
        """
        crew, recorded = self._ports.view.crew, self._ports.view.recorder.recorded
        here = Position(crew.generation, crew.sequence)
        for _ in range(int(RECORDED_SEC / LOOK_SEC)):
            if max(recorded.position, self._place) >= here:
                return True
            if recorded.trouble:
                return False
            await asyncio.sleep(LOOK_SEC)
        return False

    async def _resumed(self, place: Position) -> tuple[StoredEvent, ...]:
        """Return the first of what lies behind the place, and begin there."""
        self._place = self._began = place
        return await self._page()

    async def _page(self) -> tuple[StoredEvent, ...]:
        """Return what comes next, behind the last that was given."""
        begin = {"behind": self._began} if self._last_id is None else {"after_id": self._last_id}
        return self._noted(await self._ports.store.events(self._wanted.query(**begin, limit=PAGE)))

    def _noted(self, found: tuple[StoredEvent, ...]) -> tuple[StoredEvent, ...]:
        if found:
            last = found[-1]
            self._last_id, self._place = last.id, Position(last.row.generation, last.row.sequence)
        return found
