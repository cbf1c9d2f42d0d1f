"""``GET /workers/{name}/health`` and ``GET /workers/stats/overview``: how workers are, in short.

A worker is healthy where each of its instances is: it runs, or it has done what it was there for; its heartbeat is not
overdue. Each reason why it is not names the instance, and the cause by a word of a closed set.
"""

from collections import Counter
from typing import Any

from crewd.api.crew import CrewShapes
from crewd.api.envelope import iso
from crewd.api.ports import Ports
from crewd.api.reported import reported
from crewd.model.access import Principal
from crewd.model.reasons import Verdict
from crewd.model.record import Record, Standing
from crewd.model.report import Pulse
from crewd.model.spec import CrewSpec
from crewd.model.states import Status, status_of
from crewd.policy.access import covers
from crewd.policy.accounting import worker_of
from crewd.policy.duty import expected
from crewd.reconcile.heartbeats import NO_PULSE
from crewd.reconcile.selecting import UnknownNames
from crewd.wording import duration

NO_RESTART_LEFT = 1
"""A budget below this: the next end gives the worker up."""

_SAID = {
    Status.STARTING: "is being started",
    Status.STOPPING: "is being stopped",
    Status.STOPPED: "does not run",
    Status.CRASHED: "crashed",
    Status.ERROR: "was given up",
}


class WorkerHealth:
    """Both."""

    def __init__(self, ports: Ports, shapes: CrewShapes) -> None:
        self._ports = ports
        self._view = ports.view
        self._shapes = shapes

    def of(self, name: str) -> dict[str, Any]:
        """Return how a worker is, or an instance; raises UnknownNames."""
        instances = [name] if name in self._view.crew.records else self._view.workers_of(name)
        if not instances:
            raise UnknownNames((name,))
        reasons = [reason for one in instances for reason in self._reasons(one)]
        if self._view.crew.stale:
            reasons.append(_reason(None, "unknown", "supervisord is not heard: this is the last that is known"))
        return {
            "worker_id": worker_of(instances[0]),
            "healthy": not reasons,
            "status": self._shapes.statuses(instances).value,
            "reasons": reasons,
            "warnings": [warning for one in instances for warning in self._warnings(one)],
        }

    def _reasons(self, instance: str) -> list[dict[str, Any]]:
        record, pulse = self._view.crew.records[instance], self._pulse(instance)
        status = status_of(record.process_state, expected_exit=expected(record))
        reasons: list[dict[str, Any]] = []
        if status is not Status.RUNNING and not _done(record, status):
            reasons.append(_reason(instance, status.value, f"{instance} {_said(record, status)}"))
        if pulse.stale:
            reasons.append(_reason(instance, "heartbeat", f"{instance} {self._silence(pulse)}"))
        return reasons

    def _silence(self, pulse: Pulse) -> str:
        if pulse.heartbeat is None:
            return "never sent a heartbeat, and one is overdue"
        return f"sent no heartbeat for {duration(self._ports.boot() - pulse.heartbeat.boottime)}"

    def _warnings(self, instance: str) -> list[dict[str, Any]]:
        record = self._view.crew.records[instance]
        left = self._view.budget(instance, record, self._ports.boot())
        if left is None or left >= NO_RESTART_LEFT or record.standing is not Standing.UP:
            return []
        return [_reason(instance, "budget", f"{instance} has no restart left: it is given up at its next end")]

    def _pulse(self, instance: str) -> Pulse:
        return self._view.heartbeats.of.get(instance, NO_PULSE)

    def overview(self, principal: Principal) -> dict[str, Any]:
        """Return how all are together that somebody may see."""
        view, used = self._view, self._view.usages.of
        workers = {name: of for name, of in view.workers().items() if covers(principal, name)}
        records = {name: view.crew.records[name] for of in workers.values() for name in of}
        of_workers = Counter(self._shapes.statuses(instances) for instances in workers.values())
        of_instances = Counter(view.crew.status(name) for name in records)
        alive = [used[name] for name, record in records.items() if record.pid and name in used]
        pulses = [self._pulse(name) for name in records]
        errors = [self._shapes.error_count(name) for name in workers]
        return {
            "workers": len(workers),
            "instances": len(records),
            "by_status": {status.value: of_workers[status] for status in Status},
            "instances_by_status": {status.value: of_instances[status] for status in Status},
            "restart_count": sum(record.restart_count for record in records.values()),
            "error_count": None if None in errors else sum(error or 0 for error in errors),
            "cpu_usage": None if view.usages.at is None else round(sum(one.cpu_share for one in alive) * 100, 2),
            "memory_usage": None if view.usages.at is None else sum(one.rss_bytes for one in alive),
            "sampled_at": iso(view.usages.at),
            "max_accounts": self._max_accounts(workers),
            **reported(view, records),
            "heartbeats": {
                "reporting": sum(pulse.heartbeat is not None for pulse in pulses),
                "stale": sum(pulse.stale for pulse in pulses),
                "stale_count": sum(pulse.stale_count for pulse in pulses),
            },
            "stale": view.crew.stale,
        }

    def _max_accounts(self, workers: dict[str, list[str]]) -> int | None:
        known = (self._view.spec or CrewSpec()).workers
        most = [
            most * len(instances)
            for name, instances in workers.items()
            if name in known and (most := known[name].max_accounts) is not None
        ]
        return sum(most) if most else None


def _reason(instance: str | None, cause: str, message: str) -> dict[str, Any]:
    return {"instance": instance, "cause": cause, "message": message}


def _done(record: Record, status: Status) -> bool:
    """Return whether it ended in order, and nobody wants it to run."""
    return status is Status.STOPPED and record.standing is Standing.FINISHED


def _said(record: Record, status: Status) -> str:
    if status is Status.STOPPED and record.standing is Standing.STOPPED:
        stopped = record.exits and record.exits[-1].verdict in {None, Verdict.OPERATOR_STOP}
        return "was stopped by an operator" if stopped else "was stopped, or reset, by an operator"
    if status is Status.CRASHED and record.standing is Standing.UP:
        return "crashed, and waits for its restart"
    return _SAID.get(status, str(status))
