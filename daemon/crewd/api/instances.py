"""INSTANCE: one process of a worker, as JSON. What does not depend on the time is kept while the record is the same.

A thousand of them are asked for again and again; most have not changed since.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import orjson

from crewd.api.envelope import encoded, iso
from crewd.model.reasons import Reason
from crewd.model.record import PastExit, Record
from crewd.model.report import Heartbeat
from crewd.model.spec import WorkerSpec
from crewd.model.states import ProcessState, Status, status_of
from crewd.policy.accounting import worker_of
from crewd.policy.duty import expected
from crewd.policy.restart import History, budget
from crewd.reconcile.view import View
from crewd.wording import duration, ending

UNHEARD = Heartbeat(0.0, 0.0)
NOT_USED: Mapping[str, Any] = {"cpu_usage": None, "memory_usage": None}


@dataclass(frozen=True, slots=True)
class Kept:
    """What was made of a record."""

    record: Record
    status: Status
    members: bytes
    """An object of JSON without its closing brace."""
    failed_at: float | None
    """When the last run ended that was a failure, in unix seconds."""
    failure: str | None
    """And how, in a sentence."""


@dataclass(frozen=True, slots=True)
class Now:
    """The moment that an answer is of: by the wall clock, and by the boot clock."""

    wall: float
    boot: float


class Instances:
    """The shapes of all instances."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._kept: dict[str, Kept] = {}

    def kept(self, instance: str) -> Kept:
        """Return what can be said of the instance without a clock; KeyError where there is none of that name."""
        record = self._view.crew.records[instance]
        kept = self._kept.get(instance)
        if kept is None or kept.record is not record:
            kept = self._kept[instance] = _kept(instance, record)
        return kept

    def forget(self) -> None:
        """Let go of those that are no more."""
        records = self._view.crew.records
        if len(self._kept) > len(records):
            self._kept = {name: kept for name, kept in self._kept.items() if name in records}

    def fragment(self, instance: str, kept: Kept, spec: WorkerSpec | None, now: Now) -> orjson.Fragment:
        """Return INSTANCE as it is now."""
        passing = orjson.dumps(self._passing(instance, kept.record, spec, now))
        return orjson.Fragment(kept.members + b"," + passing[1:])

    def _passing(self, instance: str, record: Record, spec: WorkerSpec | None, now: Now) -> dict[str, Any]:
        """Return the members that change by themselves."""
        left = inf if spec is None else budget(spec.policy, History(record.starts, record.restarts), now.boot)
        started = record.started_at
        waits = record.process_state is ProcessState.BACKOFF and record.due_at is not None
        due_in = max(0.0, record.due_at - now.boot) if waits and record.due_at is not None else None
        return {
            "uptime_ms": None if started is None or not record.pid else max(0, int((now.boot - started) * 1000)),
            "budget": None if left == inf else int(left),
            "restart_at": None if due_in is None else iso(now.wall + due_in),
            "due_in_sec": None if due_in is None else round(due_in, 3),
            **self._used(instance, record),
            "heartbeat": self.heartbeat(instance, now),
        }

    def heartbeat(self, instance: str, now: Now) -> dict[str, Any] | None:
        """Return what the instance last said of itself; None where nothing was heard of it, nor is missed."""
        pulse = self._view.heartbeats.of.get(instance)
        if pulse is None:
            return None
        heard = pulse.heartbeat or UNHEARD
        return {
            "at": None if pulse.heartbeat is None else iso(heard.at),
            "age_ms": None if pulse.heartbeat is None else max(0, int((now.boot - heard.boottime) * 1000)),
            "stale": pulse.stale,
            "stale_count": pulse.stale_count,
            "assigned_accounts": heard.assigned_accounts,
            "active_tasks": heard.active_tasks,
            "error_count": heard.error_count,
            "metadata": dict(heard.metadata),
        }

    def _used(self, instance: str, record: Record) -> Mapping[str, Any]:
        used = self._view.usages.of.get(instance) if record.pid else None
        if used is None:
            return NOT_USED
        return {"cpu_usage": round(used.cpu_share * 100, 2), "memory_usage": used.rss_bytes}


def _kept(instance: str, record: Record) -> Kept:
    status = status_of(record.process_state, expected_exit=expected(record))
    members = {
        "instance": instance,
        "slot": int(instance[len(worker_of(instance)) + 1 :]),
        "pid": record.pid or None,
        "status": status.value,
        "process_state": record.process_state.name,
        "standing": record.standing.value,
        "started_at": iso(record.started_wall) if record.pid else None,
        "restart_count": record.restart_count,
        "last_exit": _exit(record.exits[-1]) if record.exits else None,
    }
    failed = next((past for past in reversed(record.exits) if _is_failure(past)), None)
    failure = None if failed is None else _sentence(instance, failed)
    return Kept(record, status, encoded(members)[:-1], None if failed is None else failed.at, failure)


def _is_failure(past: PastExit) -> bool:
    return past.reason is not Reason.CLEAN_EXIT and not past.commanded


def _sentence(instance: str, past: PastExit) -> str:
    ran = "" if past.reason is Reason.SPAWN_FAILED else f" after {duration(past.ran_sec)}"
    return f"{instance}: {_cause(past)}{ran}"


def _cause(past: PastExit) -> str:
    return ending({"signal": past.signal, "code": past.code, "reason": past.reason.value, "message": past.message})


def _exit(past: PastExit) -> dict[str, Any]:
    return {
        "at": iso(past.at),
        "cause": _cause(past),
        "code": past.code,
        "signal": past.signal,
        "reason": past.reason.value,
        "verdict": None if past.verdict is None else past.verdict.value,
        "ran_sec": round(past.ran_sec, 3),
        "message": past.message,
        "commanded": past.commanded,
    }
