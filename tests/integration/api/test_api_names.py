"""Names that can be none, asked of a real database: what no worker is called is unknown, and no failure of the store.

PostgreSQL takes no NUL in a text, SQLite does.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crewd.api import Server
from crewd.store import SqlReports, SqlRestartEvents
from crewd.store.configurations import SqlConfigurations
from harness.api import Crewd, running
from harness.databases import empty_database, empty_file, opened_store, postgres

__all__ = ["crewd", "empty_database", "empty_file", "postgres"]


@pytest.fixture(params=["sqlite", "postgresql"])
async def crewd(request: Any, tmp_path: Path) -> AsyncIterator[Crewd]:
    """All that is read is read from that kind of database."""
    made = Crewd(tmp_path)
    async with opened_store(request.param, request, tmp_path / "database") as store:
        made.configuring.stored = SqlConfigurations(store)
        made.ports = replace(
            made.ports,
            store=store,
            restarts=SqlRestartEvents(store),
            reports=SqlReports(store),
            configurations=SqlConfigurations(store),
        )
        made.server = Server(made.ports, made.path, "")
        async with running(made):
            yield made


@pytest.mark.parametrize("sign", ["%00", "%01", "%0a", "%7f", "%c2%80"])
async def test_what_can_be_no_name_is_an_unknown_one(crewd: Crewd, sign: str) -> None:
    """In each place where a name that is unknown may be that of something which is no more."""
    name = f"x{sign}-0"
    for method, target in (
        ("GET", f"/api/v1/events?instance={name}"),
        ("GET", f"/api/v1/events?instance=x{sign}"),
        ("GET", f"/api/v1/worker-logs?instance={name}"),
        ("GET", f"/api/v1/worker-logs?worker={name}"),
        ("GET", f"/api/v1/worker-configs/{name}"),
        ("DELETE", f"/api/v1/worker-configs/{name}"),
        ("PATCH", f"/api/v1/worker-configs/{name}"),
    ):
        answer = await crewd.ask(method, target, {} if method == "PATCH" else None)
        assert (target, answer.status) == (target, 404)
    assert (await crewd.get(f"/restart-events?worker={sign}")).data["restart_events"] == []
    assert (await crewd.get(f"/restart-events?worker={sign}&worker=web")).data["restart_events"] == []


async def test_all_else_is_found_as_before(crewd: Crewd) -> None:
    """A name of something that is no more gives nothing, or is unknown."""
    assert (await crewd.get("/restart-events?worker=gone")).data["restart_events"] == []
    assert (await crewd.get("/events?instance=web-0&limit=0")).status == 200
    assert (await crewd.get("/worker-configs/gone")).status == 404
