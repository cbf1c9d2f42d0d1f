"""What crewd relies on where workers made over the API are stored: one suite for the fake, SQLite and PostgreSQL."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crewd.errors import StoreError
from crewd.model.home import Home
from crewd.reconcile.configurations import Configuration, Configurations
from crewd.store import SqlStore, store_of
from crewd.store.choice import database_of
from crewd.store.configurations import SqlConfigurations
from crewd.store.migrate import migrate
from crewd.store.sqlite import SQLite
from crewd.testing import FakeConfigurations
from harness.postgres import Postgres, postgres  # noqa: F401 - a fixture

WEB = Configuration("web", '{"port":4001}', 1, 1.5, "uid 0 pid 1", 1.5, "uid 0 pid 1")
MAIL = Configuration("mail", '{"name":"\\u4e3b \\u0000 \\ud800"}', 1, 2.5, "token 7f3a", 2.5, "token 7f3a")

Maker = Callable[[], Awaitable[Configurations]]


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
async def another(request: Any, tmp_path: Path) -> AsyncGenerator[Maker]:
    """Makes shelves on one database, which is empty."""
    fake, home = FakeConfigurations(), Home.under(str(tmp_path))
    database = "sqlite"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        database = server.make()
    async with AsyncExitStack() as stack:

        async def make() -> Configurations:
            if request.param == "fake":
                return fake
            store = store_of(database, home)
            stack.push_async_callback(store.close)
            await store.open()
            return SqlConfigurations(store)

        yield make


@pytest.fixture
async def shelf(another: Maker) -> Configurations:
    """One of them."""
    return await another()


async def test_what_was_added_is_there_for_whoever_comes_next(shelf: Configurations, another: Maker) -> None:
    """All of it, by name, in whatever order it came; characters that no database likes included."""
    added = [await shelf.add(WEB), await shelf.add(MAIL)]
    next_one = await another()

    assert added == [True, True]
    assert await next_one.all() == (MAIL, WEB)
    assert await next_one.find("web") == WEB
    assert await next_one.find("nobody") is None


async def test_a_name_is_given_once(shelf: Configurations) -> None:
    """The one that is there stays."""
    await shelf.add(WEB)

    assert not await shelf.add(replace(WEB, document="{}"))
    assert await shelf.all() == (WEB,)


async def test_only_the_revision_that_was_seen_is_replaced(shelf: Configurations, another: Maker) -> None:
    """Of two who saw the same, one wins, and the other is told."""
    await shelf.add(WEB)
    other = await another()
    first = replace(WEB, document='{"port":1}', revision=2, updated_at=9.0, updated_by="uid 5 pid 5")
    second = replace(WEB, document='{"port":2}', revision=2)

    assert await shelf.replace(first, 1)
    assert not await other.replace(second, 1)
    assert not await other.replace(replace(MAIL, revision=2), 1)
    assert await other.all() == (first,)


async def test_only_the_revision_that_was_seen_is_removed(shelf: Configurations) -> None:
    """And a name that is free again may be given again."""
    await shelf.add(WEB)

    assert not await shelf.remove("web", 2)
    assert not await shelf.remove("mail", 1)
    assert await shelf.remove("web", 1)
    assert not await shelf.remove("web", 1)
    assert await shelf.all() == ()
    assert await shelf.add(WEB)


async def test_a_statement_in_a_name_is_a_name(shelf: Configurations) -> None:
    """Whatever is asked for is a parameter."""
    await shelf.add(WEB)

    assert await shelf.find("' OR '1'='1") is None
    assert not await shelf.remove("web' --", 1)
    assert await shelf.all() == (WEB,)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_they_can_be_read_before_there_are_tables(kind: str, request: Any, tmp_path: Path) -> None:
    """The first apply waits for no migration: where there are no tables, nobody ever made a worker."""
    database = "sqlite" if kind == "sqlite" else request.getfixturevalue("postgres").make()
    store = store_of(database, Home.under(str(tmp_path)))
    shelf = SqlConfigurations(store)
    try:
        before = await shelf.all()
        assert await shelf.find("web") is None
        with pytest.raises(StoreError, match="it is not open"):
            await shelf.add(WEB)
        await store.open()
        await shelf.add(WEB)

        assert before == ()
        assert await shelf.all() == (WEB,)
    finally:
        await store.close()


class MadeSlowly(SQLite):
    """A database that whoever comes first has not made yet when somebody else looks."""

    def __init__(self, path: str) -> None:
        super().__init__(path, 5.0)
        self.coming, self.made = threading.Event(), threading.Event()

    def prepare(self) -> None:
        """Make it; the first one waits."""
        if not self.coming.is_set():
            self.coming.set()
            self.made.wait(10)
        super().prepare()


async def test_they_can_be_read_while_the_database_is_being_made(tmp_path: Path) -> None:
    """On a new machine the recorder opens it as the first apply reads: a file that is not there yet is no trouble."""
    database = MadeSlowly(f"{tmp_path}/lib/crewd.db")
    store = SqlStore(database)
    opening = asyncio.create_task(store.open())
    try:
        await asyncio.to_thread(database.coming.wait)

        assert await SqlConfigurations(store).all() == ()
    finally:
        database.made.set()
        await opening
        await store.close()


async def test_they_can_be_read_in_an_older_database(tmp_path: Path) -> None:
    """Before it is migrated, too."""
    home = Home.under(str(tmp_path))
    database = database_of(f"{home.lib}/crewd.db", 5.0)
    database.prepare()
    migrate(database, "0002")
    store = store_of("sqlite", home)
    try:
        assert await SqlConfigurations(store).all() == ()
    finally:
        await store.close()


async def test_a_newer_database_is_not_read(postgres: Postgres, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    """What a newer crewd means by its tables is not known here: nothing is applied then."""
    url = postgres.make()
    store = store_of(url, Home.under(str(tmp_path)))
    try:
        await store.open()
        await SqlConfigurations(store).add(WEB)
        postgres.sql("UPDATE alembic_version SET version_num = '9999'", url.rpartition("/")[2])

        with pytest.raises(StoreError, match="version 9999"):
            await SqlConfigurations(store).all()
    finally:
        await store.close()
