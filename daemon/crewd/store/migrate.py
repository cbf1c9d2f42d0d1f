"""``python -P -m crewd.store.migrate``: brings the tables up to date, in a process of its own.

It reads ``{"database": path or URL, "to": revision}`` from its standard input, for a URL may hold a password, and
arguments can be read by everybody. It exits 0, or says one sentence and exits 75 where trying again may help, else 1.

Rules:

1. All of it is one transaction: what fails leaves the tables as they were.
2. Two at once: the second waits, and finds nothing left to do.
3. The backup is made while that transaction holds the lock, so it is of what is migrated.
"""

import json
import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from crewd.errors import StoreError
from crewd.store.choice import database_of
from crewd.store.database import Database, Role
from crewd.store.failures import FAILURES, failure
from crewd.store.migration import EX_TEMPFAIL
from crewd.store.versions import is_behind, revision_of

PATIENCE_SEC = 60.0
SCRIPTS = Path(__file__).parent / "migrations"


def main() -> None:
    """Do what standard input says."""
    order: Any = json.load(sys.stdin)
    try:
        migrate(database_of(order["database"], PATIENCE_SEC), order["to"])
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EX_TEMPFAIL if error.retryable else 1)


def migrate(database: Database, to: str) -> None:
    """Bring the tables to ``to`` where they are behind it."""
    try:
        with database.connect(Role.MIGRATOR) as connection, connection.begin():
            database.exclude(connection)
            revision = revision_of(connection)
            if is_behind(revision, database.name, to):
                if revision is not None:
                    database.back_up(revision)
                _upgrade(connection, to)
    except FAILURES as error:
        raise failure("migrate", database.name, error, database.secrets) from None


def _upgrade(connection: Connection, to: str) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    command.upgrade(config, to)


if __name__ == "__main__":
    main()
