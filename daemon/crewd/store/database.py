"""What the rest of the store needs of a database: implemented by ``sqlite`` and ``postgresql``."""

from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Connection


class Role(StrEnum):
    """What a connection is for."""

    WRITER = "writer"
    READER = "reader"
    MIGRATOR = "migrator"
    """Alone, and for as long as it takes."""


class Database(Protocol):
    """A database: how it is reached, and what it does in its own way. All of it blocks, but ``break_off``."""

    @property
    def name(self) -> str:
        """What it is called in messages: without a password."""
        ...

    @property
    def address(self) -> str:
        """The path or URL that names it to ``crewd.store.migrate``. May hold a password."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold."""
        ...

    @property
    def row_bytes(self) -> int:
        """What an event takes besides its line: its other columns, and its entries in five indexes. Measured."""
        ...

    def prepare(self) -> None:
        """Make what must be there before the first connection."""
        ...

    def connect(self, role: Role) -> Connection:
        """Return a new connection; its transactions are the role's."""
        ...

    def is_current(self, connection: Connection) -> bool:
        """Return whether the connection still leads to the database that a new one would lead to."""
        ...

    def break_off(self, driver: Any) -> None:
        """Let what runs on this driver's connection fail soon. Called from another thread, and never blocks."""
        ...

    def exclude(self, connection: Connection) -> None:
        """In a transaction: wait until no other migration runs, and let none begin before this one ends."""
        ...

    def back_up(self, revision: str) -> None:
        """Keep the tables as they are, before a migration from ``revision``."""
        ...

    def shrink(self, connection: Connection) -> bool:
        """Give a little of the space that pruning freed back to the system; return whether there is more of it."""
        ...
