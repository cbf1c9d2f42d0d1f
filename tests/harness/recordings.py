"""Recordings for a store: one total, one attempt and some events, such that all three must agree with the place.

A bare script besides: ``python -m harness.recordings DATABASE DIRECTORY`` records for ever, and says each place.
"""

import asyncio
import sys

from crewd.model.accounts import NO_ATTEMPT, Attempt, Key, Total
from crewd.model.home import Home
from crewd.reconcile.port import Position
from crewd.reconcile.storage import EventQuery, Recording, Remembered, Row, Store
from crewd.store import store_of

GENERATION = "00000007-3fa2c1"
EVENTS = Key(Total.EVENTS, "", "exited")
INSTANCES = 10


def next_recording(since: Position, count: int = 20) -> Recording:
    """Return the ``count`` events behind a place. The attempt of each says its sequence number; each tenth ends it."""
    until = Position(GENERATION, since.sequence + count)
    numbers = range(since.sequence + 1, until.sequence + 1)
    rows = tuple(Row(GENERATION, n, float(n), "exited", _instance(n), f'{{"seq":{n}}}') for n in numbers)
    attempts = {_instance(n): NO_ATTEMPT if n % INSTANCES == 0 else Attempt(float(n)) for n in numbers}
    return Recording(since, until, rows, {EVENTS: float(count)}, attempts)


async def assert_whole(store: Store, known: Remembered) -> None:
    """Check that events, total and attempts are those of the place: no recording half-written, none twice."""
    last = known.position.sequence
    events = await store.events(EventQuery(limit=last + 1000))

    assert [event.row.sequence for event in events] == list(range(1, last + 1))
    assert known.totals.get(EVENTS, 0.0) == last
    assert known.attempts == {
        _instance(n): Attempt(float(n)) for n in range(max(1, last - INSTANCES + 1), last + 1) if n % INSTANCES
    }


async def record_for_ever(store: Store) -> None:
    """Record, and say each place once it is written."""
    known = await store.open()
    place = known.position
    while True:
        recording = next_recording(place)
        await store.record(recording)
        place = recording.until
        sys.stdout.write(f"{place.sequence}\n")
        sys.stdout.flush()


def _instance(number: int) -> str:
    return f"web-{number % INSTANCES}"


if __name__ == "__main__":
    asyncio.run(record_for_ever(store_of(sys.argv[1], Home.under(sys.argv[2]))))
