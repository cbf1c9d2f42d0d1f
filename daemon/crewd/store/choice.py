"""Which database an address means: a path is SQLite's, anything else is a URL of PostgreSQL."""

from crewd.store.database import Database
from crewd.store.postgresql import PostgreSQL
from crewd.store.sqlite import SQLite


def database_of(address: str, patience_sec: float) -> Database:
    """Return the database, untouched. ``patience_sec``: how long a lock, or a server, is waited for."""
    return SQLite(address, patience_sec) if address.startswith("/") else PostgreSQL(address, patience_sec)
