"""The whole of ``/metrics``: what concerns workers from lines that are kept, what there is once anew each time.

Rules:

1. It is made in a thread of its own while the loop goes on. So it begins with shallow copies: copying a dict of strings
   runs no Python code, hence no other thread comes in between; records, usages, specs and amounts are never changed
   in place; and the totals are exchanged as a whole.
2. No RPC, no file, nothing that waits.
3. Series are those of the crew as it is: a worker that was removed is not shown, though its totals are kept.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Lock

from crewd.metrics.budgets import Budgets
from crewd.metrics.daemon import Calls, DaemonPage
from crewd.metrics.families import BUDGET, NEXT_RESTART, OF_RECORDS, OF_USAGES, OF_WORKERS, WANTED, Family
from crewd.metrics.instances import next_restart_line, record_lines, usage_lines, wanted_line
from crewd.metrics.kept import Chunks, Kept
from crewd.metrics.pace import unhurried
from crewd.metrics.reports import report_lines
from crewd.metrics.text import encoded, head
from crewd.metrics.workers import worker_lines
from crewd.model.record import Record
from crewd.model.spec import CrewSpec, RestartPolicy
from crewd.policy.accounting import worker_of
from crewd.policy.duty import wanted
from crewd.reconcile.totals import NOTHING
from crewd.reconcile.view import View

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def boottime() -> float:
    """Return the seconds of CLOCK_BOOTTIME."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Metrics:
    """Renders the page. ``wall`` gives unix seconds, ``boot`` those of CLOCK_BOOTTIME."""

    def __init__(
        self,
        view: View,
        calls: Calls,
        wall: Callable[[], float] = time.time,
        boot: Callable[[], float] = boottime,
    ) -> None:
        self._view = view
        self._wall = wall
        self._boot = boot
        self._daemon = DaemonPage(view, calls)
        self._workers = Kept(worker_lines)
        self._records = Kept(record_lines)
        self._usages = Kept(usage_lines)
        self._budgets = Budgets()
        self._one_at_a_time = Lock()

    def render(self) -> bytes:
        """Return the page; from any thread."""
        with self._one_at_a_time:
            return b"".join(self._pieces())

    def _pieces(self) -> Iterable[bytes]:
        records = _in_order(dict(self._view.crew.records))
        yield from self._of_workers(records)
        yield from _by_family(OF_RECORDS, self._records.chunks(records.items()))
        yield from _of_duty(records, self._view.spec)
        yield from self._of_limits(records)
        yield from self._of_usages(records)
        counted = self._view.heartbeats.loaded  # before the copy: what is loaded is in it
        pulses = dict(self._view.heartbeats.of)
        yield from report_lines(records, pulses, self._view.spec, self._boot(), counted=counted)
        yield self._daemon.render()

    def _of_workers(self, records: Mapping[str, Record]) -> Iterable[bytes]:
        totals = self._view.totals.now()
        if totals is None:
            return ()  # rather no counters than some that begin at 0 and jump
        workers = dict.fromkeys(map(worker_of, records))
        return _by_family(OF_WORKERS, self._workers.chunks((name, totals.get(name, NOTHING)) for name in workers))

    def _of_limits(self, records: Mapping[str, Record]) -> Iterable[bytes]:
        now, skew = self._boot(), self._wall() - self._boot()
        due = ((name, record.due_at) for name, record in records.items())
        return (
            head(BUDGET),
            *self._budgets.lines(_limited(records, self._view.spec), now),
            head(NEXT_RESTART),
            encoded(next_restart_line(name, at + skew) for name, at in due if at is not None),
        )

    def _of_usages(self, records: Mapping[str, Record]) -> Iterable[bytes]:
        used = self._view.usages.of
        alive = ((name, used[name]) for name, record in records.items() if record.pid and name in used)
        return _by_family(OF_USAGES, self._usages.chunks(alive))


def _of_duty(records: Mapping[str, Record], spec: CrewSpec | None) -> Iterable[bytes]:
    """Whether each should run; of whom that is not known there is no line."""
    workers = (spec or CrewSpec()).workers
    yield head(WANTED)
    for name, record in unhurried(records.items()):
        worker = workers.get(worker_of(name))
        should = wanted(record, autostart=None if worker is None else worker.autostart)
        if should is not None:
            yield encoded([wanted_line(name, should)])


def _limited(records: Mapping[str, Record], spec: CrewSpec | None) -> Iterable[tuple[str, Record, RestartPolicy]]:
    """Those whose policy is known."""
    workers = (spec or CrewSpec()).workers
    for name, record in records.items():
        worker = workers.get(worker_of(name))
        if worker is not None:
            yield name, record, worker.policy


def _in_order(records: Mapping[str, Record]) -> Mapping[str, Record]:
    """By worker, then by number: shorter names first, for numbers have no leading zeros."""
    return dict(sorted(records.items(), key=lambda item: (worker_of(item[0]), len(item[0]), item[0])))


def _by_family(families: tuple[Family, ...], chunks: list[Chunks]) -> Iterable[bytes]:
    for number, family in enumerate(families):
        yield head(family)
        yield from (each[number] for each in chunks)
