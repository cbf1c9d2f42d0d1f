"""The shapes of the API's answers, made of the picture."""

import json
from pathlib import Path

import pytest

from crewd.api.crew import CrewShapes, Page, worker_status
from crewd.api.envelope import encoded, iso, success
from crewd.api.refusals import Refused, invalid, refusal_of
from crewd.model.accounts import Key, Total
from crewd.model.reasons import Reason, Verdict
from crewd.model.record import PastExit, Record, Standing
from crewd.model.spec import CrewSpec, RestartPolicy, WorkerSpec
from crewd.model.states import ProcessState, Status
from crewd.reconcile.port import Usage
from crewd.reconcile.selecting import UnknownNames
from harness.api import ADMIN, Crewd
from harness.views import shown

BOOT, WALL = 1000.0, 1_800_000_000.0
RUNS = Record(
    standing=Standing.UP,
    process_state=ProcessState.RUNNING,
    token="g.1",
    pid=77,
    started_at=BOOT - 12.5,
    started_wall=WALL - 12.5,
    starts=(BOOT - 12.5,),
)
CRASH = PastExit(WALL - 2, Reason.EXIT_CODE, 3, None, 0.25, verdict=Verdict.RESTARTED, delay_sec=2.0)
WAITS = Record(
    standing=Standing.UP,
    process_state=ProcessState.BACKOFF,
    due_at=BOOT + 1.5,
    restart_count=4,
    exits=(CRASH,),
)


def shapes(tmp_path: Path, records: dict[str, Record], spec: CrewSpec | None = None, **totals: float) -> CrewShapes:
    """Return the shapes of this crew; ``totals`` counts the exits of the worker web by reason."""
    crewd = Crewd(tmp_path)
    counted = {Key(Total.EXITS, "web", reason): number for reason, number in totals.items()}
    view = shown(records, spec, counted or None).view
    object.__setattr__(crewd.ports, "view", view)
    object.__setattr__(crewd.ports, "boot", lambda: BOOT)
    object.__setattr__(crewd.ports, "wall", lambda: WALL)
    return CrewShapes(crewd.ports)


def read(data: object) -> dict:
    """Return what a client gets."""
    return json.loads(success(data))["data"]


def test_an_instance_that_runs(tmp_path: Path) -> None:
    """Every member, as the client gets it."""
    spec = CrewSpec({"web": WorkerSpec("web", ("true",), name="The web", labels={"tier": "front"})})
    made = shapes(tmp_path, {"web-0": RUNS}, spec)
    made._view.usages.of = {"web-0": Usage(1.0, 0.125, 4096, None, None, 1)}

    assert read(made.one("web")) == {
        "worker_id": "web",
        "name": "The web",
        "status": "running",
        "restart_count": 0,
        "error_count": None,
        "last_error": None,
        "host": None,
        "port": None,
        "max_accounts": None,
        "assigned_accounts": None,
        "active_tasks": None,
        "reported_errors": None,
        "last_heartbeat_at": None,
        "heartbeat_stale": None,
        "labels": {"tier": "front"},
        "instances": [
            {
                "instance": "web-0",
                "slot": 0,
                "pid": 77,
                "status": "running",
                "process_state": "RUNNING",
                "standing": "up",
                "uptime_ms": 12500,
                "started_at": "2027-01-15T07:59:47.500Z",
                "restart_count": 0,
                "budget": 9,
                "last_exit": None,
                "restart_at": None,
                "due_in_sec": None,
                "cpu_usage": 12.5,
                "memory_usage": 4096,
                "heartbeat": None,
            }
        ],
    }


def test_an_instance_that_waits_for_its_restart(tmp_path: Path) -> None:
    """When the next try is, and what the last exit was."""
    worker = read(shapes(tmp_path, {"web-0": WAITS}, None, ExitCode=4.0, CleanExit=7.0).one("web-0"))
    [one] = worker["instances"]

    assert (one["pid"], one["uptime_ms"], one["started_at"], one["budget"]) == (None, None, None, None)
    assert (one["due_in_sec"], one["restart_at"]) == (1.5, "2027-01-15T08:00:01.500Z")
    assert one["last_exit"] == {
        "at": "2027-01-15T07:59:58.000Z",
        "cause": "exit code 3",
        "code": 3,
        "signal": None,
        "reason": "ExitCode",
        "verdict": "Restarted",
        "ran_sec": 0.25,
        "message": "",
        "commanded": False,
    }
    assert (worker["status"], worker["restart_count"]) == ("crashed", 4)
    assert worker["error_count"] == 4
    assert worker["last_error"] == "web-0: exit code 3 after 0.25 s"


def test_no_limit_is_no_budget(tmp_path: Path) -> None:
    """JSON has no infinity."""
    spec = CrewSpec({"web": WorkerSpec("web", ("true",), policy=RestartPolicy(start_limit_burst=0))})

    assert read(shapes(tmp_path, {"web-0": RUNS}, spec).one("web"))["instances"][0]["budget"] is None


def test_what_changed_is_shown_anew(tmp_path: Path) -> None:
    """What was made of an older record is not kept."""
    made = shapes(tmp_path, {"web-0": RUNS})
    made.one("web")
    made._view.crew._records["web-0"] = WAITS

    assert read(made.one("web"))["instances"][0]["process_state"] == "BACKOFF"


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        ((Status.RUNNING, Status.RUNNING), Status.RUNNING),
        ((Status.RUNNING, Status.ERROR, Status.CRASHED), Status.ERROR),
        ((Status.RUNNING, Status.CRASHED, Status.STARTING), Status.CRASHED),
        ((Status.RUNNING, Status.STARTING), Status.STARTING),
        ((Status.RUNNING, Status.STOPPING), Status.STOPPING),
        ((Status.RUNNING, Status.STOPPED), Status.RUNNING),
        ((Status.STOPPED, Status.STOPPED), Status.STOPPED),
    ],
)
def test_a_worker_is_what_is_worst_of_its_instances(statuses: tuple[Status, ...], whole: Status) -> None:
    """One that failed must not hide behind those that run."""
    assert worker_status(statuses) is whole


def test_pages_fit_together(tmp_path: Path) -> None:
    """Each worker once, whatever the limit; the summary is of all of them."""
    made = shapes(tmp_path, {f"w{number}-0": RUNS for number in range(5)})
    names, cursor = [], None
    while True:
        page = made.all(ADMIN, [], Page(limit=2, cursor=cursor))
        names += [worker["worker_id"] for worker in page["workers"]]
        assert page["summary"] == {"workers": 5, "instances": 5, "by_status": {"running": 5}}
        if (cursor := page["next_cursor"]) is None:
            break

    assert names == [f"w{number}" for number in range(5)]


def test_a_list_holds_what_was_asked_for(tmp_path: Path) -> None:
    """By name, and by the worker's status."""
    made = shapes(tmp_path, {"web-0": RUNS, "web-1": RUNS, "mail-0": WAITS})

    [by_name] = read(made.all(ADMIN, ["web-1"], Page()))["workers"]
    crashed = made.all(ADMIN, [], Page(statuses={Status.CRASHED}))

    assert [one["instance"] for one in by_name["instances"]] == ["web-1"]
    assert [worker["worker_id"] for worker in crashed["workers"]] == ["mail"]
    with pytest.raises(UnknownNames):
        made.all(ADMIN, ["wbe"], Page())


def test_a_crew_of_nobody_is_an_answer(tmp_path: Path) -> None:
    """Before the first configuration there is nobody, and that is no mistake."""
    answer = read(shapes(tmp_path, {}).all(ADMIN, [], Page()))

    assert answer["workers"] == []
    assert answer["configuration"]["in_force"] is False


def test_stray_bytes_are_replaced() -> None:
    """A worker's message may be no text; an answer is UTF-8 all the same."""
    assert json.loads(encoded({"message": ["a\udcffb", {"c": "\ud800"}]})) == {"message": ["a?b", {"c": "?"}]}


def test_a_time_that_is_none_is_null() -> None:
    """Also one that no calendar has."""
    assert iso(None) is None
    assert iso(1e20) is None
    assert iso(0.0004) == "1970-01-01T00:00:00.000Z"


def test_a_refusal_is_an_error_with_a_sentence() -> None:
    """Raised where it is found, answered in one place."""
    refusal = refusal_of(invalid("cannot read x: it is no number", known=["y"]))
    assert isinstance(invalid("cannot"), Refused)
    assert (refusal.status, refusal.code, refusal.details) == (422, "VALID_001", {"known": ["y"]})
