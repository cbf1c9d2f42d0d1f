"""WORKER and the list of all: the crew as it is, and what is to be said of supervisord and of crewd itself."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crewd import __version__
from crewd.api.envelope import iso
from crewd.api.instances import Instances, Kept, Now
from crewd.api.ports import Ports
from crewd.api.refusals import invalid
from crewd.api.reported import reported
from crewd.api.scope import select_covered
from crewd.model.access import Principal
from crewd.model.accounts import Total
from crewd.model.reasons import Reason
from crewd.model.states import Status
from crewd.policy.accounting import worker_of
from crewd.reconcile.selecting import UnknownNames
from crewd.reconcile.status_words import status_words

_FIRST = (Status.ERROR, Status.CRASHED, Status.STARTING, Status.STOPPING)
"""What any instance is of these, the first of them, its worker is."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which workers: of these statuses, or of any; at most so many, behind the cursor."""

    statuses: Collection[Status] = ()
    limit: int | None = None
    cursor: str | None = None


def worker_status(statuses: Collection[Status]) -> Status:
    """Return the status of a worker with instances of these statuses."""
    for status in _FIRST:
        if status in statuses:
            return status
    return Status.STOPPED if all(status is Status.STOPPED for status in statuses) else Status.RUNNING


class CrewShapes:
    """The shapes of the crew. ``not_ready``: why crewd itself is not ready, in sentences."""

    def __init__(self, ports: Ports, not_ready: Callable[[], Sequence[str]] = tuple) -> None:
        self._ports = ports
        self._not_ready = not_ready
        self._view = ports.view
        self._instances = Instances(ports.view)

    def all(self, principal: Principal, names: Sequence[str], page: Page) -> dict[str, Any]:
        """Return the answer to ``GET /workers``, as somebody may see it; raises UnknownNames, Refused."""
        self._instances.forget()
        chosen = self._chosen(principal, names)
        matching = {name: of for name, of in chosen.items() if not page.statuses or self.statuses(of) in page.statuses}
        shown = [name for name in matching if page.cursor is None or name > page.cursor]
        more = page.limit is not None and len(shown) > page.limit
        shown = shown[: page.limit]
        now = self._now()
        return {
            "workers": [self._worker(name, matching[name], now) for name in shown],
            "next_cursor": shown[-1] if more and shown else None,
            "summary": self._summary(matching),
            **self._surroundings(),
        }

    def one(self, name: str) -> dict[str, Any]:
        """Return WORKER of a worker, or of an instance with that instance alone; raises UnknownNames."""
        if name in self._view.crew.records:
            return self._worker(worker_of(name), [name], self._now())
        instances = self._view.workers().get(name)
        if instances is None:
            raise UnknownNames((name,))
        return self._worker(name, instances, self._now())

    def _now(self) -> Now:
        return Now(self._ports.wall(), self._ports.boot())

    def _worker(self, worker_id: str, instances: Sequence[str], now: Now) -> dict[str, Any]:
        """Return WORKER with these instances."""
        kept = [self._instances.kept(name) for name in instances]
        spec = self._view.worker(worker_id)
        return {
            "worker_id": worker_id,
            "name": None if spec is None else spec.name,
            "status": worker_status([one.status for one in kept]).value,
            "restart_count": sum(one.record.restart_count for one in kept),
            "error_count": self.error_count(worker_id),
            "last_error": _last_failure(kept),
            "host": None if spec is None else spec.host,
            "port": None if spec is None else spec.port,
            "max_accounts": None if spec is None else spec.max_accounts,
            **reported(self._view, instances),
            "labels": {} if spec is None else dict(spec.labels),
            "instances": [
                self._instances.fragment(name, one, spec, now) for name, one in zip(instances, kept, strict=True)
            ],
        }

    def worker_status(self, worker_id: str) -> str | None:
        """Return the status of a worker, all its instances together; None where it is no more."""
        instances = self._view.workers_of(worker_id)
        return self.statuses(instances).value if instances else None

    def status(self, instance: str) -> tuple[str | None, str | None]:
        """Return status and process state; None where it is no more."""
        if instance not in self._view.crew.records:
            return None, None
        kept = self._instances.kept(instance)
        return kept.status.value, kept.record.process_state.name

    def _chosen(self, principal: Principal, names: Sequence[str]) -> Mapping[str, list[str]]:
        """Return the instances that are meant, by worker, in the order of the crew."""
        workers = self._view.workers()
        if not names and not principal.workers:
            return workers
        meant = frozenset(select_covered(principal, self._view, names))
        chosen = ((worker, [one for one in instances if one in meant]) for worker, instances in workers.items())
        return {worker: instances for worker, instances in chosen if instances}

    def statuses(self, instances: Iterable[str]) -> Status:
        """Return the status of these together."""
        return worker_status([self._instances.kept(name).status for name in instances])

    def error_count(self, worker_id: str) -> int | None:
        """Return the ends of a worker's instances that were failures, ever; None while the database has not told.

        Those that were asked for are none.
        """
        amounts = self._view.totals.now()
        if amounts is None:
            return None
        counted = amounts.get(worker_id, {}).items()
        unclean = [(total, number) for (total, reason), number in counted if reason != _CLEAN]
        return int(sum(_FAILURES.get(total, 0) * number for total, number in unclean))

    def _summary(self, workers: Mapping[str, list[str]]) -> dict[str, Any]:
        counts = Counter(self._instances.kept(name).status.value for names in workers.values() for name in names)
        return {"workers": len(workers), "instances": counts.total(), "by_status": dict(counts)}

    def _surroundings(self) -> dict[str, Any]:
        view = self._view
        supervision, version = view.supervision, view.supervision.version
        recorded = view.recorder.recorded
        return {
            "stale": view.crew.stale,
            "daemon": {"version": __version__, "not_ready": list(self._not_ready())},
            "supervisord": {
                "up": view.supervisord_up,
                "pid": None if version is None else version.pid,
                "generation": view.crew.generation,
                "mode": "" if version is None else version.mode,
                "mode_reason": "" if version is None else version.mode_reason,
                "words": status_words(supervision, str(view.crew.summary())),
            },
            "configuration": {
                "in_force": bool(view.applies.successful) and not supervision.problems,
                "problems": list(supervision.problems),
                "applied_at": iso(view.applies.at),
                "drift": list(self._ports.drift()),
            },
            "recording": {
                "lag_events": view.lag(),
                "trouble": recorded.trouble,
                "tables_version": self._ports.tables_version if recorded.open else None,
            },
            "sampled_at": iso(view.usages.at),
        }


_CLEAN = Reason.CLEAN_EXIT.value
_FAILURES = {Total.EXITS: 1, Total.ASKED: -1}


def _last_failure(kept: Iterable[Kept]) -> str | None:
    last = max(kept, key=lambda one: one.failed_at or 0.0, default=None)
    return None if last is None else last.failure


def statuses(words: Sequence[str]) -> frozenset[Status]:
    """Return the statuses of these words."""
    try:
        return frozenset(Status(word) for word in words)
    except ValueError:
        known = ", ".join(Status)
        raise invalid(f"cannot read status: it is one of {known}") from None
