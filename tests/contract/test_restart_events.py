"""What crewd relies on where manual restarts are kept: one suite for the shipped fake, SQLite and a real PostgreSQL."""

import shutil
from collections.abc import AsyncGenerator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from crewd.errors import StoreError
from crewd.model.accounts import Key, Total
from crewd.model.home import Home
from crewd.reconcile.restart_events import ManualRestart, RestartEvents, RestartQuery
from crewd.reconcile.storage import Retention, Store
from crewd.store import SqlRestartEvents, store_of
from crewd.store.choice import database_of
from crewd.store.migrate import migrate
from crewd.store.versions import CURRENT
from crewd.testing import FakeRestartEvents, FakeStore
from harness.postgres import Postgres, postgres  # noqa: F401 - a fixture

SUCCESS = Key(Total.MANUAL, "ingest", "success")
FAILURE = Key(Total.MANUAL, "ingest", "failure")
SECONDS = Key(Total.MANUAL_DURATION_SUM)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a database of SQLite with its tables, to copy."""
    directory = tmp_path_factory.mktemp("empty")
    _make_tables(str(directory / "crewd.db"))
    return directory


@pytest.fixture(scope="module")
def template(postgres: Postgres) -> str:  # noqa: F811 - the fixture
    """The name of a database of PostgreSQL with its tables, to copy."""
    url = postgres.make()
    _make_tables(url)
    return url.rpartition("/")[2]


def _make_tables(address: str) -> None:
    database = database_of(address, 5.0)
    database.prepare()
    migrate(database, CURRENT)


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
async def store(request: Any, tmp_path: Path) -> AsyncGenerator[Store]:
    """A store, opened, on an empty database."""
    made: Store = FakeStore()
    home = Home.under(str(tmp_path))
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("empty"), home.lib)
        made = store_of("sqlite", home)
    elif request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        made = store_of(server.make(template=request.getfixturevalue("template")), home)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def restarts(store: Store) -> RestartEvents:
    """The shelf of it."""
    return FakeRestartEvents(store) if isinstance(store, FakeStore) else SqlRestartEvents(store)  # type: ignore[arg-type]


def restart(number: int, **changes: Any) -> ManualRestart:
    """Return a restart: one a second, of three workers in turn."""
    worker = ("ingest", "mail", "web")[number % 3]
    actions = ({"action": "release_lock", "key": "a\u2028\x00'\"", "success": True, "old_value": None},)
    made = ManualRestart(f"id{number}", float(number), worker, True, 125, "uid 0 pid 1", "unix", None, None, actions)
    return replace(made, **changes)


async def test_an_empty_shelf_has_nothing(restarts: RestartEvents) -> None:
    """Nothing was restarted."""
    assert await restarts.restarts(RestartQuery()) == ()


async def test_restarts_come_back_as_they_were(restarts: RestartEvents) -> None:
    """Every member, oldest first, with growing ids."""
    first = restart(0, at=1767225600.123456, user="öps", reason="a\nreason")
    second = restart(1, success=False, duration_ms=0, source="127.0.0.1:4711", actions=())
    for one in (first, second):
        await restarts.add(one)

    found = await restarts.restarts(RestartQuery())

    assert [one.restart for one in found] == [first, second]
    assert found[0].id < found[1].id


async def test_a_restart_is_stored_and_counted_once(restarts: RestartEvents, store: Store) -> None:
    """However often it is tried; each time the totals come back, as they are in the database."""
    counted = await restarts.add(restart(0))
    again = await restarts.add(restart(0))
    failed = await restarts.add(restart(3, success=False, duration_ms=61_000))

    assert counted == again
    assert counted == {SUCCESS: 1, Key(Total.MANUAL_DURATION, label="0.25"): 1, SECONDS: 0.125}
    assert failed == {FAILURE: 1, Key(Total.MANUAL_DURATION, label="+Inf"): 1, SECONDS: 61.125}
    assert len(await restarts.restarts(RestartQuery())) == 2
    assert (await store.open()).totals == {**counted, **failed}


async def test_they_are_found_by_worker_time_and_place(restarts: RestartEvents) -> None:
    """All conditions together; the newest so many."""
    for number in range(12):
        await restarts.add(restart(number))

    async def found(**conditions: Any) -> list[int]:
        return [int(one.restart.at) for one in await restarts.restarts(RestartQuery(**conditions))]

    everything = await restarts.restarts(RestartQuery())
    assert await found(limit=3) == [9, 10, 11]
    assert await found(limit=0) == []
    assert await found(workers=("mail",)) == [1, 4, 7, 10]
    assert await found(workers=("mail", "web"), limit=3) == [8, 10, 11]
    assert await found(since=9.0) == [9, 10, 11]
    assert await found(until=2.0) == [0, 1]
    assert await found(before_id=everything[3].id) == [0, 1, 2]
    assert await found(workers=("none",)) == []
    assert await found(workers=("x' OR '1'='1",)) == []


async def test_old_restarts_are_pruned_and_totals_are_not(restarts: RestartEvents, store: Store) -> None:
    """As events are; what is stored afterwards has its place behind."""
    for number in range(10):
        await restarts.add(restart(number))
    totals = (await store.open()).totals

    pruned = await store.prune(Retention(4.0, 0), 10.0)
    assert pruned["restart_events"] == 6
    assert [one.restart.at for one in await restarts.restarts(RestartQuery())] == [6, 7, 8, 9]
    assert (await store.prune(Retention(inf, 0), 1e9))["restart_events"] == 0
    assert (await store.open()).totals == totals

    await restarts.add(restart(10))
    assert (await restarts.restarts(RestartQuery()))[-1].restart.at == 10


async def test_a_closed_store_refuses(restarts: RestartEvents, store: Store) -> None:
    """As a StoreError that may pass."""
    await store.close()

    for call in (restarts.add(restart(1)), restarts.restarts(RestartQuery())):
        with pytest.raises(StoreError) as refused:
            await call
        assert refused.value.retryable
