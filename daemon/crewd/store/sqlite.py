"""SQLite: one file in the state directory.

Rules:

1. WAL, so readers and the writer do not wait for each other; every write begins IMMEDIATE, so it waits for a lock
   before it has read anything, never in the middle.
2. The file is made here, 0600, and only by ``prepare``: a connection never makes one, so a file that vanished is an
   error and not an empty database. A symbolic link is not followed.
3. While a connection may be open the file is looked at by its name alone: closing any descriptor of it would let go of
   SQLite's own locks (POSIX).
4. Space that pruning freed goes back to the system a little at a time (auto_vacuum INCREMENTAL, set when it is made).
"""

import os
import sqlite3
import stat
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from crewd.errors import StoreError
from crewd.store.database import Role

WAL_BYTES = 16 * 1024 * 1024
"""What the file beside it shrinks to after a burst."""
SHRINK_PAGES = 1000
READER_CACHE_KIB = 512
_FILE = "crewd_file"


class SQLite:
    """Implements ``database.Database``. ``busy_sec``: how long a lock of another process is waited for."""

    def __init__(self, path: str, busy_sec: float) -> None:
        self.address = path
        self.name = f"database {path}"
        self.secrets: tuple[str, ...] = ()
        self.row_bytes = 190
        self._busy_sec = busy_sec
        self._engines = {role: self._engine(role) for role in Role}

    def prepare(self) -> None:
        """Make the directory and an empty file where there is none."""
        Path(self.address).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            made = os.open(self.address, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return
        os.close(made)

    def connect(self, role: Role) -> Connection:
        """Return a new connection."""
        return self._engines[role].connect()

    def is_current(self, connection: Connection) -> bool:
        """Return whether the file it opened still lies there."""
        try:
            return connection.info.get(_FILE) == _identity(os.lstat(self.address))
        except OSError:
            return False

    def break_off(self, driver: Any) -> None:
        """Interrupt what it computes. A wait for a lock ends by itself, and one for a broken disk by nothing."""
        try:
            driver.interrupt()
        except sqlite3.Error:
            pass  # closed already

    def exclude(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE did."""

    def back_up(self, revision: str) -> None:
        """Copy it to ``<file>.<revision>.bak``: whole, synced, or not at all."""
        aside, place = f"{self.address}.{revision}.bak.new", f"{self.address}.{revision}.bak"
        _remove(aside)
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        try:
            self._copy(aside)
            _sync(aside)
            Path(aside).replace(place)
        except BaseException:
            _remove(aside)
            raise
        _sync(str(Path(self.address).parent))

    def shrink(self, connection: Connection) -> bool:
        """Cut free pages off the end of the file; return whether that did something and more are left.

        It does nothing for a file that was not made by crewd, but rebuilt from a dump: such a file is of auto_vacuum 0.
        """
        driver: Any = connection.connection.driver_connection
        before = _free_pages(driver)
        # a script, for execute() stops after the first step, and each step frees one page
        driver.executescript(f"BEGIN IMMEDIATE; PRAGMA incremental_vacuum({SHRINK_PAGES}); COMMIT")
        return 0 < _free_pages(driver) < before

    def _copy(self, place: str) -> None:
        source, copy = _open(self.address, self._busy_sec), _open(place, self._busy_sec)
        try:
            source.backup(copy)
        finally:
            copy.close()
            source.close()

    def _engine(self, role: Role) -> Engine:
        engine = create_engine("sqlite+pysqlite://", creator=lambda: self._driver(role), poolclass=NullPool)
        event.listen(engine, "begin", partial(_begin, statement="BEGIN" if role is Role.READER else "BEGIN IMMEDIATE"))
        event.listen(engine, "connect", self._remember)
        return engine

    def _driver(self, role: Role) -> sqlite3.Connection:
        found = self._look()
        driver = _open(self.address, self._busy_sec)
        try:
            _set_up(driver, role, new=found.st_size == 0)
        except BaseException:
            driver.close()
            raise
        return driver

    def _remember(self, _driver: object, record: Any) -> None:
        record.info[_FILE] = _identity(self._look())

    def _look(self) -> os.stat_result:
        found = os.lstat(self.address)
        if stat.S_ISLNK(found.st_mode):
            raise StoreError(f"cannot open {self.name}: it is a symbolic link")
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"cannot open {self.name}: it is not a file")
        return found


def _open(path: str, busy_sec: float) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True, timeout=busy_sec, isolation_level=None)


def _begin(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _set_up(driver: sqlite3.Connection, role: Role, *, new: bool) -> None:
    driver.execute("PRAGMA foreign_keys=ON")
    driver.execute("PRAGMA cell_size_check=ON")
    if role is Role.READER:
        driver.execute("PRAGMA query_only=ON")
        driver.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB}")
        return
    if new:
        driver.execute("PRAGMA auto_vacuum=INCREMENTAL")
    (mode,) = driver.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError("the file system cannot hold a write-ahead log")
    driver.execute("PRAGMA synchronous=NORMAL")
    driver.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")


def _free_pages(driver: Any) -> int:
    return driver.execute("PRAGMA freelist_count").fetchone()[0]


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
