"""What happened, in SQL: SQLite in the state directory, or PostgreSQL by its URL, with the same statements.

``store`` the port, put together · ``seat`` threads and deadlines · ``choice`` which database, ``sqlite`` and
``postgresql`` what each does in its own way · ``tables`` · ``recording``, ``reading``, ``pruning`` the statements ·
``tokens``, ``audit``, ``restart_events``, ``reports`` shelves beside the events ·
``versions``, ``migration``, ``migrate``, ``migrations`` how tables change · ``failures`` what goes wrong, in words.

Rules:

1. SQLAlchemy is imported here alone, and Alembic by the migrating child alone: its memory is not the daemon's.
2. The database is waited for in threads of this package; nothing here blocks the event loop.
3. What differs between the databases stands in ``sqlite`` and ``postgresql``; no other file asks which it is, but
   for the name of one statement.
"""

from crewd.store.audit import SqlAudit
from crewd.store.reports import SqlReports
from crewd.store.restart_events import SqlRestartEvents
from crewd.store.store import SqlStore, store_of
from crewd.store.tokens import SqlTokens

__all__ = ["SqlAudit", "SqlReports", "SqlRestartEvents", "SqlStore", "SqlTokens", "store_of"]
