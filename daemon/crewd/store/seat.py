"""A seat: one thread with one connection. The database is waited for here, never on the event loop.

What a piece of work may be, in words:

- WAITING: another is before it. By its deadline it is taken back, and never begins.
- RUNNING: in the thread. By its deadline its connection is broken off; its outcome is nobody's, and unknown.
- DONE: its answer, or its StoreError, is handed over.

Rules:

1. One piece of work at a time, in the order in which it came.
2. After any failure of the database the connection is given up: the next piece of work gets a new one.
3. Reading is tried again, once, where a connection turns out to have died since it was used last.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from crewd.errors import StoreError
from crewd.store.database import Database, Role
from crewd.store.failures import FAILURES, failure

T = TypeVar("T")
Work = Callable[[Connection], T]


class Seat:
    """One thread, started by the first piece of work; ``close`` ends it."""

    def __init__(self, database: Database, role: Role) -> None:
        self._database = database
        self._role = role
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"crewd-store-{role}")
        self._connection: Connection | None = None
        self._driver: Any = None
        self._handing_back = threading.Lock()
        """Held while the connection is closed: its socket must not be somebody else's when it is cut."""

    async def call(self, verb: str, work: Work[T], deadline_sec: float) -> T:
        """Do it in the thread and return its answer; ``verb`` is for the message where that fails."""
        return await self._in_thread(verb, lambda: self._do(verb, work), deadline_sec)

    async def call_anew(self, verb: str, work: Work[T], deadline_sec: float) -> T:
        """As ``call``, on a new connection, to a database that is made first where there is none."""

        def anew() -> T:
            self._drop()
            self._prepare()
            return self._do(verb, work)

        return await self._in_thread(verb, anew, deadline_sec)

    async def close(self, deadline_sec: float) -> None:
        """Let go of the connection and the thread; what hangs is left behind."""
        try:
            await self._in_thread("close", self._drop, deadline_sec)
        except StoreError:
            self._break_off()  # of what is before it, whose caller was cancelled: the process would wait for the thread
        finally:
            self._threads.shutdown(wait=False)

    async def _in_thread(self, verb: str, job: Callable[[], T], deadline_sec: float) -> T:
        running = self._threads.submit(job)
        try:
            async with asyncio.timeout(deadline_sec):
                return await asyncio.wrap_future(running)
        except TimeoutError:
            if running.running():
                self._break_off()
            message = f"cannot {verb} {self._database.name}: no answer within {deadline_sec:g} s"
            raise StoreError(message, retryable=True) from None

    def _break_off(self) -> None:
        if self._handing_back.acquire(blocking=False):
            try:
                if self._driver is not None:
                    self._database.break_off(self._driver)
            finally:
                self._handing_back.release()

    # In the thread

    def _prepare(self) -> None:
        try:
            self._database.prepare()
        except OSError as error:
            raise failure("create", self._database.name, error) from None

    def _do(self, verb: str, work: Work[T]) -> T:
        again = self._role is Role.READER and self._connection is not None
        try:
            return self._try(work)
        except FAILURES as error:
            self._drop()
            if not (again and isinstance(error, DBAPIError) and error.connection_invalidated):
                raise failure(verb, self._database.name, error, self._database.secrets) from None
        return self._do(verb, work)

    def _try(self, work: Work[T]) -> T:
        if self._connection is not None and not self._database.is_current(self._connection):
            self._drop()
        if self._connection is None:
            self._connection = self._database.connect(self._role)
            self._driver = self._connection.connection.driver_connection
        return work(self._connection)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with self._handing_back:
            self._driver = None
            try:
                connection.invalidate()  # a rollback would wait for an answer
                connection.close()
            except FAILURES:
                pass
