"""The recorder: what the journal says goes into the store, exactly once, and the journal may then go.

Where it is, in words:

- OPENING: nothing is known of the store; it is asked for the place, the totals and the attempts under way.
- RECORDING: lines behind that place are read, accounted for and written, batch by batch, each in one transaction with
  the new place; then the engine may remove what is recorded.
- WAITING: the store failed. What was read is thrown away, the journal keeps it; after a while it is opened again.

Rules:

1. Nothing here is waited for by supervision: the journal is the queue, and it lies on the disk.
2. After any failure the store is asked again for the place: only it knows whether the last batch was written.
3. The same trouble is said once, and so is its end.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import structlog

from crewd.errors import StoreError, TargetError
from crewd.model.accounts import NO_ATTEMPT, Attempt, Change, Key, Total
from crewd.model.facts import Event, Gap, SegmentOpened
from crewd.model.journal_line import type_of
from crewd.policy.accounting import account
from crewd.reconcile.crew import instance_of
from crewd.reconcile.port import BEGINNING, Batch, Clock, Engine, Journal, Position
from crewd.reconcile.storage import Recording, Retention, Row, Store
from crewd.reconcile.totals import Totals, summed

AGAIN_SEC = 0.5
AGAIN_MOST_SEC = 15.0
PRUNE_SEC = 600.0
ACKNOWLEDGE_SEC = 2.0

_log: Any = structlog.get_logger("crewd")


@dataclass(slots=True)
class Recorded:
    """How far the recorder is. One writer: the recorder."""

    position: Position = BEGINNING
    trouble: str = ""
    """Why nothing is recorded now; empty where all is well."""
    open: bool = False
    events: int = 0
    """How many were recorded since the daemon began."""


class Recorder:
    """One run of it.

    ``may_tell``: whether the engine may be told that lines are recorded; ``retention``: what is kept, by now.
    """

    def __init__(
        self,
        journal: Journal,
        store: Store,
        engine: Engine,
        clock: Clock,
        totals: Totals,
        *,
        may_tell: Callable[[], bool] = lambda: True,
        retention: Callable[[], Retention | None] = lambda: None,
    ) -> None:
        self.recorded = Recorded()
        self._journal = journal
        self._store = store
        self._engine = engine
        self._clock = clock
        self._totals = totals
        self._may_tell = may_tell
        self._retention = retention
        self._attempts: dict[str, Attempt] = {}
        self._writing = False
        """Whether the last write has not succeeded yet: it is no good news then that the store can be opened."""
        self._to_acknowledge = asyncio.Event()

    async def run(self) -> None:
        """Record for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._record_for_ever())
            tasks.create_task(self._acknowledge_for_ever())
            tasks.create_task(self._prune_for_ever())

    def lag(self, generation: str, sequence: int) -> int:
        """Return how many lines up to this place are not recorded, as far as numbers can tell."""
        known = self.recorded.position
        return max(0, sequence - known.sequence) if known.generation == generation else sequence

    async def _record_for_ever(self) -> None:
        pause = AGAIN_SEC
        while True:
            before = self.recorded.events
            try:
                await self._record()
            except (StoreError, TargetError, OSError) as error:
                self._troubled(str(error))
            pause = AGAIN_SEC if self.recorded.events > before else min(AGAIN_MOST_SEC, pause * 2)
            await self._clock.sleep(pause)

    async def _record(self) -> None:
        remembered = await self._store.open()
        self.recorded.position = remembered.position
        self._attempts = dict(remembered.attempts)
        self._totals.load(remembered.totals)
        self.recorded.open = True
        if not self._writing:
            self._well()
        async with aclosing(self._journal.follow(remembered.position)) as batches:
            async for batch in batches:
                if batch.events:
                    await self._take(batch)

    async def _take(self, batch: Batch) -> None:
        recording = self._recording(batch)
        self._writing = True
        await self._store.record(recording)
        self._writing = False
        self._totals.add(recording.amounts)
        for instance, attempt in recording.attempts.items():
            if attempt == NO_ATTEMPT:
                self._attempts.pop(instance, None)
            else:
                self._attempts[instance] = attempt
        self.recorded.position = recording.until
        self.recorded.events += len(recording.rows)
        self._well()
        if any(isinstance(event.fact, SegmentOpened) for event in batch.events):
            self._to_acknowledge.set()

    def _recording(self, batch: Batch) -> Recording:
        """Account for the batch, on a copy: what is not written did not happen."""
        attempts: dict[str, Attempt] = {}
        changes: list[Change] = []
        place = self.recorded.position
        for event in batch.events:
            changes += _missing(place, batch.generation, event)
            place = Position(batch.generation, event.sequence)
            instance = instance_of(event.fact)
            before = NO_ATTEMPT if instance is None else attempts.get(instance) or self._attempts.get(instance)
            after, made = account(before or NO_ATTEMPT, event)
            changes += made
            if instance is not None and after is not before:
                attempts[instance] = after
        rows = tuple(
            Row(batch.generation, event.sequence, event.at, type_of(event.fact), instance_of(event.fact), line.decode())
            for event, line in zip(batch.events, batch.lines, strict=True)
        )
        return Recording(self.recorded.position, place, rows, summed(changes), attempts)

    def _troubled(self, trouble: str) -> None:
        if trouble != self.recorded.trouble:
            _log.error("cannot record", why=trouble, kept="the journal keeps what happens")
        self.recorded.trouble = trouble

    def _well(self) -> None:
        if self.recorded.trouble:
            _log.info("recording again", generation=self.recorded.position.generation)
        self.recorded.trouble = ""

    async def _acknowledge_for_ever(self) -> None:
        """Let the engine remove what is recorded; where it does not answer, the next segment is time enough."""
        while True:
            await self._to_acknowledge.wait()
            self._to_acknowledge.clear()
            place = self.recorded.position
            if not self._may_tell():
                continue
            try:
                await self._engine.acknowledge(place.generation, place.sequence)
            except TargetError as error:
                _log.debug("cannot acknowledge the journal", error=str(error))
                await self._clock.sleep(ACKNOWLEDGE_SEC)
                if error.retryable:
                    self._to_acknowledge.set()

    async def _prune_for_ever(self) -> None:
        while True:
            await self._clock.sleep(PRUNE_SEC)
            retention = self._retention()
            if retention is None or not self.recorded.open or self.recorded.trouble:
                continue
            try:
                pruned: Mapping[str, int] = await self._store.prune(retention, self._clock.time())
            except StoreError as error:
                _log.warning("cannot prune", why=str(error))
            else:
                if any(pruned.values()):
                    _log.info("pruned", **pruned)


def _missing(last: Position, generation: str, event: Event) -> list[Change]:
    """Return what is missing between the last line recorded and this one, and say so."""
    if last == BEGINNING:
        return []  # an empty store: it begins with what there is
    first = event.fact.first if isinstance(event.fact, Gap) else event.sequence
    expected = last.sequence + 1 if generation == last.generation else 1
    lost = max(0, first - expected)
    if not lost:
        return []
    _log.error("journal lines are missing", generation=generation, first=expected, last=first - 1, lost=lost)
    return [Change(Key(Total.LOST), lost)]
