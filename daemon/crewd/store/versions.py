"""The version of the tables: what a database has, and what this crewd knows.

A version is the revision of the last migration that a database went through, as Alembic notes it. It is read here
without Alembic.
"""

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from crewd import __version__
from crewd.errors import StoreError

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""All of ``migrations/versions``, oldest first; a test holds it to that."""
CURRENT = REVISIONS[-1]

VERSION_TABLE = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def revision_of(connection: Connection) -> str | None:
    """Return the database's revision; None where it has no tables yet. Within a transaction."""
    if not inspect(connection).has_table(VERSION_TABLE.name):
        return None
    return connection.scalar(select(VERSION_TABLE.c.version_num))


def is_behind(revision: str | None, database: str, to: str = CURRENT) -> bool:
    """Return whether the tables must be migrated; raise where a newer crewd wrote them."""
    if revision is None:
        return True
    if revision not in REVISIONS:
        raise StoreError(
            f"cannot use {database}: its tables are of version {revision}, and crewd {__version__} knows them up to "
            f"version {CURRENT}: a newer crewd, or another program, wrote them; nothing was changed"
        )
    return REVISIONS.index(revision) < REVISIONS.index(to)
