"""SQLite in trouble: locked, full, read-only, corrupt, gone. It is said in time, and nothing is overwritten."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from pathlib import Path

import pytest

from crewd.errors import StoreError
from crewd.model.home import Home
from crewd.reconcile.port import BEGINNING
from crewd.reconcile.storage import EventQuery, Remembered, Retention
from crewd.store import SqlStore, store_of
from crewd.store.sqlite import SQLite
from harness.freedom import free_loop
from harness.recordings import assert_whole, next_recording

DEADLINE_SEC = 4.0
SLACK_SEC = 10.0
"""So late a busy machine may be."""
HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Where the database lies."""
    return Home.under(str(tmp_path))


@pytest.fixture
async def store(home: Home) -> AsyncGenerator[SqlStore]:
    """A store that is not open yet, and does not wait long."""
    store = store_of("sqlite", home, DEADLINE_SEC)
    yield store
    await store.close()


def file_of(home: Home) -> Path:
    """Return the database's file."""
    return Path(home.lib) / "crewd.db"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process holds the lock to write."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.kill()


@contextlib.contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[Path]:
    """Something is mounted there."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *arguments, str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def small_disk(home: Home) -> Generator[Path]:
    """The state directory is a disk of half a MiB."""
    with mounted(Path(home.lib), "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs") as disk:
        yield disk


def fill(disk: Path, left: int = 0) -> Path:
    """Fill the disk up; return the file that does."""
    ballast = disk / "ballast"
    space = os.statvfs(disk)
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        file.write(bytes(space.f_bavail * space.f_bsize - left))
    return ballast


async def test_the_file_is_the_daemon_s_alone(store: SqlStore, home: Home) -> None:
    """What happened is nobody else's to read: file, log and directory."""
    old = os.umask(0)
    try:
        known = await store.open()
        await store.record(next_recording(known.position))
    finally:
        os.umask(old)

    assert stat.S_IMODE(Path(home.lib).stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(home.lib).iterdir()} == {
        "crewd.db": 0o600,
        "crewd.db-wal": 0o600,
        "crewd.db-shm": 0o600,
    }


async def test_locked_by_another_process_is_said_and_waited_for(store: SqlStore, home: Home) -> None:
    """Within the deadline, on a free loop; reading goes on; once the lock is free, so does recording."""
    known = await store.open()
    first = next_recording(known.position)
    await store.record(first)
    with locked(file_of(home)):
        async with free_loop():
            begun = time.monotonic()
            with pytest.raises(
                StoreError, match=r"cannot record in database /.*/crewd\.db: database is locked"
            ) as told:
                await store.record(next_recording(first.until))
            took = time.monotonic() - begun
            seen = await store.events(EventQuery())

    assert told.value.retryable
    assert took < DEADLINE_SEC + SLACK_SEC
    assert len(seen) == len(first.rows)
    await store.record(next_recording((await store.open()).position))
    await assert_whole(store, await store.open())


async def test_a_first_start_on_a_locked_file_fails_in_words(store: SqlStore, home: Home) -> None:
    """Opening needs the lock too, where there are no tables yet."""
    Path(home.lib).mkdir()
    file_of(home).touch()
    with locked(file_of(home)), pytest.raises(StoreError, match="database is locked"):
        await store.open()

    assert await store.open() == Remembered()


@as_root
async def test_a_full_disk_is_said_and_recording_goes_on_when_there_is_space(store: SqlStore, small_disk: Path) -> None:
    """What did not fit is not there at all, and comes when it fits."""
    place = (await store.open()).position
    ballast = fill(small_disk)
    with pytest.raises(StoreError, match=r"database or disk is full|disk I/O error") as told:
        for _ in range(100):
            recording = next_recording(place, 200)
            await store.record(recording)
            place = recording.until
    ballast.unlink()

    assert told.value.retryable
    known = await store.open()
    assert known.position == place
    await store.record(next_recording(place))
    await assert_whole(store, await store.open())


@as_root
async def test_a_first_start_on_a_full_disk_fails_in_words(store: SqlStore, small_disk: Path) -> None:
    """And the next one, with space, begins with an empty database."""
    ballast = fill(small_disk)
    with pytest.raises(StoreError, match=r"cannot \w+ database"):
        await store.open()
    ballast.unlink()

    assert await store.open() == Remembered()


@as_root
async def test_a_read_only_disk_is_said(store: SqlStore, home: Home, tmp_path: Path) -> None:
    """And when it can be written again, recording goes on."""
    kept = tmp_path / "kept"
    kept.mkdir()
    with mounted(Path(home.lib), "--bind", str(kept)):
        await store.record(next_recording((await store.open()).position))
        await store.close()
        subprocess.run(["mount", "-o", "remount,bind,ro", home.lib], check=True)
        with pytest.raises(StoreError, match=r"cannot .* database .*: .*(read-?only|unable to open)"):
            await store.record(next_recording((await store.open()).position))
        await store.close()
        subprocess.run(["mount", "-o", "remount,bind,rw", home.lib], check=True)
        await store.record(next_recording((await store.open()).position))
        await assert_whole(store, await store.open())
        await store.close()


@pytest.mark.parametrize("length", [100, 4096, 100_000])
async def test_a_file_that_is_no_database_is_left_as_it_is(store: SqlStore, home: Home, length: int) -> None:
    """Byte for byte, and loudly: somebody may want what it was."""
    Path(home.lib).mkdir()
    garbage = os.urandom(length)
    file_of(home).write_bytes(garbage)

    for _ in range(2):
        with pytest.raises(StoreError, match="file is not a database") as told:
            await store.open()

    assert not told.value.retryable
    assert file_of(home).read_bytes() == garbage
    assert [path.name for path in Path(home.lib).iterdir()] == ["crewd.db"]


async def test_a_damaged_database_is_said_and_not_written(store: SqlStore, home: Home) -> None:
    """A whole header with garbage behind it: neither read nor recorded in, byte for byte."""
    await store.record(next_recording((await store.open()).position, 2000))
    await store.close()
    page = 4096
    with file_of(home).open("r+b") as file:
        file.seek(page)
        file.write(os.urandom(file_of(home).stat().st_size - page))
    damaged = file_of(home).read_bytes()

    with pytest.raises(StoreError, match=r"malformed|not a database") as told:
        await store.record(next_recording((await store.open()).position))
    await store.close()

    assert not told.value.retryable
    assert file_of(home).read_bytes() == damaged


async def test_a_symbolic_link_is_not_followed(store: SqlStore, home: Home, tmp_path: Path) -> None:
    """Whoever could put one there does not get another file written, or made."""
    Path(home.lib).mkdir()
    file_of(home).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="it is a symbolic link"):
        await store.open()

    assert not (tmp_path / "elsewhere").exists()


async def test_a_directory_in_its_place_is_said(store: SqlStore, home: Home) -> None:
    """Nothing is guessed about it."""
    file_of(home).mkdir(parents=True)

    with pytest.raises(StoreError, match="it is not a file"):
        await store.open()


@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_file_that_went_away_is_noticed(store: SqlStore, home: Home, how: str) -> None:
    """Nothing is written into a file that nobody can reach any more; opened again, it is a new database."""
    await store.record(next_recording((await store.open()).position))
    file_of(home).rename(file_of(home).with_name("moved"))
    if how == "replaced":
        file_of(home).touch()
    with pytest.raises(StoreError, match="cannot record in"):
        await store.record(next_recording(BEGINNING))

    assert await store.open() == Remembered()
    await store.record(next_recording(BEGINNING))
    await assert_whole(store, await store.open())


async def test_a_state_directory_that_cannot_be_made_is_said(store: SqlStore, home: Home) -> None:
    """A file lies where the directory should be."""
    Path(home.lib).touch()

    with pytest.raises(StoreError, match=r"cannot create database .*/crewd\.db: (Not a directory|File exists)"):
        await store.open()


async def record_much(store: SqlStore) -> None:
    """Make a database of some megabytes, and close it."""
    place = (await store.open()).position
    for _ in range(10):
        recording = next_recording(place, 2000)
        await store.record(recording)
        place = recording.until
    await store.close()


async def test_pruned_space_goes_back_to_the_system(store: SqlStore, home: Home) -> None:
    """The file gets smaller without being written anew."""
    await record_much(store)
    before = file_of(home).stat().st_size
    await store.open()
    await store.prune(Retention(0.0, 0), 1e9)
    await store.close()

    assert before > 2_000_000
    assert file_of(home).stat().st_size < before / 10


async def test_a_file_that_cannot_shrink_is_asked_once(
    store: SqlStore, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was rebuilt from a dump keeps its size, and nobody turns in a circle for that."""
    await record_much(store)
    with contextlib.closing(sqlite3.connect(file_of(home), isolation_level=None)) as database:
        database.executescript("PRAGMA auto_vacuum=NONE; VACUUM")
    asked: list[bool] = []
    stock = SQLite.shrink
    monkeypatch.setattr(SQLite, "shrink", lambda *given: asked.append(stock(*given)) or asked[-1])
    await store.open()
    await store.prune(Retention(0.0, 0), 1e9)
    await store.close()

    assert asked == [False]
    assert file_of(home).stat().st_size > 2_000_000
