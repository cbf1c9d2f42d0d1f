"""Empty databases of each kind, with their tables. The fixtures: a module of tests imports them, ``postgres`` too."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from crewd.model.home import Home
from crewd.store import store_of
from crewd.store.choice import database_of
from crewd.store.migrate import migrate
from crewd.store.store import SqlStore
from crewd.store.versions import CURRENT
from harness.postgres import Postgres, postgres

__all__ = ["database_for", "empty_database", "empty_file", "make_tables", "opened_store", "postgres"]


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a database of SQLite with its tables, to copy."""
    directory = tmp_path_factory.mktemp("empty")
    make_tables(str(directory / "crewd.db"))
    return directory


@pytest.fixture(scope="session")
def empty_database(postgres: Postgres) -> str:
    """The name of a database of PostgreSQL with its tables, to copy."""
    url = postgres.make()
    make_tables(url)
    return url.rpartition("/")[2]


def make_tables(address: str) -> None:
    """Do here what the store lets a child do."""
    database = database_of(address, 60.0)
    database.prepare()
    migrate(database, CURRENT)


def database_for(kind: str, request: Any, home: Home) -> str:
    """Return an empty database of this kind, as the configuration names it."""
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.make(template=request.getfixturevalue("empty_database"))
    if kind == "sqlite":
        shutil.copytree(request.getfixturevalue("empty_file"), home.lib)
    return "sqlite"


@asynccontextmanager
async def opened_store(kind: str, request: Any, tmp_path: Path) -> AsyncGenerator[SqlStore]:
    """A store on an empty database of this kind, open in the block."""
    home = Home.under(str(tmp_path))
    store = store_of(database_for(kind, request, home), home)
    await store.open()
    yield store
    await store.close()
