"""Manual restarts with a reset: what is held is cleared, then the processes are restarted, then it is noted.

Where one is, in words:

- QUEUED: another restart of the same worker is under way; at most QUEUE_MOST wait. Other workers are not waited for.
- CLEARING: all entries of ``reset.actions`` at once, each within a deadline of its own; none stops another.
- RESTARTING: ``restart_process``, where it is wanted and an instance is meant to run: what an operator stopped, or what
  ended as it should, stays as it is. What is not up when the time to wait is over may still come: that is no failure.
- NOTING: ``log_restart_event``. Where the database cannot be had, this has failed, and the restart waits to be stored.

Rules:

1. Once begun it goes on to its end, whether or not anybody still waits for the answer.
2. Every action that was to be done is listed, and counted in the summary.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from crewd.errors import CrewdError, TargetError
from crewd.model.record import Standing
from crewd.model.spec import ResetSpec
from crewd.model.states import Status
from crewd.plugin import Occasion, Step
from crewd.reconcile.awaiting import Miss
from crewd.reconcile.clearing import cleared
from crewd.reconcile.control import Control, Done
from crewd.reconcile.port import Clock, Verb
from crewd.reconcile.restart_events import ManualRestart
from crewd.reconcile.restart_log import RestartLog
from crewd.reconcile.selecting import UnknownNames
from crewd.reconcile.view import View

QUEUE_MOST = 8
RESTART_PROCESS = "restart_process"
LOG_RESTART_EVENT = "log_restart_event"
LATE = "late"
"""The member of ``restart_process`` with the instances that are not up yet though they were waited for."""

_log: Any = structlog.get_logger("crewd")


class NoReset(CrewdError):  # noqa: N818 - a mistake of who asks, not of crewd's
    """No worker can be meant. ``workers``: those that have a reset."""

    def __init__(self, message: str, workers: tuple[str, ...]) -> None:
        self.workers = workers
        super().__init__(message)


class QueueFull(CrewdError):  # noqa: N818 - a state of the world
    """Too many wait for the same worker."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for it, and how long the new processes are waited for."""

    who: str
    """For the journal."""
    source: str = ""
    user: str | None = None
    reason: str | None = None
    wait_sec: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one."""

    worker_id: str
    name: str
    """For people."""
    at: float
    duration_ms: int
    steps: tuple[Step, ...]

    @property
    def failed(self) -> tuple[Step, ...]:
        """What did not succeed."""
        return tuple(step for step in self.steps if not step.success)

    @property
    def late(self) -> bool:
        """Whether processes are not up that were waited for: they may still come."""
        return any(LATE in step.details for step in self.steps)


@dataclass(slots=True)
class _Queue:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Resetting:
    """Carries them out."""

    def __init__(self, view: View, control: Control, log: RestartLog, clock: Clock) -> None:
        self._view = view
        self._control = control
        self._log = log
        self._clock = clock
        self._queues: dict[str, _Queue] = {}
        self._under_way: set[asyncio.Task[Outcome]] = set()

    def chosen(self, worker_id: str | None, visible: Callable[[str], bool] = lambda _: True) -> str:
        """Return the worker that is meant; None: the configured one, or the only one. Raises NoReset, UnknownNames.

        ``visible``: which workers whoever asks may know of.
        """
        spec = self._view.spec
        if spec is None:
            raise TargetError("cannot reset a worker: the configuration is not known, see the daemon's log")
        having = tuple(name for name, one in spec.workers.items() if one.reset is not None and visible(name))
        wanted = worker_id or spec.daemon.default_worker
        if wanted is None:
            if len(having) == 1:
                return having[0]
            have = f"those with a reset are {', '.join(having)}" if having else "none has a reset"
            raise NoReset(f"cannot choose a worker to restart: {have}; name one, or set default_worker", having)
        if wanted not in spec.workers:
            raise UnknownNames((wanted,))
        if spec.workers[wanted].reset is None:
            raise NoReset(f"cannot reset {wanted}: it has no reset in its configuration", having)
        return wanted

    async def reset(self, worker_id: str, asked: Asked) -> Outcome:
        """Do it to a worker that ``chosen`` returned; raises QueueFull."""
        queue = self._queues.setdefault(worker_id, _Queue())
        if queue.waiting > QUEUE_MOST:  # one of them is under way
            raise QueueFull(f"cannot reset {worker_id}: {QUEUE_MOST} others wait for the same worker")
        queue.waiting += 1
        task = asyncio.create_task(self._in_turn(worker_id, asked, queue))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    def waiting(self, worker_id: str) -> int:
        """Return how many of a worker are under way or queued."""
        queue = self._queues.get(worker_id)
        return 0 if queue is None else queue.waiting

    async def _in_turn(self, worker_id: str, asked: Asked, queue: _Queue) -> Outcome:
        try:
            async with queue.lock:
                return await self._reset(worker_id, asked)
        finally:
            queue.waiting -= 1
            if not queue.waiting:
                self._queues.pop(worker_id, None)

    async def _reset(self, worker_id: str, asked: Asked) -> Outcome:
        worker = self._view.worker(worker_id)
        if worker is None or worker.reset is None:
            raise UnknownNames((worker_id,))  # removed while it waited
        at, begun = self._clock.time(), self._clock.monotonic()
        steps = await self._clear(worker_id, worker.reset)
        if worker.reset.restart_process and (instances := self._meant_to_run(worker_id)):
            steps.append(await self._restart(worker_id, instances, asked))
        took = self._clock.monotonic() - begun
        outcome = Outcome(worker_id, worker.name or worker_id, at, round(took * 1000), tuple(steps))
        noted = await self._note(outcome, asked)
        took = self._clock.monotonic() - begun
        return replace(outcome, duration_ms=round(took * 1000), steps=(*steps, noted))

    async def _clear(self, worker_id: str, spec: ResetSpec) -> list[Step]:
        instances = tuple(self._view.workers().get(worker_id, ()))
        stopped = not self._view.crew.stale and self._view.crew.running().keys().isdisjoint(instances)
        occasion = Occasion(worker_id, instances, stopped)
        found = await asyncio.gather(*(cleared(action, occasion) for action in spec.actions))
        return [step for steps in found for step in steps]

    def _meant_to_run(self, worker_id: str) -> list[str]:
        """Return the instances that nobody stopped, nor is stopping, and that did not end as they should."""
        crew = self._view.crew
        instances = self._view.workers().get(worker_id, ())
        running = [name for name in instances if crew.status(name) is not Status.STOPPED]
        return [name for name in running if crew.records[name].standing is not Standing.STOPPED]

    async def _restart(self, worker_id: str, instances: list[str], asked: Asked) -> Step:
        steps = self._control.carry_out(Verb.RESTART, instances, asked.who, asked.wait_sec)
        try:
            async with aclosing(steps):
                async for step in steps:
                    if isinstance(step, Done):
                        return _restarted(worker_id, step)
        except CrewdError as error:  # supervisord does not answer, or the instances are gone
            return Step(RESTART_PROCESS, worker_id, success=False, error=str(error))
        raise AssertionError("a command without an end")

    async def _note(self, outcome: Outcome, asked: Asked) -> Step:
        noted = Step(LOG_RESTART_EVENT)
        restart = _event(outcome, asked, noted)
        if trouble := await self._log.store(restart):
            noted = replace(noted, success=False, error=trouble, details={"queued": True})
            self._log.keep(replace(_event(outcome, asked, noted), restart_id=restart.restart_id))
        _log.info(
            "manual restart",
            worker=outcome.worker_id,
            by=asked.who,
            id=restart.restart_id,
            actions=len(outcome.steps),
            failed=len(outcome.failed),
            duration_ms=outcome.duration_ms,
            stored=noted.success,
        )
        return noted


def _restarted(worker_id: str, done: Done) -> Step:
    late = [one.instance for one in done.results if not one.outcome.ok and one.outcome.miss is Miss.LATE]
    failed = [one for one in done.results if not one.outcome.ok and one.instance not in late]
    why = "; ".join(f"{one.instance}: {one.outcome.message or one.done}" for one in failed)
    details: dict[str, Any] = {"instances": [one.instance for one in done.results], **({LATE: late} if late else {})}
    return Step(RESTART_PROCESS, worker_id, success=not failed, error=why, details=details)


def shape(step: Step) -> dict[str, Any]:
    """Return an action as it is answered, and stored."""
    named = {"key": step.key, "wallet": step.wallet, "error": step.error or None}
    return {
        "action": step.action,
        **{name: value for name, value in named.items() if value is not None},
        "success": step.success,
        **step.details,
    }


def summary(steps: tuple[Step, ...]) -> Mapping[str, int]:
    """Return the document's summary."""
    failed = sum(not step.success for step in steps)
    return {"total_actions": len(steps), "successful_actions": len(steps) - failed, "failed_actions": failed}


def _event(outcome: Outcome, asked: Asked, noted: Step) -> ManualRestart:
    steps = (*outcome.steps, noted)
    return ManualRestart(
        uuid.uuid4().hex,
        outcome.at,
        outcome.worker_id,
        all(step.success for step in steps),
        outcome.duration_ms,
        asked.who,
        asked.source,
        asked.user,
        asked.reason,
        tuple(shape(step) for step in steps),
    )
