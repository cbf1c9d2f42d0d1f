"""Whatever the API takes and answers stands in docs/reference/api.md."""

import json
import re
from pathlib import Path

from crewd.api import refusals
from crewd.api.crew import CrewShapes, Page
from crewd.api.envelope import encoded
from crewd.api.events import stored_event
from crewd.api.shapes.access import Audit, CreatedToken, Entry, RevokedToken, Tokens
from crewd.api.worker_health import WorkerHealth
from crewd.api.worker_logs import reported
from crewd.model.report import Heartbeat, Level, LogEntry, LogKind
from crewd.reconcile.storage import Row, StoredEvent
from harness.api import ADMIN, Crewd, running
from harness.described import described

PAGE = (Path(__file__).parents[3] / "docs/reference/api.md").read_text()
WORDS = set(re.findall(r"`([^`\n]+)`", PAGE))


def missing(wanted: set[str]) -> list[str]:
    """Return what the page lacks."""
    return sorted(wanted - WORDS)


def members(shape: object) -> set[str]:
    """Return the names of all members, however deep, but of labels and of counts by status."""
    if isinstance(shape, list):
        return {name for one in shape for name in members(one)}
    if not isinstance(shape, dict):
        return set()
    below = {
        name
        for key, one in shape.items()
        if key not in {"labels", "by_status", "instances_by_status"}
        for name in members(one)
    }
    return set(shape) | below


def test_each_path_is_documented() -> None:
    """With its method; the parameters stand beside it."""
    paths = described().document["paths"]
    wanted = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}

    assert len(wanted) == 34
    assert not missing(wanted)


def test_each_parameter_is_documented() -> None:
    """Also those in headers and bodies."""
    crewd = described().document
    routes = [route for methods in crewd["paths"].values() for route in methods.values()]
    asked = [parameter for route in routes for parameter in route.get("parameters", ())]
    schemas = crewd["components"]["schemas"]
    known = ("Batch", "Options", "NewToken", "Shutdown", "HeartbeatBody", "OneEntry", "SeveralEntries")
    bodies = [name for schema in known for name in schemas[schema]["properties"]]

    assert {"worker", "wait", "follow"} <= {one["name"] for one in asked}
    headers = {one["name"] for one in asked if one["in"] == "header"}
    assert not missing({one["name"] for one in asked if one["in"] == "query"} - {"wait"})
    assert "`wait=30s`" in PAGE
    assert headers == {"last-event-id", "if-match"}
    assert not [name for name in bodies if f'"{name}"' not in PAGE and name not in WORDS]


def test_each_code_is_documented() -> None:
    """A program may rely on them."""
    source = Path(refusals.__file__).parent
    codes = {code for file in source.glob("*.py") for code in re.findall(r'Refusal\(\d+, "(\w+)"', file.read_text())}

    assert len(codes) == 24
    assert not missing(codes)


async def test_each_member_of_an_answer_is_documented(tmp_path: Path) -> None:
    """Of the crew, its health and its sums, of an event, of what was reported, of a token and of the audit."""
    crewd = Crewd(tmp_path)
    async with running(crewd, serving=False):
        crewd.supervisord.crash("web-0")
        crewd.reporting.hear("web-1", Heartbeat(0.0, 0.0, 1, 2, 3))
        await crewd.advance(100)
        health = WorkerHealth(crewd.ports, CrewShapes(crewd.ports))
        more = [health.of("web"), health.overview(ADMIN)]
        more += [reported(LogEntry(1.0, "web-0", LogKind.TASK, Level.INFO, "did it"))]
        crew = json.loads(encoded(CrewShapes(crewd.ports).all(ADMIN, [], Page())))
        line = '{"v":1,"seq":1,"boottime":1.0,"at":1.0,"type":"succeeded","instance":"web-0"}'
        event = stored_event(StoredEvent(1, Row("g", 1, 1.0, "succeeded", "web-0", line)))

    access = {name for shape in (CreatedToken, RevokedToken, Entry, Audit, Tokens) for name in shape.__annotations__}
    assert {"token", "changed", "created_by", "claimed", "waiting"} <= access
    assert more[0]["reasons"]
    assert not missing(members(crew) | members(event) | members(more) | access)
