"""What the daemon's API answers, as crewctl's tests need it: members have the values of a healthy crew unless given."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from crewd import __version__
from crewd.store.versions import CURRENT

AT = "2026-01-31T09:00:00.000Z"
AT_UNIX = 1_769_850_000.0
POLICY = {"restart": "on-failure", "start_limit_burst": 10, "start_limit_interval_sec": 600.0}
STATES = {"running": "RUNNING", "stopped": "STOPPED", "crashed": "BACKOFF", "error": "FATAL", "starting": "STARTING"}


def ending(**given: Any) -> dict[str, Any]:
    """Return a last exit."""
    return {
        "at": AT,
        "cause": "exit code 3",
        "code": 3,
        "signal": None,
        "reason": "ExitCode",
        "verdict": "Restarted",
        "ran_sec": 2.5,
        "message": "",
        "commanded": False,
        **given,
    }


def instance(name: str, status: str = "running", **given: Any) -> dict[str, Any]:
    """Return an instance; one that does not run has no process."""
    runs = status in {"running", "starting", "stopping"}
    return {
        "instance": name,
        "slot": int(name.rpartition("-")[2]),
        "pid": 4242 if runs else None,
        "status": status,
        "process_state": STATES.get(status, "RUNNING"),
        "standing": "up",
        "uptime_ms": 3_725_400 if runs else None,
        "started_at": AT if runs else None,
        "restart_count": 0,
        "budget": 9,
        "last_exit": None,
        "restart_at": None,
        "due_in_sec": None,
        "cpu_usage": None,
        "memory_usage": None,
        **given,
    }


WAITING = {"restart_count": 4, "due_in_sec": 3.25, "restart_at": AT, "last_exit": ending()}
"""What an instance has that waits for its restart."""


def worker(*instances: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Return the worker of these instances."""
    return {
        "worker_id": instances[0]["instance"].rpartition("-")[0],
        "name": None,
        "status": instances[0]["status"],
        "restart_count": sum(one["restart_count"] for one in instances),
        "error_count": None,
        "last_error": None,
        "labels": {},
        "instances": list(instances),
        **given,
    }


def crew(*workers: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Return the answer to ``GET /workers``."""
    statuses = Counter(one["status"] for each in workers for one in each["instances"])
    return {
        "workers": list(workers),
        "next_cursor": None,
        "summary": {"workers": len(workers), "instances": statuses.total(), "by_status": dict(statuses)},
        "stale": False,
        "daemon": {"version": __version__, "not_ready": []},
        "supervisord": {"up": True, "pid": 99, "generation": "00000001-abcdef", "mode": "fast", "mode_reason": ""},
        "configuration": {"in_force": True, "problems": [], "applied_at": AT, "drift": []},
        "recording": {"lag_events": 0, "trouble": "", "tables_version": CURRENT},
        "sampled_at": AT,
        **given,
    }


def result(name: str, done: str = "started", **given: Any) -> dict[str, Any]:
    """Return what became of one instance."""
    members = {"changed": True, "ok": True, "status": "running", "process_state": "RUNNING", "message": ""}
    return {"instance": name, "done": done, **members, **given}


def results(action: str, *each: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Return the answer to an action."""
    return {"action": action, "results": list(each), "waited": True, "timed_out": False, **given}


def event(kind: str, instance: str | None = "web-0", sequence: int = 1, **given: Any) -> dict[str, Any]:
    """Return an event."""
    place = {"id": sequence, "generation": "00000001-abcdef", "sequence": sequence, "at": AT, "type": kind}
    whose = {} if instance is None else {"worker_id": instance.rpartition("-")[0], "instance": instance}
    return {**place, **whose, **given}


def reasons(name: str, **given: Any) -> dict[str, Any]:
    """Return the answer to why."""
    past = {key: value for key, value in ending().items() if key not in {"cause", "commanded"}}
    exits = [{**past, "at": AT_UNIX, "delay_sec": 0.5}]
    return {
        "instance": name,
        "worker_id": name.rpartition("-")[0],
        "slot": 0,
        "process_state": "BACKOFF",
        "standing": "up",
        "pid": 0,
        "started_at": None,
        "uptime_sec": None,
        "restart_count": 1,
        "budget": 8,
        "restart_at": AT_UNIX + 12,
        "due_in_sec": 3.25,
        "last_exit": exits[-1],
        "exits": exits,
        "policy": POLICY,
        **given,
    }


def many(count: int, names: Sequence[str] = ("web",)) -> dict[str, Any]:
    """Return a crew of so many workers."""
    return crew(*(worker(instance(f"{names[0]}{number:04}-0", **WAITING)) for number in range(count)))
