"""PostgreSQL in trouble: stopped, hanging, locked, not there. It is said in time, without a password."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator

import psycopg
import pytest
from psycopg import pq

from crewd.config.quantities import DATABASE_PARAMETERS
from crewd.errors import StoreError
from crewd.model.home import Home
from crewd.reconcile.storage import EventQuery
from crewd.store import SqlStore, store_of
from harness.freedom import free_loop
from harness.postgres import Postgres
from harness.recordings import assert_whole, next_recording

DEADLINE_SEC = 4.0
SLACK_SEC = 10.0
"""So late a busy machine may be."""
NOWHERE = Home.under("/nowhere")


@pytest.fixture
def server(postgres: Postgres) -> Generator[Postgres]:
    """A server that runs when the test begins, whatever the one before did to it."""
    yield postgres
    postgres.go_on()
    postgres.start()


@pytest.fixture
def url(server: Postgres) -> str:
    """An empty database."""
    return server.make()


@pytest.fixture
async def store(url: str) -> AsyncGenerator[SqlStore]:
    """A store that is not open yet, and does not wait long."""
    store = store_of(url, NOWHERE, DEADLINE_SEC)
    yield store
    await store.close()


async def test_a_stopped_server_is_said_and_waited_for(store: SqlStore, server: Postgres) -> None:
    """Each call says so at once; nothing is lost, nothing is doubled."""
    first = next_recording((await store.open()).position)
    await store.record(first)
    server.stop()
    async with free_loop():
        for call in (store.record(next_recording(first.until)), store.events(EventQuery()), store.open()):
            with pytest.raises(StoreError, match=r"cannot .* database postgresql://postgres@127\.0\.0\.1:") as told:
                await call
            assert told.value.retryable
            assert "s3cret" not in str(told.value)
    server.start()

    await store.record(next_recording((await store.open()).position))
    await assert_whole(store, await store.open())


async def test_reading_survives_a_restart_of_the_server(store: SqlStore, server: Postgres) -> None:
    """A connection that died while nobody used it is nobody's trouble."""
    await store.record(next_recording((await store.open()).position))
    assert len(await store.events(EventQuery())) == 20
    server.stop()
    server.start()

    assert len(await store.events(EventQuery())) == 20


async def test_a_hanging_server_is_given_up_by_the_deadline(store: SqlStore, server: Postgres) -> None:
    """A SIGSTOPped server answers nobody: the call ends in time, on a free loop, and so does the next."""
    first = next_recording((await store.open()).position)
    await store.record(first)
    server.hang()
    async with free_loop():
        for call in (store.record(next_recording(first.until)), store.events(EventQuery()), store.open()):
            begun = time.monotonic()
            with pytest.raises(StoreError, match=r"cannot .* database postgresql") as told:
                await call
            assert told.value.retryable
            assert time.monotonic() - begun < DEADLINE_SEC + SLACK_SEC
    server.go_on()

    known = await store.open()
    assert known.position.sequence in {20, 40}  # it may have been written, and the answer lost
    await store.record(next_recording(known.position))
    await assert_whole(store, await store.open())


async def test_closing_does_not_wait_for_a_hanging_server(store: SqlStore, server: Postgres) -> None:
    """The daemon can end."""
    await store.open()
    await store.events(EventQuery())
    server.hang()
    begun = time.monotonic()
    await store.close()

    assert time.monotonic() - begun < DEADLINE_SEC + SLACK_SEC


async def test_closing_lets_no_thread_hang_whose_caller_was_cancelled(store: SqlStore, server: Postgres) -> None:
    """As when the daemon ends while it records: nobody is left to give the call up by its deadline."""
    first = next_recording((await store.open()).position)
    server.hang()
    recording = asyncio.create_task(store.record(first))
    await asyncio.sleep(0.1)
    recording.cancel()
    await store.close()

    assert not await asyncio.to_thread(lambda: [thread for thread in writers() if not ended(thread)])


def writers() -> list[threading.Thread]:
    """Return the threads that write."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("crewd-store-writer")]


def ended(thread: threading.Thread) -> bool:
    """Return whether the thread has ended, soon."""
    thread.join(30)
    return not thread.is_alive()


async def test_a_lock_of_somebody_else_is_said(store: SqlStore, server: Postgres, url: str) -> None:
    """The server itself gives up waiting, before the deadline."""
    first = next_recording((await store.open()).position)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE place")
        with pytest.raises(StoreError, match="lock timeout") as told:
            await store.record(first)

    assert told.value.retryable
    await store.record(first)
    await assert_whole(store, await store.open())


async def test_a_killed_connection_is_said_and_replaced(store: SqlStore, server: Postgres, url: str) -> None:
    """An administrator may end any connection."""
    first = next_recording((await store.open()).position)
    server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{url.rpartition('/')[2]}'")
    with pytest.raises(StoreError, match="cannot record in") as told:
        await store.record(first)

    assert told.value.retryable
    await store.record(first)
    await assert_whole(store, await store.open())


async def test_a_database_that_is_not_there_is_said(server: Postgres) -> None:
    """In the server's words, and without the password."""
    store = store_of(server.url("nobody_made_it"), NOWHERE, DEADLINE_SEC)
    with pytest.raises(StoreError, match='database "nobody_made_it" does not exist') as told:
        await store.open()
    await store.close()

    assert "s3cret" not in str(told.value)


async def test_tables_of_another_program_are_left_alone(server: Postgres, url: str, store: SqlStore) -> None:
    """A database that is not crewd's alone is refused, whole."""
    name = url.rpartition("/")[2]
    server.sql("CREATE TABLE totals (mine text)", name)
    with pytest.raises(StoreError, match=r'cannot migrate .*: relation "totals" already exists'):
        await store.open()

    assert server.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name) == [("totals",)]


@pytest.mark.parametrize("address", ["postgresql://u:s3cret@h:port/db", "postgresql://u:s3cret@h/db?nonsense=s3cret"])
def test_an_address_that_cannot_be_read_is_said(address: str) -> None:
    """Without repeating it: it may hold a password."""
    with pytest.raises(StoreError) as told:
        store_of(address, NOWHERE)

    assert str(told.value) == "cannot use database postgresql: its URL cannot be read"


def test_libpq_knows_every_parameter_that_a_url_may_have() -> None:
    """None is refused that crewd admits."""
    assert {option.keyword.decode() for option in pq.Conninfo.get_defaults()} >= DATABASE_PARAMETERS


def test_without_psycopg_one_sentence_says_what_to_install() -> None:
    """PostgreSQL is an extra."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from crewd.model.home import Home; from crewd.store import store_of\n"
        "store_of('sqlite', Home())\n"
        "try: store_of('postgresql://h/db', Home())\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert said == "StoreError cannot use database postgresql: install crewd[postgresql]\n"
