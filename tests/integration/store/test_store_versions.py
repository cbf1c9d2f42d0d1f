"""How tables change: made by a child, migrated from an older version with a backup, refused from a newer one."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from crewd.errors import StoreError
from crewd.model.accounts import Attempt
from crewd.model.home import Home
from crewd.reconcile.auditing import Entry
from crewd.reconcile.port import BEGINNING
from crewd.reconcile.storage import Remembered, Row
from crewd.reconcile.tokens import Token
from crewd.store import SqlStore, store_of
from crewd.store.choice import database_of
from crewd.store.database import Role
from crewd.store.migrate import SCRIPTS, migrate
from crewd.store.migration import COMMAND
from crewd.store.tables import METADATA
from crewd.store.versions import CURRENT, REVISIONS
from harness.recordings import assert_whole, next_recording

OLD = REVISIONS[0]
PATIENCE_SEC = 60.0


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: Any, tmp_path: Path) -> str:
    """The path or URL of a database that is not there yet, or empty."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres").make()
        return url
    return f"{Home.under(str(tmp_path)).lib}/crewd.db"


@pytest.fixture
async def store(address: str, tmp_path: Path) -> AsyncGenerator[SqlStore]:
    """A store on it, not open yet."""
    store = another(address, tmp_path)
    yield store
    await store.close()


def another(address: str, tmp_path: Path) -> SqlStore:
    """Return one more store on a database."""
    return store_of("sqlite" if address.startswith("/") else address, Home.under(str(tmp_path)))


def make(address: str, revision: str) -> None:
    """Make a database whose tables are of this version."""
    database = database_of(address, PATIENCE_SEC)
    database.prepare()
    migrate(database, revision)


def run_sql(address: str, *statements: str) -> None:
    """Change the database behind crewd's back."""
    with database_of(address, PATIENCE_SEC).connect(Role.WRITER) as connection, connection.begin():
        for statement in statements:
            connection.exec_driver_sql(statement)


def differences(address: str) -> list[Any]:
    """Return what the tables are otherwise than ``tables`` says."""
    with database_of(address, PATIENCE_SEC).connect(Role.READER) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))


def fill_old(address: str) -> None:
    """Let an older crewd have recorded an event."""
    run_sql(
        address,
        "INSERT INTO events VALUES (1, '00000007-3fa2c1', 1, 1.0, 'exited', 'web', 'web-1', '{\"seq\":1}')",
        "UPDATE place SET generation = '00000007-3fa2c1', sequence = 1, events = 1",
        "INSERT INTO totals VALUES ('events', '', 'exited', 1.0)",
        "INSERT INTO attempts VALUES ('web-1', 1.0, NULL, false, '')",
    )


def test_the_known_versions_are_those_that_there_are() -> None:
    """What the daemon compares with, and what Alembic would do."""
    scripts = ScriptDirectory(str(SCRIPTS))

    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == REVISIONS


def test_the_tables_hold_all_that_the_recorder_says() -> None:
    """A member that an event, an attempt, a token or an entry gets is a column, and a migration."""
    events, attempts = METADATA.tables["events"].c, METADATA.tables["attempts"].c

    assert {"id", "worker_id", *(field.name for field in fields(Row))} == set(events.keys())
    assert {"instance", *(field.name for field in fields(Attempt))} == set(attempts.keys())
    assert {field.name for field in fields(Token)} == set(METADATA.tables["tokens"].c.keys())
    in_line = {"how", "claimed", "source", "status", "result", "details"}
    assert {field.name for field in fields(Entry)} - in_line == set(METADATA.tables["audit"].c.keys()) - {"line"}


@pytest.mark.parametrize("begin", [None, *REVISIONS])
async def test_migrated_tables_are_those_of_the_code(store: SqlStore, address: str, begin: str | None) -> None:
    """From nothing, and from each version that was ever released."""
    if begin is not None:
        make(address, begin)
    await store.open()

    assert differences(address) == []


async def test_an_older_database_is_migrated_with_all_that_is_in_it(store: SqlStore, address: str) -> None:
    """Place, events, totals and attempts are as they were, and recording goes on."""
    make(address, OLD)
    fill_old(address)
    assert differences(address) != []

    known = await store.open()
    await assert_whole(store, known)
    await store.record(next_recording(known.position))
    await assert_whole(store, await store.open())


async def test_of_an_older_sqlite_there_is_a_backup(tmp_path: Path) -> None:
    """As it was before, whole, private, beside it."""
    address = f"{Home.under(str(tmp_path)).lib}/crewd.db"
    store = another(address, tmp_path)
    make(address, OLD)
    fill_old(address)
    await store.open()
    await store.close()

    backup = Path(f"{address}.{OLD}.bak")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert sorted(path.name for path in backup.parent.iterdir()) == ["crewd.db", backup.name]
    with closing(sqlite3.connect(backup)) as kept:
        assert kept.execute("SELECT version_num FROM alembic_version").fetchall() == [(OLD,)]
        assert kept.execute("SELECT generation, sequence FROM place").fetchall() == [("00000007-3fa2c1", 1)]
        assert kept.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_without_a_backup_nothing_is_migrated(tmp_path: Path) -> None:
    """What cannot be kept is not touched."""
    address = f"{Home.under(str(tmp_path)).lib}/crewd.db"
    store = another(address, tmp_path)
    make(address, OLD)
    Path(f"{address}.{OLD}.bak").mkdir()
    with pytest.raises(StoreError, match=r"cannot migrate database .*: Is a directory"):
        await store.open()
    await store.close()

    with closing(sqlite3.connect(address)) as kept:
        assert kept.execute("SELECT version_num FROM alembic_version").fetchall() == [(OLD,)]


async def test_a_new_database_leaves_no_backup(tmp_path: Path) -> None:
    """There was nothing to keep; and opened again, nothing is migrated."""
    store = another("/", tmp_path)
    await store.open()
    await store.open()
    await store.close()

    assert [path.name for path in Path(Home.under(str(tmp_path)).lib).iterdir()] == ["crewd.db"]


async def test_a_newer_database_is_refused(store: SqlStore, address: str) -> None:
    """Politely, with both versions named, and it is left as it is."""
    make(address, CURRENT)
    run_sql(address, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(StoreError, match=f"version 0999, .* up to version {CURRENT}: a newer crewd") as told:
        await store.open()
    with pytest.raises(StoreError, match="it is not open"):
        await store.record(next_recording(BEGINNING))

    assert not told.value.retryable
    run_sql(address, f"UPDATE alembic_version SET version_num = '{CURRENT}'")
    assert await store.open() == Remembered()


@pytest.mark.parametrize("begin", [None, OLD])
async def test_two_that_open_at_once_both_find_it_migrated(
    store: SqlStore, address: str, tmp_path: Path, begin: str | None
) -> None:
    """The second migration waits for the first, and finds nothing left to do."""
    if begin is not None:
        make(address, begin)
    other = another(address, tmp_path)

    assert await asyncio.gather(store.open(), other.open()) == [Remembered(), Remembered()]
    await other.close()
    assert differences(address) == []


async def test_a_killed_migration_leaves_it_as_it_was(store: SqlStore, address: str) -> None:
    """Whenever that is: it is one transaction, and the next start does it again."""
    make(address, OLD)
    fill_old(address)
    order = f'{{"database": "{address}", "to": "{CURRENT}"}}'.encode()
    random = Random(3)
    for _ in range(5):
        child = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, start_new_session=True)
        killing = threading.Timer(random.uniform(0.2, 0.6), child.kill)
        killing.start()
        child.communicate(order)
        killing.cancel()

    assert child.returncode in {0, -signal.SIGKILL}
    await assert_whole(store, await store.open())
    assert differences(address) == []


def test_the_daemon_does_not_load_alembic(tmp_path: Path) -> None:
    """Its memory is the child's."""
    program = (
        "import asyncio, sys; from crewd.store import store_of; from crewd.model.home import Home\n"
        "async def main():\n"
        " store = store_of('sqlite', Home.under(sys.argv[1])); await store.open(); await store.close()\n"
        "asyncio.run(main()); print([name for name in ('alembic', 'mako', 'greenlet') if name in sys.modules])\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, env=dict(os.environ)
    ).stdout

    assert said == "[]\n"
