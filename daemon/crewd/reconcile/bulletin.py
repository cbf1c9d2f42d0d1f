"""Tells whoever listens what happened, as it happens. A listener that misses something is dropped, and told so.

Nobody is ever waited for: what a listener has not taken yet waits in a bounded queue of its own.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from crewd.model.facts import Event

WAITING_MOST = 4096
"""So many events wait for a listener before it is dropped."""


@dataclass(frozen=True, slots=True)
class News:
    """One event that was never seen before, and its line as the journal has it."""

    generation: str
    event: Event
    line: bytes


class Dropped(Exception):  # noqa: N818 - a state of the listener
    """The listener missed what came after what it got: it did not keep up, or nobody was told."""


class Listener:
    """What one of them has still to take."""

    def __init__(self) -> None:
        self._waiting: deque[News] = deque()
        self._more = asyncio.Event()
        self._dropped = False

    def tell(self, news: News) -> None:
        """Let it wait for the listener; for one that is dropped nothing waits."""
        if len(self._waiting) >= WAITING_MOST:
            self.drop()
        if not self._dropped:
            self._waiting.append(news)
            self._more.set()

    def drop(self) -> None:
        """Let nothing wait for it any more but what waits already."""
        self._dropped = True
        self._more.set()

    async def next(self) -> News:
        """Wait for the next event; raises Dropped behind the last that is to be had."""
        while not self._waiting:
            if self._dropped:
                raise Dropped
            self._more.clear()
            await self._more.wait()
        return self._waiting.popleft()

    async def each(self) -> AsyncGenerator[News, None]:
        """Yield every event from now on; raises Dropped."""
        while True:
            yield await self.next()


class Bulletin:
    """One writer, the loop; any number of listeners, on the same event loop."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    @contextmanager
    def listening(self) -> Generator[Listener]:
        """Hear everything from now until the end of the block."""
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def publish(self, news: News) -> None:
        """Tell all listeners."""
        for listener in tuple(self._listeners):
            listener.tell(news)

    def missed(self) -> None:
        """Drop all listeners: something happened that none of them is told."""
        for listener in tuple(self._listeners):
            listener.drop()
