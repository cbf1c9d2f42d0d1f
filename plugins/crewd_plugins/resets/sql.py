"""``type: sql``: rows of locks, by one parameterised statement.

Rules:

1. One DELETE or UPDATE, which names its rows by bound parameters: what a value is never becomes part of the statement.
2. Each key is a transaction of its own: one that fails does not undo the others.
3. The database is waited for in a thread. At the deadline the connection is cut, so that the thread ends, too.
"""

import asyncio
import contextlib
import os
import re
import socket
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from sqlalchemy import Connection, Engine, NullPool, TextClause, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from crewd.plugin import Act, Occasion, OptionError, Reset, Step, option
from crewd_plugins.resets.owners import check_owner, owners

DELETE_ROWS = "delete_lock_rows"
CONNECT_LEAST_SEC = 2
_KNOWN = ("key", "owner", "worker_id")
_VERB = re.compile(r"\s*(delete\s+from|update)\s", re.IGNORECASE)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlOptions:
    """What is deleted from a database."""

    url: str = option(
        "The database: postgresql://user:password@host:port/name, or sqlite:///path of a file that is there.",
        pattern=r"^(?:postgresql://\S+|sqlite:///\S+)$",
        what="a URL such as postgresql://user:password@host:port/name, or sqlite:////var/lib/app/app.db",
        secret=True,
    )
    statement: str = option(
        "One DELETE or UPDATE. Bound by name: :key, :owner, :worker_id, and what parameters has.",
        what="a statement such as DELETE FROM locks WHERE name = :key",
    )
    keys: tuple[str, ...] = option("The statement is carried out for each of these as :key.", what="name")
    owner: str | None = option(
        "What :owner is: a text with {instance} and {worker_id} in it. With {instance} the statement is carried out "
        "for each instance.",
        default=None,
    )
    parameters: Mapping[str, str] | None = option("More parameters, by name.", default=None)
    timeout_sec: float = option(
        "How long the server may take for one statement, or for a lock.", default=5.0, most=60.0
    )
    deadline_sec: float = option("How long all of it may take.", default=10.0, most=600.0)

    def __post_init__(self) -> None:
        """Look at what needs more than one value."""
        check_owner(self.owner, star=False)
        if not self.keys:
            raise OptionError("keys", "names no key: write at least one")
        self._check_statement()
        for name in self.parameters or {}:
            if name in _KNOWN:
                raise OptionError("parameters", f"{name} is given by crewd: choose another name")

    def _check_statement(self) -> None:
        if not _VERB.match(self.statement):
            raise OptionError("statement", "is neither DELETE FROM nor UPDATE: nothing else clears a lock")
        if ";" in self.statement:
            raise OptionError("statement", "holds a ;: one statement, and no more")
        named = set(parameters_of(self.statement))
        if unknown := sorted(named - {*_KNOWN, *(self.parameters or {})}):
            raise OptionError("statement", f"binds :{unknown[0]}, which nothing gives: add it to parameters")
        if "key" not in named:
            raise OptionError("statement", "does not bind :key: it would not be about the keys that are named")
        if "owner" in named and self.owner is None:
            raise OptionError("statement", "binds :owner, and there is no owner: write owner")


def parameters_of(statement: str) -> tuple[str, ...]:
    """Return the names that a statement binds."""
    bound: Mapping[str, Any] = text(statement).compile().params
    return tuple(bound)


class SqlReset(Reset[SqlOptions]):
    """Deletes it."""

    options_type = SqlOptions

    def __init__(self, options: SqlOptions) -> None:
        super().__init__(options)
        self._wire = _Wire(options.url, options.timeout_sec)
        self._statement = text(options.statement)
        self._thread: ThreadPoolExecutor | None = None

    @property
    def deadline_sec(self) -> float:
        """As configured."""
        return self.options.deadline_sec

    def acts(self) -> tuple[Act, ...]:
        """One for each key."""
        return tuple(Act(DELETE_ROWS, key) for key in self.options.keys)

    async def open(self) -> None:
        """Connect."""
        self._thread = ThreadPoolExecutor(1, "crewd-reset-sql")
        await self._in_thread("reach the database", self._wire.connect)

    async def perform(self, act: Act, occasion: Occasion) -> AsyncGenerator[Step, None]:
        """Carry the statement out for one key."""
        bound = list(self._bound(act.key, occasion))
        rows = await self._in_thread(
            f"delete the rows of {act.key}", lambda: self._wire.execute(self._statement, bound)
        )
        yield Step(DELETE_ROWS, act.key, details={"deleted": rows})

    async def close(self) -> None:
        """Let go of the connection; the thread ends when it is done."""
        if self._thread is not None:
            self._thread.submit(self._wire.close)
            self._thread.shutdown(wait=False)

    def _bound(self, key: str, occasion: Occasion) -> Iterator[dict[str, str]]:
        values = {**(self.options.parameters or {}), "key": key, "worker_id": occasion.worker_id}
        named = parameters_of(self.options.statement)
        for owner in owners(self.options.owner, occasion) if self.options.owner else ("",):
            given = {**values, "owner": owner}
            yield {name: given[name] for name in named}

    async def _in_thread(self, verb: str, work: Callable[[], T]) -> T:
        if self._thread is None:
            raise OSError(f"cannot {verb}: it is not open")
        running = self._thread.submit(work)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            self._wire.cut()
            raise
        except (SQLAlchemyError, sqlite3.Error, OSError, ValueError, ImportError) as error:
            raise OSError(f"cannot {verb}: {_cause(error)}") from None


def _cause(error: Exception) -> str:
    """Return what the driver said: not the statement, and no row."""
    said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(said, ImportError):
        return "install crewd[postgresql]"
    diagnosis: object = getattr(said, "diag", None)
    return str(getattr(diagnosis, "message_primary", None) or said)


@dataclass(slots=True)
class _Wire:
    """One connection. All but ``cut`` is called in its thread."""

    url: str
    timeout_sec: float
    _driver: Any = None
    _connection: Connection | None = None
    _cut: bool = field(default=False)

    def connect(self) -> None:
        """Connect."""
        self._connection = self._engine().connect()

    def execute(self, statement: TextClause, bound: list[dict[str, str]]) -> int:
        """Carry it out in one transaction; return how many rows it was about. Connects again where it has to."""
        if self._connection is None or self._connection.closed or self._connection.invalidated:
            self.connect()
        connection = self._connection
        if connection is None or self._cut:
            raise OSError("it took too long")
        with connection.begin():
            return sum(max(0, connection.execute(statement, values).rowcount) for values in bound)

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(Exception):
            if self._connection is not None:
                self._connection.close()

    def cut(self) -> None:
        """Let what runs in the thread fail at once. From any thread."""
        self._cut = True
        with contextlib.suppress(Exception):
            if isinstance(self._driver, sqlite3.Connection):
                self._driver.interrupt()
            elif self._driver is not None:
                with socket.socket(fileno=os.dup(self._driver.pgconn.socket)) as wire:
                    wire.shutdown(socket.SHUT_RDWR)

    def _engine(self) -> Engine:
        sqlite = self.url.startswith("sqlite:")
        dialect = "sqlite+pysqlite://" if sqlite else "postgresql+psycopg://"
        make = self._sqlite if sqlite else self._postgresql
        return create_engine(dialect, creator=make, poolclass=NullPool, hide_parameters=True)

    def _sqlite(self) -> Any:
        path = unquote(urlsplit(self.url).path.removeprefix("/"))
        # mode=rw: a file that is not there is not made
        self._driver = sqlite3.connect(
            f"file:{quote(path)}?mode=rw", uri=True, timeout=self.timeout_sec, check_same_thread=False
        )
        return self._driver

    def _postgresql(self) -> Any:
        import psycopg  # noqa: PLC0415 - an extra, which sqlite does not need

        lock_ms = round(self.timeout_sec * 1000)
        self._driver = psycopg.connect(
            self.url,
            connect_timeout=max(CONNECT_LEAST_SEC, round(self.timeout_sec)),
            fallback_application_name="crewd reset",
            # a lock is given up first, for that says more
            options=f"-c lock_timeout={lock_ms} -c statement_timeout={lock_ms * 5 // 4}",
        )
        return self._driver
