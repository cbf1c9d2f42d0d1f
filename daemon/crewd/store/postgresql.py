"""PostgreSQL: a server, over psycopg 3. The URL goes to libpq as it is written, so it means what it means to psql.

Rules:

1. The server gives up before we do: a statement and a lock have their own timeouts there, shorter than the call's
   deadline. A server that hangs altogether is left by cutting the socket.
2. A commit waits for the server's disk (synchronous_commit is the server's): the engine may remove what is recorded.
"""

import os
import socket
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from crewd.errors import StoreError
from crewd.store.database import Role

MIGRATION_LOCK = 0x63726577_64
"""An advisory lock's number: "crewd"."""
MIGRATOR_LOCK_SEC = 300.0
CONNECT_LEAST_SEC = 2
_SECRETS = ("password", "sslpassword")


class PostgreSQL:
    """Implements ``database.Database``. ``patience_sec``: how long the server is waited for in each call."""

    def __init__(self, url: str, patience_sec: float) -> None:
        self.address = url
        self.name, self.secrets = _named(url)
        self.row_bytes = 310
        self._patience_sec = patience_sec
        self._engines = {role: self._engine(role) for role in Role}

    def prepare(self) -> None:
        """The database is the operator's to make."""

    def connect(self, role: Role) -> Connection:
        """Return a new connection."""
        return self._engines[role].connect()

    def is_current(self, connection: Connection) -> bool:  # noqa: ARG002 - the port's
        """A server that went away says so itself."""
        return True

    def break_off(self, driver: Any) -> None:
        """Cut the socket: the thread that waits for an answer gets an error at once."""
        try:
            with socket.socket(fileno=os.dup(driver.pgconn.socket)) as wire:
                wire.shutdown(socket.SHUT_RDWR)
        except Exception:  # noqa: BLE001, S110 - psycopg's own error, or the system's: it is closed already
            pass

    def exclude(self, connection: Connection) -> None:
        """Take the advisory lock; it ends with the transaction."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": MIGRATION_LOCK})

    def back_up(self, revision: str) -> None:
        """A backup of a server is its operator's: pg_dump. A migration is one transaction here."""

    def shrink(self, connection: Connection) -> bool:  # noqa: ARG002 - the port's
        """Autovacuum does."""
        return False

    def _engine(self, role: Role) -> Engine:
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: self._driver(role),
            poolclass=NullPool,
            isolation_level="READ COMMITTED",
            use_native_hstore=False,
        )

    def _driver(self, role: Role) -> Any:
        import psycopg  # noqa: PLC0415 - an extra, and ten MiB that SQLite does not need

        driver = psycopg.connect(
            self.address,
            connect_timeout=max(CONNECT_LEAST_SEC, round(self._patience_sec)),
            fallback_application_name=f"crewd {role}",
            client_encoding="utf8",
            autocommit=True,
        )
        settings = self._settings(role)
        driver.execute(
            "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted(name, value)",
            (list(settings), list(settings.values())),
        )
        driver.autocommit = False
        return driver

    def _settings(self, role: Role) -> dict[str, str]:
        migrator = role is Role.MIGRATOR
        return {
            "statement_timeout": "0" if migrator else _milliseconds(self._patience_sec * 1.5),
            "lock_timeout": _milliseconds(MIGRATOR_LOCK_SEC if migrator else self._patience_sec),
            "idle_in_transaction_session_timeout": _milliseconds(MIGRATOR_LOCK_SEC),
            "default_transaction_read_only": "on" if role is Role.READER else "off",
        }


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _named(url: str) -> tuple[str, tuple[str, ...]]:
    """Return the URL as a message may show it, and what it may not show."""
    try:
        from psycopg import conninfo  # noqa: PLC0415 - an extra
    except ImportError:
        raise StoreError("cannot use database postgresql: install crewd[postgresql]") from None
    try:
        members = conninfo.conninfo_to_dict(url)
        parts = urlsplit(url)
        user, host, _ = parts.username, parts.netloc.rpartition("@")[2], parts.port
    except Exception:  # noqa: BLE001 - ValueError, or psycopg's own; what it says repeats the URL
        raise StoreError("cannot use database postgresql: its URL cannot be read") from None
    secrets = {str(members[key]) for key in _SECRETS if members.get(key)} | {parts.password or ""}
    return f"database postgresql://{user + '@' if user else ''}{host}{parts.path}", tuple(sorted(secrets - {""}))
