"""Resets of type sql, on SQLite and on a real PostgreSQL."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crewd.model.spec import ResetAction
from crewd.plugin import Occasion, OptionError, Step
from crewd.reconcile.clearing import cleared
from crewd_plugins.resets.sql import SqlOptions
from harness.postgres import Postgres, postgres  # noqa: F401 - a fixture

RUNS = Occasion("ingest", ("ingest-0", "ingest-1"))
BY_KEY = "DELETE FROM locks WHERE name = :key"
BY_OWNER = "DELETE FROM locks WHERE name = :key AND owner = :owner"
ROWS = (
    ("scan", "ingest-0"),
    ("scan2", "ingest-1"),
    ("transfer", "transfer-0"),
    ("x' OR '1'='1", "ingest-0"),
    (":key", "ingest-0"),
    ("per%cent", "ingest-0"),
)


@dataclass(frozen=True)
class Database:
    """One with a table of locks."""

    url: str
    file: str = ""

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement of the test's own."""
        if self.file:
            with sqlite3.connect(self.file) as connection:
                return connection.execute(statement, values).fetchall()
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(statement.replace("%", "%%").replace("?", "%s"), values)
            return cursor.fetchall() if cursor.description else []

    def locks(self) -> list[str]:
        """Return the names of the locks there are."""
        return sorted(name for (name,) in self.run("SELECT name FROM locks"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: Any, tmp_path: Path) -> Iterator[Database]:
    """With some locks in it."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path}/app.db", f"{tmp_path}/app.db")
    else:
        made = Database(request.getfixturevalue("postgres").make())
    made.run("CREATE TABLE locks (name TEXT PRIMARY KEY, owner TEXT NOT NULL)")
    for row in ROWS:
        made.run("INSERT INTO locks VALUES (?, ?)", *row)
    yield made


async def reset(database: Database, **options: Any) -> list[Step]:
    """Carry one out; return its steps."""
    whole = SqlOptions(**{"url": database.url, "statement": BY_KEY, **options})
    return await cleared(ResetAction("sql", whole), RUNS)


async def test_rows_go_by_key(database: Database) -> None:
    """Each key is an action; what is not there was deleted."""
    steps = await reset(database, keys=("scan", "scan2", "none"))

    assert [(step.action, step.key, step.success) for step in steps] == [
        ("delete_lock_rows", key, True) for key in ("scan", "scan2", "none")
    ]
    assert [step.details["deleted"] for step in steps] == [1, 1, 0]
    assert database.locks() == sorted(name for name, _ in ROWS[2:])


async def test_only_the_rows_of_the_owner_go(database: Database) -> None:
    """For each instance of the worker; that of another worker stays."""
    steps = await reset(database, statement=BY_OWNER, owner="{instance}", keys=("scan", "scan2", "transfer"))

    assert [step.details["deleted"] for step in steps] == [1, 1, 0]
    assert "transfer" in database.locks()


@pytest.mark.parametrize(
    "key", ["x' OR '1'='1", "'; DROP TABLE locks; --", ":key", "per%cent", "%", "\\", '"', "scan\x00", "𝒳"]
)
async def test_a_value_never_becomes_part_of_the_statement(database: Database, key: str) -> None:
    """At most the row of exactly that name goes."""
    before = set(database.locks())

    await reset(database, keys=(key,))

    assert set(database.locks()) == before - {key}


async def test_other_parameters_are_bound_too(database: Database) -> None:
    """By the names that the statement has for them."""
    steps = await reset(
        database,
        statement="UPDATE locks SET owner = :nobody WHERE name = :key AND owner LIKE :worker_id || '%'",
        parameters={"nobody": "n'obody"},
        keys=("scan", "transfer"),
    )

    assert [step.details["deleted"] for step in steps] == [1, 0]
    assert database.run("SELECT owner FROM locks WHERE name = ?", "scan") == [("n'obody",)]


async def test_one_key_that_fails_does_not_undo_the_others(database: Database) -> None:
    """Neither the one before it nor the one behind."""
    database.run("CREATE TABLE held (name TEXT, freed INTEGER DEFAULT 0, CHECK (freed = 0 OR name <> 'stuck'))")
    for name in ("scan", "stuck", "scan2"):
        database.run("INSERT INTO held (name) VALUES (?)", name)

    steps = await reset(
        database, statement="UPDATE held SET freed = 1 WHERE name = :key", keys=("scan", "stuck", "scan2")
    )

    assert [step.success for step in steps] == [True, False, True]
    assert steps[1].error.startswith("cannot delete the rows of stuck: ")
    assert database.run("SELECT name FROM held WHERE freed = 1 ORDER BY name") == [("scan",), ("scan2",)]


async def test_a_statement_that_fails_is_told_for_each_key(database: Database) -> None:
    """A table that is not there, told without the statement."""
    broken = await reset(database, statement="DELETE FROM lokcs WHERE name = :key", keys=("scan", "scan2"))

    assert [step.success for step in broken] == [False, False]
    assert all("lokcs" in step.error and "WHERE" not in step.error for step in broken)
    assert broken[1].error.startswith("cannot delete the rows of scan2: ")


async def test_a_lock_on_the_row_is_waited_for_no_longer_than_the_timeout(database: Database) -> None:
    """Somebody holds the row in a transaction."""
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        if database.file:
            connection: Any = sqlite3.connect(database.file)
            connection.execute("BEGIN IMMEDIATE")
        else:
            connection = psycopg.connect(database.url)
        connection.execute("UPDATE locks SET owner = 'held' WHERE name = 'scan'")
        begun.set()
        over.wait(120)
        connection.rollback()
        connection.close()

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(begun.wait, 60)
    started = time.monotonic()

    steps = await reset(database, keys=("scan",), timeout_sec=0.5, deadline_sec=60.0)

    took = time.monotonic() - started
    over.set()
    await holding
    assert not steps[0].success
    assert "lock" in steps[0].error
    assert took < 30.0
    assert (await reset(database, keys=("scan",)))[0].success


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A misspelt path is told."""
    options = SqlOptions(url=f"sqlite:///{tmp_path}/none.db", statement=BY_KEY, keys=("scan",))

    steps = await cleared(ResetAction("sql", options), RUNS)

    assert steps[0].error == "cannot reach the database: unable to open database file"
    assert not list(tmp_path.iterdir())


async def test_a_server_that_hangs_is_cut_off_at_the_deadline(postgres: Postgres) -> None:  # noqa: F811
    """Both while connecting and in the middle; no thread is left behind."""
    url = postgres.make()
    postgres.hang()
    started = time.monotonic()
    try:
        options = SqlOptions(url=url, statement=BY_KEY, keys=("a", "b"), deadline_sec=0.5)
        steps = await cleared(ResetAction("sql", options), RUNS)
    finally:
        took = time.monotonic() - started
        postgres.go_on()

    assert [step.error for step in steps] == ["not done within 0.5 s"] * 2
    assert took < 20.0
    for _ in range(300):
        if not [thread for thread in threading.enumerate() if thread.name.startswith("crewd-reset-sql")]:
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("a thread is left")


async def test_a_statement_that_runs_on_is_cut_off_at_the_deadline(postgres: Postgres) -> None:  # noqa: F811
    """The connection is cut, and the thread ends at once."""
    url = postgres.make()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE locks (name TEXT)")
        connection.execute("INSERT INTO locks VALUES ('a')")
    slow = "DELETE FROM locks WHERE name = :key AND pg_sleep(30) IS NOT NULL"
    options = SqlOptions(url=url, statement=slow, keys=("a",), timeout_sec=60.0, deadline_sec=0.5)

    steps = await cleared(ResetAction("sql", options), RUNS)

    assert steps[0].error == "not done within 0.5 s"
    for _ in range(150):  # the statement would run for twice as long
        if not [thread for thread in threading.enumerate() if thread.name.startswith("crewd-reset-sql")]:
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("a thread is left")


async def test_a_server_that_is_away_is_told_without_the_password(postgres: Postgres) -> None:  # noqa: F811
    """The URL has one."""
    url = postgres.make()
    postgres.stop()
    try:
        options = SqlOptions(url=url, statement=BY_KEY, keys=("a",))
        steps = await cleared(ResetAction("sql", options), RUNS)
    finally:
        postgres.start()

    assert "refused" in steps[0].error
    assert "s3cret" not in steps[0].error
    assert "s3cret" not in repr(options)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT name FROM locks WHERE name = :key", "is neither DELETE FROM nor UPDATE"),
        ("DROP TABLE locks", "is neither"),
        ("DELETE FROM locks", "does not bind :key"),
        ("DELETE FROM locks WHERE name = ':key'; DROP TABLE locks", "holds a ;"),
        ("DELETE FROM locks WHERE name = :key AND owner = :owner", "binds :owner, and there is no owner"),
        ("DELETE FROM locks WHERE name = :key AND at < :when", "binds :when, which nothing gives"),
        ("WITH x AS (DELETE FROM locks RETURNING 1) SELECT :key", "is neither"),
    ],
)
def test_a_statement_that_is_none_is_refused(statement: str, message: str) -> None:
    """Before anything is touched."""
    with pytest.raises(OptionError, match=message) as wrong:
        SqlOptions(url="sqlite:////x", statement=statement, keys=("a",))

    assert wrong.value.name == "statement"
