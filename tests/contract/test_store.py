"""What crewd relies on in a store: one suite for the shipped fake, for SQLite and for a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from crewd.errors import StoreError
from crewd.model.accounts import NO_ATTEMPT, Attempt, Key, Total
from crewd.model.home import Home
from crewd.model.reasons import Reason
from crewd.reconcile.port import BEGINNING, Position
from crewd.reconcile.storage import EventQuery, Recording, Remembered, Retention, Row, Store
from crewd.store import store_of
from crewd.testing import FakeDatabase, FakeStore
from harness.databases import database_for, empty_database, empty_file, postgres  # noqa: F401 - fixtures

GENERATION = "00000007-3fa2c1"
KINDS = ("exited", "starting", "spawned")
FOR_EVER = Retention(inf, 0)
EXITS = Key(Total.EXITS, "web", Reason.EXIT_CODE)
LAG = Key(Total.LAG_SUM)

StoreMaker = Callable[[], Awaitable[Store]]


def place(sequence: int) -> Position:
    """Return a place in the journal."""
    return Position(GENERATION, sequence)


def row(sequence: int, **changes: Any) -> Row:
    """Return an event: one a second, of web-0, web-1 and nobody in turn, and of three types in turn of three."""
    instance = ("web-0", "web-1", None)[sequence % 3]
    line = json.dumps({"v": 1, "seq": sequence, "instance": instance})
    return replace(Row(GENERATION, sequence, float(sequence), KINDS[sequence // 3 % 3], instance, line), **changes)


def recording(since: int, until: int, **parts: Any) -> Recording:
    """Return a recording of all events behind ``since``."""
    begin = place(since) if since else BEGINNING
    rows = tuple(row(sequence) for sequence in range(since + 1, until + 1))
    return replace(Recording(begin, place(until), rows), **parts)


def sequences(found: Any) -> list[int]:
    """Return the sequence numbers of stored events."""
    return [event.row.sequence for event in found]


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
async def another(request: Any, tmp_path: Path) -> AsyncGenerator[StoreMaker]:
    """Makes stores, opened, on one database."""
    fake, home = FakeDatabase(), Home.under(str(tmp_path))
    database = database_for(request.param, request, home)
    async with AsyncExitStack() as stack:

        async def make() -> Store:
            store: Store = FakeStore(fake) if request.param == "fake" else store_of(database, home)
            stack.push_async_callback(store.close)
            await store.open()
            return store

        yield make


@pytest.fixture
async def store(another: StoreMaker) -> Store:
    """One store, opened, on an empty database."""
    return await another()


@pytest.fixture
async def filled(store: Store) -> Store:
    """A store with the events 1 to 30 in two recordings."""
    await store.record(recording(0, 12))
    await store.record(recording(12, 30))
    return store


async def test_an_empty_database_knows_nothing(store: Store) -> None:
    """The first start begins at the beginning, and opening again changes nothing."""
    assert await store.open() == Remembered()
    assert await store.events(EventQuery()) == ()


async def test_what_was_recorded_is_known_to_whoever_opens_it_next(store: Store, another: StoreMaker) -> None:
    """Place, totals and attempts outlive the daemon."""
    amounts = {EXITS: 2.0, LAG: 0.25}
    attempts = {"web-0": Attempt(1.5, None, counted=True, reason=Reason.SIGNAL), "web-1": Attempt(2.5, 3.5)}
    await store.record(recording(0, 3, amounts=amounts, attempts=attempts))
    await store.close()

    known = await (await another()).open()

    assert known == Remembered(place(3), amounts, attempts)


async def test_events_come_back_as_they_were(store: Store) -> None:
    """Every member of a row, and the line byte for byte."""
    rows = (row(1), row(2, instance=None, at=1767225600.123456), row(3, type="judged", instance="web-api-12"))
    await store.record(recording(0, 3, rows=rows))

    assert tuple(event.row for event in await store.events(EventQuery())) == rows


async def test_amounts_add_up(store: Store) -> None:
    """A total is the sum of what was ever added to it."""
    await store.record(recording(0, 1, amounts={EXITS: 1.0, LAG: 0.5}))
    await store.record(recording(1, 2, amounts={EXITS: 2.0}))

    assert (await store.open()).totals == {EXITS: 3.0, LAG: 0.5}


async def test_an_attempt_is_replaced_and_forgotten(store: Store) -> None:
    """Only what is under way is kept."""
    await store.record(recording(0, 1, attempts={"web-0": Attempt(1.0), "web-1": Attempt(1.0)}))
    await store.record(recording(1, 2, attempts={"web-0": NO_ATTEMPT, "web-1": Attempt(1.0, 2.0, counted=True)}))
    await store.record(recording(2, 3, attempts={"web-7": NO_ATTEMPT}))

    assert (await store.open()).attempts == {"web-1": Attempt(1.0, 2.0, counted=True)}


async def test_a_recording_without_events_moves_the_place(store: Store) -> None:
    """And one that moves nothing is fine too."""
    await store.record(Recording(BEGINNING, place(5)))
    await store.record(Recording(place(5), place(5)))

    assert (await store.open()).position == place(5)


async def test_a_new_generation_begins_at_one(filled: Store) -> None:
    """The place is a generation and a number: the same number twice is two events."""
    generation = "00000008-aaaaaa"
    rows = (row(1, generation=generation),)
    await filled.record(Recording(place(30), Position(generation, 1), rows))

    found = await filled.events(EventQuery(limit=1))
    assert (found[0].row.generation, found[0].row.sequence) == (generation, 1)
    assert (await filled.open()).position == Position(generation, 1)


async def test_a_wrong_place_is_refused(filled: Store) -> None:
    """Two daemons on one database do not write over each other, and nothing of the second is kept."""
    with pytest.raises(StoreError, match="another daemon uses this database"):
        await filled.record(recording(29, 31, amounts={EXITS: 1.0}))

    assert await filled.open() == Remembered(place(30))
    assert len(await filled.events(EventQuery())) == 30


async def test_of_two_writers_one_is_refused(store: Store, another: StoreMaker) -> None:
    """At the same instant too: one of them wins, whole."""
    other = await another()
    both = (recording(0, 40, amounts={EXITS: 1.0}), recording(0, 50, amounts={EXITS: 1.0}))

    answers = await asyncio.gather(store.record(both[0]), other.record(both[1]), return_exceptions=True)

    assert [type(answer) for answer in answers if answer is not None] == [StoreError]
    known = await store.open()
    assert known.totals == {EXITS: 1.0}
    assert len(await store.events(EventQuery())) == known.position.sequence


@pytest.mark.parametrize("doubled", [30, 31], ids=["stored before", "in the same recording"])
async def test_an_event_is_stored_once_and_what_fails_leaves_nothing(filled: Store, doubled: int) -> None:
    """Generation and number are unique; a recording with one row too many is not written at all."""
    rows = (row(31), row(doubled))
    wrong = recording(30, 32, rows=rows, amounts={EXITS: 1.0}, attempts={"web-0": Attempt(1.0)})

    with pytest.raises(StoreError, match="cannot record in"):
        await filled.record(wrong)

    assert await filled.open() == Remembered(place(30))
    assert sequences(await filled.events(EventQuery(limit=2))) == [29, 30]


async def test_after_a_refusal_it_goes_on(filled: Store) -> None:
    """The recorder opens again and records what is due."""
    with pytest.raises(StoreError):
        await filled.record(recording(5, 7))
    since = (await filled.open()).position.sequence
    await filled.record(recording(since, 33))

    assert sequences(await filled.events(EventQuery(limit=3))) == [31, 32, 33]


async def test_closed_it_refuses_and_it_can_be_opened_again(filled: Store) -> None:
    """Closing twice is fine; a closed store says so."""
    await filled.close()
    await filled.close()

    with pytest.raises(StoreError, match="it is not open"):
        await filled.record(recording(30, 31))
    with pytest.raises(StoreError, match="it is not open"):
        await filled.events(EventQuery())
    with pytest.raises(StoreError, match="it is not open"):
        await filled.prune(FOR_EVER, 0.0)
    assert (await filled.open()).position == place(30)
    assert len(await filled.events(EventQuery())) == 30


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (EventQuery(limit=3), [28, 29, 30]),
        (EventQuery(limit=0), []),
        (EventQuery(limit=1000), list(range(1, 31))),
        (EventQuery(instances=("web-0",), limit=3), [24, 27, 30]),
        (EventQuery(instances=("web-0", "web-1"), limit=4), [25, 27, 28, 30]),
        (EventQuery(instances=("nobody-0",)), []),
        (EventQuery(types=("starting",)), [3, 4, 5, 12, 13, 14, 21, 22, 23, 30]),
        (EventQuery(types=("starting", "spawned"), limit=4), [24, 25, 26, 30]),
        (EventQuery(since=29.0), [29, 30]),
        (EventQuery(until=3.0), [1, 2]),
        (EventQuery(since=10.0, until=12.0), [10, 11]),
        (EventQuery(instances=("web-0",), types=("starting",), since=4.0, until=22.0), [12, 21]),
    ],
)
async def test_events_are_found(filled: Store, query: EventQuery, wanted: list[int]) -> None:
    """By any condition and all together: the newest of them, in the order in which they happened."""
    assert sequences(await filled.events(query)) == wanted


async def test_events_are_read_on(filled: Store) -> None:
    """Ids grow with the events, so whoever has one gets what came after it, oldest first."""
    newest = await filled.events(EventQuery(limit=30))
    ids = [event.id for event in newest]

    assert ids == sorted(set(ids))
    assert sequences(await filled.events(EventQuery(after_id=ids[9], limit=3))) == [11, 12, 13]
    assert sequences(await filled.events(EventQuery(after_id=ids[9], limit=3, instances=("web-0",)))) == [12, 15, 18]
    assert sequences(await filled.events(EventQuery(after_id=0, before_id=ids[2]))) == [1, 2]
    assert await filled.events(EventQuery(after_id=ids[-1])) == ()


@pytest.mark.parametrize(
    ("behind", "wanted"),
    [
        (place(12), [13, 14, 15]),
        (place(30), []),
        (place(31), []),
        (place(0), [1, 2, 3]),
        (BEGINNING, [1, 2, 3]),
        (Position("00000006-ffffff", 99), [1, 2, 3]),
        (Position("00000008-000000", 1), []),
    ],
)
async def test_events_are_read_on_from_a_place(filled: Store, behind: Position, wanted: list[int]) -> None:
    """Behind it, whether or not it is stored: one of an older generation, or one that is not recorded yet."""
    assert sequences(await filled.events(EventQuery(behind=behind, limit=3))) == wanted


async def test_a_place_that_was_pruned_is_read_on_from_all_the_same(filled: Store) -> None:
    """With what is left behind it, and of whom it is asked."""
    await filled.prune(Retention(10.0, 0), 35.0)

    assert sequences(await filled.events(EventQuery(behind=place(3), limit=2))) == [25, 26]
    assert sequences(await filled.events(EventQuery(behind=place(26), instances=("web-0",)))) == [27, 30]


async def test_events_are_paged_backwards(filled: Store) -> None:
    """From the newest to the oldest, without one missing or twice."""
    pages, before = [], None
    while page := await filled.events(EventQuery(limit=7, before_id=before)):
        pages.append(sequences(page))
        before = page[0].id

    assert pages == [[*range(24, 31)], [*range(17, 24)], [*range(10, 17)], [*range(3, 10)], [1, 2]]


async def test_old_events_are_pruned(filled: Store) -> None:
    """By age: an event exactly as old as the retention stays."""
    assert (await filled.prune(Retention(10.0, 0), 35.0))["events"] == 24
    assert sequences(await filled.events(EventQuery())) == [25, 26, 27, 28, 29, 30]
    assert (await filled.prune(Retention(10.0, 0), 35.0))["events"] == 0


async def test_too_many_events_are_pruned(store: Store) -> None:
    """By size, about: the oldest go, in more than one step."""
    rows = tuple(row(number, line="x" * 800) for number in range(1, 5001))
    await store.record(recording(0, 5000, rows=rows))

    pruned = await store.prune(Retention(inf, 1_000_000), 0.0)
    left = sequences(await store.events(EventQuery(limit=9999)))

    assert 850 <= len(left) <= 1150
    assert left == list(range(left[0], 5001))
    assert pruned["events"] == 5000 - len(left)
    assert (await store.prune(Retention(inf, 1_000_000), 0.0))["events"] <= 20


async def test_what_is_within_the_retention_stays(filled: Store) -> None:
    """Neither for ever nor a large size removes anything, nor does an empty table fail."""
    for retention in (FOR_EVER, Retention(inf, 1 << 30), Retention(1000.0, 0)):
        assert (await filled.prune(retention, 100.0))["events"] == 0
    assert (await filled.prune(Retention(0.0, 1), 1e9))["events"] == 30
    assert (await filled.prune(Retention(1.0, 1), 1e9))["events"] == 0


async def test_pruning_leaves_place_totals_attempts_and_numbering(store: Store) -> None:
    """Totals are for ever, and an id is never given twice."""
    await store.record(recording(0, 3, amounts={EXITS: 2.0}, attempts={"web-0": Attempt(1.0)}))
    last = (await store.events(EventQuery()))[-1].id
    await store.prune(Retention(0.0, 0), 1e9)
    await store.record(recording(3, 4))

    assert await store.open() == Remembered(place(4), {EXITS: 2.0}, {"web-0": Attempt(1.0)})
    assert [event.id for event in await store.events(EventQuery())] == [last + 1]


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"message": "naïve \udc80 \x00 \u2028 🚀"}),
        '{"message":"naïve 🚀 \u2028"}',
        "'; DROP TABLE events; --",
        "%s %(name)s :name \\ \" '",
        "",
        "x" * 300_000,
    ],
    ids=["escaped", "unicode", "quotes", "places", "empty", "long"],
)
async def test_any_line_is_kept(store: Store, line: str) -> None:
    """A line is text, whatever a worker's name or a message made of it."""
    await store.record(recording(0, 1, rows=(row(1, line=line),)))

    assert [event.row.line for event in await store.events(EventQuery())] == [line]


@pytest.mark.parametrize("line", ["\ud800"], ids=["half a character"])
async def test_what_cannot_be_written_is_a_store_error(store: Store, another: StoreMaker, line: str) -> None:
    """Whatever the driver says to it, no other error comes through, and nothing is half-written."""
    with pytest.raises(StoreError, match="cannot record in"):
        await store.record(recording(0, 2, rows=(row(1), row(2, line=line))))

    assert await (await another()).open() == Remembered()


async def test_many_workers_at_once(store: Store) -> None:
    """Thousands of rows, totals and attempts in one recording, then again."""
    names = [f"worker{number}" for number in range(1500)]
    amounts = {Key(Total.RESTARTS, name): 1.0 for name in names}
    attempts = {f"{name}-0": Attempt(float(number)) for number, name in enumerate(names)}
    await store.record(recording(0, 3000, amounts=amounts, attempts=attempts))
    await store.record(recording(3000, 6000, amounts=amounts, attempts=dict.fromkeys(attempts, NO_ATTEMPT)))

    known = await store.open()
    assert known == Remembered(place(6000), dict.fromkeys(amounts, 2.0), {})
    assert len(await store.events(EventQuery(instances=tuple(f"{name}-0" for name in names)))) == 0
    assert len(await store.events(EventQuery(limit=10_000))) == 6000


async def test_reading_and_pruning_go_on_while_it_records(store: Store) -> None:
    """None of them waits for the others to end, and none of them disturbs the others."""
    reading = [store.events(EventQuery(limit=10)) for _ in range(20)]
    recordings = [recording(at * 100, at * 100 + 100) for at in range(20)]
    pruning = [store.prune(FOR_EVER, 0.0) for _ in range(3)]

    await asyncio.gather(*(store.record(one) for one in recordings), *reading, *pruning)

    assert (await store.open()).position == place(2000)
