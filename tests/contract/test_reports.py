"""What crewd relies on where reports of workers are kept: one suite for the shipped fake, SQLite and PostgreSQL."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from crewd.errors import StoreError
from crewd.model.home import Home
from crewd.model.report import Heartbeat, Level, LogEntry, LogKind, Pulse
from crewd.reconcile.reports import LogQuery, Reports
from crewd.reconcile.storage import Retention, Store
from crewd.store import SqlReports, store_of
from crewd.testing import FakeDatabase, FakeReports, FakeStore
from harness.databases import database_for, empty_database, empty_file, postgres  # noqa: F401 - fixtures

ShelfMaker = Callable[[], Awaitable[tuple[Store, Reports]]]
HEARD = Pulse(Heartbeat(12.5, 0.0, 3, 2**53 - 1, 0, {"queue": "mail", "share": 0.5}), stale=False, stale_count=2)
NEVER = Pulse(None, stale=True, stale_count=1)
HOSTILE = "a\x00b\n\x1b[31m\ud800 ünïcödé 🙂 '; DROP TABLE worker_logs; --"


def entry(number: int, **changes: Any) -> LogEntry:
    """Return an entry: one a second, of web-0 and web-1 in turn, every third an error."""
    wrong = number % 3 == 0
    kind, level = (LogKind.ERROR, Level.ERROR) if wrong else (LogKind.TASK, Level.INFO)
    made = LogEntry(float(number), f"web-{number % 2}", kind, level, f"task {number}", {"number": number})
    return replace(made, **changes)


def numbers(found: tuple[LogEntry, ...]) -> list[int]:
    """Return which entries these are."""
    return [int(one.at) for one in found]


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
async def another(request: Any, tmp_path: Path) -> AsyncGenerator[ShelfMaker]:
    """Makes shelves of opened stores on one database."""
    fake, home = FakeDatabase(), Home.under(str(tmp_path))
    database = database_for(request.param, request, home)
    async with AsyncExitStack() as stack:

        async def make() -> tuple[Store, Reports]:
            if request.param == "fake":
                memory = FakeStore(fake)
                await memory.open()
                return memory, FakeReports(memory)
            store = store_of(database, home)
            stack.push_async_callback(store.close)
            await store.open()
            return store, SqlReports(store)

        yield make


@pytest.fixture
async def shelf(another: ShelfMaker) -> tuple[Store, Reports]:
    """A shelf of an opened store, on an empty database."""
    return await another()


@pytest.fixture
def reports(shelf: tuple[Store, Reports]) -> Reports:
    """An empty shelf."""
    return shelf[1]


@pytest.fixture
async def filled(reports: Reports) -> Reports:
    """A shelf with the entries 1 to 30, stored at two times."""
    await reports.add([entry(number) for number in range(1, 13)])
    await reports.add([entry(number) for number in range(13, 31)])
    return reports


async def test_an_empty_shelf_is_empty(reports: Reports) -> None:
    """Nothing is no entry and no heartbeat; and nothing can be added to it."""
    await reports.add([])
    await reports.keep({})
    await reports.forget([])

    assert await reports.entries(LogQuery()) == ()
    assert await reports.pulses() == {}


async def test_what_is_kept_outlives_the_daemon(shelf: tuple[Store, Reports], another: ShelfMaker) -> None:
    """All members of heartbeats and entries, as they were."""
    store, reports = shelf
    await reports.keep({"web-0": HEARD, "web-1": NEVER})
    await reports.add([entry(1, details={"deep": [1, {"a": None}], "b": True})])
    await store.close()
    _, again = await another()

    assert await again.pulses() == {"web-0": HEARD, "web-1": NEVER}
    assert await again.entries(LogQuery()) == (entry(1, id=1, details={"deep": [1, {"a": None}], "b": True}),)


async def test_only_the_latest_heartbeat_is_kept(reports: Reports) -> None:
    """In the place of the one before; that of nobody else is touched."""
    await reports.keep({"web-0": NEVER, "web-1": NEVER})
    await reports.keep({"web-0": HEARD})

    assert await reports.pulses() == {"web-0": HEARD, "web-1": NEVER}
    await reports.forget(["web-0", "nobody-0"])
    assert await reports.pulses() == {"web-1": NEVER}


async def test_the_boot_clock_is_not_kept(reports: Reports) -> None:
    """It begins anew with the machine."""
    assert HEARD.heartbeat
    await reports.keep({"web-0": replace(HEARD, heartbeat=replace(HEARD.heartbeat, boottime=77.0))})

    assert await reports.pulses() == {"web-0": HEARD}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (LogQuery(limit=3), [28, 29, 30]),
        (LogQuery(limit=0), []),
        (LogQuery(limit=1000), list(range(1, 31))),
        (LogQuery(instances=("web-0",), limit=2), [28, 30]),
        (LogQuery(instances=("nobody-0",)), []),
        (LogQuery(kinds=(LogKind.ERROR,), limit=2), [27, 30]),
        (LogQuery(kinds=(LogKind.ERROR, LogKind.TASK), limit=2), [29, 30]),
        (LogQuery(levels=(Level.ERROR,), limit=1), [30]),
        (LogQuery(levels=(Level.DEBUG,)), []),
        (LogQuery(since=29.0), [29, 30]),
        (LogQuery(until=3.0), [1, 2]),
        (LogQuery(since=10.0, until=12.0), [10, 11]),
        (LogQuery(instances=("web-1",), kinds=(LogKind.ERROR,), since=4.0, until=22.0), [9, 15, 21]),
    ],
)
async def test_entries_are_found(filled: Reports, query: LogQuery, wanted: list[int]) -> None:
    """By any condition and all together: the newest of them, in the order in which they were stored."""
    assert numbers(await filled.entries(query)) == wanted


async def test_entries_are_paged_backwards(filled: Reports) -> None:
    """From the newest to the oldest, without one missing or twice."""
    pages, before = [], None
    while page := await filled.entries(LogQuery(limit=13, before_id=before)):
        pages.append(numbers(page))
        before = page[0].id

    assert pages == [[*range(18, 31)], [*range(5, 18)], [*range(1, 5)]]


async def test_text_is_text(reports: Reports) -> None:
    """Whatever stands in it: NUL, half of a surrogate pair, quotes of SQL."""
    await reports.add([entry(1, message=HOSTILE, details={HOSTILE: [HOSTILE]})])
    [found] = await reports.entries(LogQuery())

    assert (found.message, found.details) == (HOSTILE, {HOSTILE: [HOSTILE]})


async def test_old_entries_are_pruned_with_the_events(shelf: tuple[Store, Reports]) -> None:
    """By the same retention; heartbeats stay, and what is added afterwards is found."""
    store, reports = shelf
    await reports.keep({"web-0": HEARD})
    await reports.add([entry(number) for number in range(1, 31)])

    assert (await store.prune(Retention(10.0, 0), 35.0))["worker_logs"] == 24
    assert (await store.prune(Retention(inf, 0), 1e9))["worker_logs"] == 0
    await reports.add([entry(31)])
    assert numbers(await reports.entries(LogQuery())) == [25, 26, 27, 28, 29, 30, 31]
    assert (await store.prune(Retention(inf, 1), 1e9))["worker_logs"] == 7
    assert await reports.pulses() == {"web-0": HEARD}


async def test_a_closed_store_refuses(shelf: tuple[Store, Reports]) -> None:
    """Every call, with a StoreError."""
    store, reports = shelf
    await store.close()

    for call in (
        lambda: reports.add([entry(1)]),
        lambda: reports.entries(LogQuery()),
        lambda: reports.keep({"web-0": HEARD}),
        reports.pulses,
        lambda: reports.forget(["web-0"]),
    ):
        with pytest.raises(StoreError, match="it is not open"):
            await call()
