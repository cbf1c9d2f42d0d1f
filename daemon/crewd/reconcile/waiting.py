"""Waiting until the instances of one command came where it was to bring them, or time is up.

Rules:

1. The bulletin tells; nothing is asked of supervisord while waiting.
2. The last word, when time is up or lines were missed, is the picture's.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from crewd.reconcile.awaiting import Awaited, Miss, Outcome
from crewd.reconcile.bulletin import Dropped, Listener, News
from crewd.reconcile.crew import Crew, instance_of

LOOK_SEC = 0.1
"""How often the picture is looked at where the bulletin dropped us."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of all are where they were to come, or cannot come there any more."""

    done: int
    of: int


class Waiting:
    """What is awaited of each instance, and what it came to. ``outcomes`` has all of them once ``steps`` ended."""

    def __init__(self, crew: Crew, awaited: Mapping[str, Awaited]) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.timed_out = False
        self._crew = crew
        self._open = dict(awaited)
        self._of = len(awaited)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(len(self.outcomes), self._of)

    def look(self, *names: str) -> None:
        """Judge these by the picture."""
        for name in names:
            self._decided(name, self._open[name].judged(self._crew.records.get(name)))

    async def steps(self, listener: Listener, until: float) -> AsyncGenerator[Progress, None]:
        """Yield how far it is whenever that changed. ``until`` is of the event loop's clock."""
        while self._open:
            before = len(self.outcomes)
            try:
                async with asyncio.timeout_at(until):
                    self._hear(await _next(listener))
            except TimeoutError:
                self._overdue()
            if len(self.outcomes) > before:
                yield self.progress

    def _hear(self, news: News | None) -> None:
        if news is None:
            self.look(*self._open)
            return
        name = instance_of(news.event.fact)
        if name in self._open:
            self._decided(name, self._open[name].hear(news.event.fact))

    def _overdue(self) -> None:
        self.look(*self._open)
        self.timed_out = bool(self._open)
        for name in tuple(self._open):
            self._decided(name, Outcome("not in time", Miss.LATE))

    def _decided(self, name: str, outcome: Outcome | None) -> None:
        if outcome is not None:
            self.outcomes[name] = outcome
            del self._open[name]


async def _next(listener: Listener) -> News | None:
    """Return the next event; None where some were missed."""
    try:
        return await listener.next()
    except Dropped:
        await asyncio.sleep(LOOK_SEC)
        return None
