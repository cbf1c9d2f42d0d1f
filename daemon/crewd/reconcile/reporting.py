"""Takes in what workers report, and has it kept; nothing of it is waited for by supervision.

Where an entry is, in words:

- WAITING: it was taken in. Its reporter waits, too, for the answer.
- STORED: with all that waited, in one transaction. The reporter is told so.
- REFUSED: the database is away, or too much waits. The reporter is told so, has it still, and may come again.

Rules:

1. No entry is told to be stored that is not. None waits for a database that is known to be away.
2. Heartbeats are never refused for the database's sake: they count in memory, and are kept when it can be.
3. What is bounded here: how much waits, and how fast a worker may report.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from crewd.errors import CrewdError, StoreError
from crewd.model.report import Heartbeat, LogEntry, Pulse
from crewd.model.spec import CrewSpec
from crewd.policy.accounting import worker_of
from crewd.policy.allowance import Allowance, Rate
from crewd.policy.heartbeats import stale_at
from crewd.reconcile.port import Clock
from crewd.reconcile.reports import Reports
from crewd.reconcile.view import View

LOOK_SEC = 1.0
"""How often it is looked who is silent, and how often changed heartbeats are kept."""
AGAIN_SEC = 5.0
WAITING_MOST = 10_000
"""So many entries wait for the database at most."""
TOGETHER_MOST = 2000
"""So many are written in one transaction: recording gets its turn in between."""
ENTRIES = Rate(per_sec=100.0, burst=2000.0)
"""How many entries a worker may have written down."""
GONE_SEC = 86400.0
"""So long heartbeats of instances that are no more are remembered: they may come back."""

_log: Any = structlog.get_logger("crewd")


class TooManyReports(CrewdError):  # noqa: N818 - an answer
    """Later it will do. ``wait_sec``: when."""

    def __init__(self, message: str, wait_sec: float) -> None:
        self.wait_sec = wait_sec
        super().__init__(message)


class _Parcel:
    """Entries that came together, and who waits for them."""

    def __init__(self, entries: Sequence[LogEntry]) -> None:
        self.entries = entries
        self.stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(self, error: StoreError | None) -> None:
        """Tell whoever still waits."""
        if self.stored.done():
            return
        if error is None:
            self.stored.set_result(None)
        else:
            self.stored.set_exception(error)


class Reporting:
    """One run of it. ``boot`` gives the seconds of CLOCK_BOOTTIME."""

    def __init__(self, view: View, reports: Reports, clock: Clock, boot: Callable[[], float]) -> None:
        self._view = view
        self._reports = reports
        self._clock = clock
        self._boot = boot
        self._waiting: deque[_Parcel] = deque()
        self._count = 0
        """Of all entries that wait, those that are just being written included."""
        self._more = asyncio.Event()
        self._allowances: dict[str, Allowance] = {}
        self._trouble = ""

    def hear(self, instance: str, heartbeat: Heartbeat) -> Heartbeat:
        """Take note that the instance lives, with what it says of itself; return it with ``at`` and ``boottime``."""
        heard = replace(heartbeat, at=self._clock.time(), boottime=self._boot())
        self._view.heartbeats.hear(instance, heard)
        return heard

    async def write_down(self, instance: str, entries: Sequence[LogEntry]) -> None:
        """Store these of one instance; return when they are. Raises StoreError, or TooManyReports."""
        recorded = self._view.recorder.recorded
        if recorded.trouble or not recorded.open:
            raise StoreError(f"cannot write down: {recorded.trouble or 'the database is not open yet'}", retryable=True)
        if self._count + len(entries) > WAITING_MOST:
            raise TooManyReports(f"cannot write down: {self._count} entries wait for the database", AGAIN_SEC)
        self._allow(worker_of(instance), len(entries))
        parcel = _Parcel(entries)
        self._waiting.append(parcel)
        self._count += len(entries)
        self._more.set()
        await parcel.stored

    async def run(self) -> None:
        """Do it for ever."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write_for_ever())
                tasks.create_task(self._look_for_ever())
        finally:
            error = StoreError("cannot write down: crewd ends", retryable=True)
            self._end(self._waiting, error)

    def _allow(self, worker_id: str, count: int) -> None:
        now = self._clock.monotonic()
        allowance = self._allowances.get(worker_id, Allowance(ENTRIES.burst, now)).after(ENTRIES, now)
        wait_sec = allowance.wait_sec(ENTRIES, count)
        if wait_sec:
            rate = f"{ENTRIES.burst:g} entries at once and {ENTRIES.per_sec:g} a second"
            raise TooManyReports(f"cannot write down: more than {rate} from {worker_id}", wait_sec)
        self._allowances[worker_id] = allowance.taken(count)

    # Entries

    async def _write_for_ever(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                await self._write(self._together())

    def _together(self) -> list[_Parcel]:
        """Return what is written in one transaction: one parcel at least."""
        parcels = [self._waiting.popleft()]
        count = len(parcels[0].entries)
        while self._waiting and count + len(self._waiting[0].entries) <= TOGETHER_MOST:
            parcels.append(self._waiting.popleft())
            count += len(parcels[-1].entries)
        return parcels

    def _end(self, parcels: Iterable[_Parcel], error: StoreError | None) -> None:
        for parcel in parcels:
            self._count -= len(parcel.entries)
            parcel.end(error)

    async def _write(self, parcels: list[_Parcel]) -> None:
        error: StoreError | None = StoreError("cannot write down: crewd ends", retryable=True)
        try:
            await self._reports.add([entry for parcel in parcels for entry in parcel.entries])
            error = None
        except StoreError as why:
            error = why
        finally:
            self._end(parcels, error)

    # Heartbeats

    async def _look_for_ever(self) -> None:
        loaded = False
        while True:
            self.look()
            try:
                if self._view.recorder.recorded.open:
                    loaded = loaded or await self._load()
                    await self._keep()
                self._trouble = ""
            except StoreError as error:
                if str(error) != self._trouble:
                    _log.warning("cannot keep heartbeats", why=str(error), kept="in memory")
                self._trouble = str(error)
                await self._clock.sleep(AGAIN_SEC - LOOK_SEC)
            await self._clock.sleep(LOOK_SEC)

    def look(self) -> None:
        """See who is silent for too long by now."""
        now, view = self._boot(), self._view
        if not self._is_known():
            return
        for instance in view.heartbeats.look(self._watched(), self._stale_at, now):
            _log.warning("a heartbeat is overdue", instance=instance)

    def _is_known(self) -> bool:
        """Return whether it is known who runs: the picture is of now, and has caught up."""
        return self._view.supervision.ready and not self._view.crew.stale

    def _watched(self) -> Iterable[str]:
        """Return of whom a heartbeat is expected: who reported ever, and whose configuration says so."""
        view = self._view
        expecting = {name for name, worker in (view.spec or CrewSpec()).workers.items() if _expects(worker)}
        silent = (name for name in view.crew.records if worker_of(name) in expecting) if expecting else ()
        return dict.fromkeys((*(name for name in view.heartbeats.of if name in view.crew.records), *silent))

    def _stale_at(self, instance: str, pulse: Pulse) -> float:
        record, worker = self._view.crew.records[instance], self._view.worker(worker_of(instance))
        limit_sec = None if worker is None else worker.heartbeat_stale_sec
        return stale_at(pulse, limit_sec, record.started_at if record.pid else None)

    async def _load(self) -> bool:
        wall, boot = self._clock.time(), self._boot()
        kept = await self._reports.pulses()
        self._view.heartbeats.load({name: _dated(pulse, wall, boot) for name, pulse in kept.items()})
        return True

    async def _keep(self) -> None:
        """Tell the database what changed, and have it forget who is gone."""
        heartbeats = self._view.heartbeats
        if self._is_known():
            gone = heartbeats.gone(self._view.crew.records, self._clock.time() - GONE_SEC)
            if gone:
                await self._reports.forget(gone)
                heartbeats.forget(gone)
        changed = heartbeats.take_changed()
        if not changed:
            return
        try:
            await self._reports.keep(changed)
        except BaseException:
            heartbeats.give_back(changed)
            raise


def _expects(worker: Any) -> bool:
    return worker.heartbeat_stale_sec is not None


def _dated(pulse: Pulse, wall: float, boot: float) -> Pulse:
    """Return the pulse with its place on the boot clock, which the database cannot know."""
    heard = pulse.heartbeat
    if heard is None:
        return pulse
    return replace(pulse, heartbeat=replace(heard, boottime=boot - max(0.0, wall - heard.at)))
