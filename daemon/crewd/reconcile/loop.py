"""The loop: carries out what ``supervision`` decides, keeps the picture, and brings back what happened.

Rules:

1. Everything that happens goes through one inbox and is dealt with in order, by one task. Nothing is decided elsewhere.
2. Whatever takes time is a task of its own with a deadline of its own, and its result is an entry of the inbox.
3. The watchdog is fed where an entry of the inbox was dealt with: a beat travels through the inbox like anything else,
   so a loop that stands still feeds nothing.
4. No RPC per event: the journal says it all. One ``version`` every CHECK_SEC tells a supervisord that hangs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, assert_never

import structlog

from crewd.errors import TargetError
from crewd.model.facts import GenerationBegan, GenerationEnded, Judged
from crewd.model.record import Record
from crewd.policy.essential import loss
from crewd.reconcile import actions as decided
from crewd.reconcile.actions import Action, Actions
from crewd.reconcile.bulletin import Bulletin, News
from crewd.reconcile.crew import NOBODY, Crew
from crewd.reconcile.essential import lost, sentence
from crewd.reconcile.narrative import Say, names, narrate, say
from crewd.reconcile.port import (
    Applied,
    Applier,
    ApplyFailed,
    ApplyResult,
    Batch,
    Clock,
    Engine,
    EngineAbsent,
    EngineVersion,
    Journal,
    Launcher,
    Process,
    Reaper,
    ServiceManager,
    Verb,
)
from crewd.reconcile.status_words import status_words
from crewd.reconcile.supervision import Life, Supervision
from crewd.reconcile.wanted import Applies, Wanted

BEAT_SEC = 10.0
"""How often the loop proves that it works, where the service manager does not ask for more."""
CHECK_SEC = 30.0
STATUS_SEC = 1.0
"""The status line changes at most this often."""
FOLLOW_AGAIN_SEC = 1.0
REVIVE_AGAIN_SEC = 5.0
LAST_LINES_SEC = 0.5
ANSWER_POLL_SEC = 0.01
ANSWER_SOON_SEC = 15.0
"""A supervisord that was started should answer by then; else it is said, again and again."""
ANSWER_POLL_MOST_SEC = 0.1
WHO = "crewd run"
"""Who asks for a start, where nobody did but the daemon itself."""
ENDING = "cannot reload: the daemon ends"

_log: Any = structlog.get_logger("crewd")

Entry = Callable[[], Actions | None]
Work = Coroutine[Any, Any, None]
Answer = asyncio.Future[ApplyResult]


@dataclass(frozen=True, slots=True)
class World:
    """All ports."""

    engine: Engine
    launcher: Launcher
    journal: Journal
    applier: Applier
    reaper: Reaper
    service: ServiceManager
    clock: Clock


class Loop:
    """One run of the daemon.

    ``read_wanted`` reads what the file says to the daemon; None where it is wrong. ``last`` is what it said when it was
    right last, and ``remember`` keeps that for the next daemon; ``changed`` is told that another one takes effect.
    """

    def __init__(
        self,
        world: World,
        read_wanted: Callable[[], Awaitable[Wanted | None]],
        beat_sec: float | None = None,
        last: Wanted | None = None,
        remember: Callable[[Wanted], Awaitable[object]] | None = None,
        *,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self.crew = Crew()
        self.supervision = Supervision(last)
        self.applies = Applies()
        self.bulletin = Bulletin()
        self._world = world
        self._read_wanted = read_wanted
        self._remember = remember
        self._changed = changed
        self._beat_sec = beat_sec or BEAT_SEC
        self._inbox: asyncio.Queue[Entry] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._follower: asyncio.Task[None]
        self._process: Process | None = None
        self._exit: decided.Exit | None = None
        self._status = ""
        self._status_due = False
        self._kills_workers = False
        self._said_goodbye = asyncio.Event()
        self._lost_before: frozenset[str] | None = None
        """Who was lost before history was read; None where the follower has caught up."""
        self._reloads: list[Answer] = []
        """Those who wait for the next apply to begin; it takes them along."""
        self._asked: set[Answer] = set()
        """All who wait for an apply."""

    async def run(self) -> decided.Exit:
        """Run until it is decided to exit; return that decision."""
        try:
            self._do(self.supervision.began())
            self._follower = self._spawn(self._follow())
            self._spawn(self._beat())
            self._spawn(self._check())
            while self._exit is None:
                entry = await self._inbox.get()
                self._do(entry())
            return self._exit
        finally:
            await self._end_tasks()

    def hangup(self) -> None:
        """SIGHUP came."""
        self._post(self.supervision.hangup)

    async def reload(self) -> ApplyResult:
        """Do as after SIGHUP, and return what came of it: of an apply that began after this was asked."""
        answer: Answer = asyncio.get_running_loop().create_future()
        self._asked.add(answer)
        answer.add_done_callback(self._asked.discard)
        self._post(lambda: self._reload(answer))
        return ApplyFailed(ENDING) if self._exit is not None else await answer

    def terminate(self, signal: str) -> None:
        """SIGTERM or SIGINT came."""
        self._post(lambda: self.supervision.terminate(signal))

    # -- acting

    def _do(self, actions: Actions | None) -> None:
        for action in tuple(actions or ()):
            if self._exit is None:
                self._act(action)
        self.crew.stale = self.supervision.stale

    def _act(self, action: Action) -> None:
        match action:
            case Say():
                self._say(action)
            case decided.Notify():
                self._notify(*action.lines)
            case decided.Look():
                self._spawn(self._look(action.after_sec))
            case decided.Apply():
                asked, self._reloads = self._reloads, []
                self._spawn(self._apply(asked))
            case decided.Start():
                self._start()
            case decided.Attach():
                self._attach(action.pid)
            case decided.Terminate():
                self._terminate(action.within_sec)
            case decided.Kill():
                self._kill()
            case decided.Reap():
                self._reap()
            case decided.Revive():
                self._revive()
            case decided.Exit():
                self._exit = action
            case _:
                assert_never(action)

    def _say(self, line: Say) -> None:
        getattr(_log, line.level)(line.event, **line.fields)

    def _notify(self, *lines: str) -> None:
        self._status = status_words(self.supervision, str(self.crew.summary()))
        self._world.service.notify(*lines, f"STATUS={self._status}")

    def _start(self) -> None:
        now = self._world.clock.monotonic()
        try:
            self._process = self._world.launcher.start()
        except TargetError as error:
            self._do(self.supervision.not_spawned(str(error), now))
            return
        self._spawn(self._ended(self._process))
        self._spawn(self._answer(self._process))
        self._do(self.supervision.spawned(self._process.pid, now))

    def _attach(self, pid: int) -> None:
        try:
            self._process = self._world.launcher.attach(pid)
        except TargetError as error:
            message = str(error)
            self._post(lambda: self.supervision.ended(None, message, self._world.clock.monotonic()))
            return
        self._spawn(self._ended(self._process))

    def _terminate(self, within_sec: float) -> None:
        if self._process is not None:
            self._process.terminate()
        self._spawn(self._overdue(within_sec))

    def _kill(self) -> None:
        self._kills_workers = True
        if self._process is not None:
            self._process.kill()

    def _reap(self) -> None:
        if self._kills_workers or not self._said_goodbye.is_set():
            for instance in self._world.reaper.end(self.crew.running(), self.crew.intended()):
                self._say(say("warning", "leftover ended", instance=instance))

    def _revive(self) -> None:
        instances = lost(self.supervision.wanted.essential, self.crew.records)
        if instances and not self.supervision.stopping:
            self._say(say("info", "essential workers are tried once more", instances=names(instances)))
            self._spawn(self._ask_for_start(instances))

    # -- what takes time

    async def _ask_for_start(self, instances: tuple[str, ...]) -> None:
        """Until it is heard: which of them are still lost is looked up anew each time."""
        try:
            await self._world.engine.command(Verb.START, instances, WHO)
        except TargetError as error:
            self._say(say("error", "cannot start the essential workers", instances=names(instances), why=str(error)))
            await self._world.clock.sleep(REVIVE_AGAIN_SEC)
            self._post(self._revive)

    async def _look(self, after_sec: float) -> None:
        if after_sec > 0:
            await self._world.clock.sleep(after_sec)
        try:
            version = await self._world.engine.version()
        except EngineAbsent:
            self._post(self.supervision.absent)
        except TargetError as error:
            message = str(error)
            unknown = self.supervision.unanswered if error.retryable else self.supervision.foreign
            self._post(lambda: unknown(message))
        else:
            self._post(lambda: self.supervision.found(version, self._world.clock.monotonic()))

    async def _answer(self, process: Process) -> None:
        """Ask the one we started until it answers."""
        pause, complain_at = ANSWER_POLL_SEC, self._world.clock.monotonic() + ANSWER_SOON_SEC
        while process is self._process:
            try:
                version = await self._world.engine.version()
            except TargetError as error:
                if self._world.clock.monotonic() >= complain_at:
                    complain_at += ANSWER_SOON_SEC
                    self._say(say("warning", "supervisord does not answer yet", why=str(error)))
                await self._world.clock.sleep(pause)
                pause = min(ANSWER_POLL_MOST_SEC, pause * 1.5)
            else:
                self._post(partial(self._answered, process, version))
                return

    def _answered(self, process: Process, version: EngineVersion) -> Actions | None:
        if process is not self._process:
            return None
        actions = [*self.supervision.answered(version), *self.supervision.caught_up(self.crew.generation)]
        return iter(actions)

    async def _ended(self, process: Process) -> None:
        status = await process.ended()
        if self.supervision.stopping and not self._kills_workers:
            await self._last_lines()
        words = self._world.launcher.last_words() if self.supervision.ours else ""
        self._post(lambda: self._gone(process, status, words))

    async def _last_lines(self) -> None:
        """Let what supervisord wrote in its last moment be read and logged."""
        try:
            async with asyncio.timeout(LAST_LINES_SEC):
                await self._said_goodbye.wait()
        except TimeoutError:
            pass  # somebody killed it, and it said nothing

    def _gone(self, process: Process, status: int | None, words: str) -> Actions | None:
        if process is not self._process:
            return None
        self._process = None
        return self.supervision.ended(status, words, self._world.clock.monotonic())

    def _reload(self, answer: Answer) -> Actions:
        if refusal := self.supervision.reload_refusal:
            _answer((answer,), ApplyFailed(f"cannot reload: {refusal}"))
        else:
            self._reloads.append(answer)
        return self.supervision.hangup()

    async def _apply(self, asked: Sequence[Answer]) -> None:
        """Put the file in force, and read meanwhile what it says to the daemon itself."""
        result, wanted = await asyncio.gather(self._world.applier.apply(), self._read_wanted())
        if isinstance(result, Applied):
            wanted = await self._joined(result, wanted or self.supervision.wanted)
            if self._remember is not None:
                await self._remember(wanted)
        self._post(lambda: self._applied(result, wanted, asked))

    async def _joined(self, result: Applied, wanted: Wanted) -> Wanted:
        """Return it with the workers made over the API; many of them take a while to read."""
        if not result.offers:
            return wanted.joined((), {})
        return await asyncio.to_thread(wanted.joined, result.offers, result.rulings)

    def _applied(self, result: ApplyResult, wanted: Wanted | None, asked: Sequence[Answer]) -> Actions:
        _answer(asked, result)
        self.applies.successful = isinstance(result, Applied)
        if self.applies.successful:
            self.applies.at = self._world.clock.time()
            self._changed()
        return self.supervision.applied(result, wanted)

    async def _overdue(self, within_sec: float) -> None:
        await self._world.clock.sleep(within_sec)
        self._post(self.supervision.overdue)

    async def _follow(self) -> None:
        while True:
            try:
                async with aclosing(self._world.journal.follow()) as batches:
                    async for batch in batches:
                        await self._deal_with(batch)
            except (TargetError, OSError) as error:
                self._say(say("error", "cannot follow the journal", error=str(error)))
            await self._world.clock.sleep(FOLLOW_AGAIN_SEC)

    async def _deal_with(self, batch: Batch) -> None:
        """Read no further until the loop dealt with what was read: memory stays bounded."""
        dealt_with = asyncio.Event()

        def entry() -> Actions | None:
            dealt_with.set()
            return self._observe(batch)

        self._post(entry)
        await dealt_with.wait()

    def _observe(self, batch: Batch) -> Actions | None:
        if batch.history and self._lost_before is None:
            self._lost_before = frozenset(name for name, record in self.crew.records.items() if loss(record))
        lines = dict(zip((event.sequence for event in batch.events), batch.lines, strict=True))
        losses: list[Action] = []
        for before, event in self.crew.observe(batch):
            if batch.history:
                self.bulletin.missed()
            else:
                self.bulletin.publish(News(batch.generation, event, lines[event.sequence]))
            if isinstance(event.fact, GenerationEnded):
                self._said_goodbye.set()
            elif isinstance(event.fact, GenerationBegan):
                self._said_goodbye.clear()
            line = None if batch.history else narrate(before, event)
            if line is not None:
                self._say(line)
            if isinstance(event.fact, Judged) and not batch.history:
                instance = event.fact.instance
                losses += self._losses({instance: self.crew.records.get(instance, NOBODY)})
        if not self._status_due:
            self._status_due = True
            self._spawn(self._status_soon())
        if batch.history:
            return None
        losses += self._missed()
        return chain(losses, () if self.supervision.ready else self.supervision.caught_up(self.crew.generation))

    def _losses(self, records: Mapping[str, Record]) -> Actions:
        for instance in lost(self.supervision.wanted.essential, records):
            yield from self.supervision.lost(instance, sentence(instance, records[instance]))

    def _missed(self) -> Actions:
        """Who was lost while the journal was not followed: a follower that began anew read it as history."""
        before, self._lost_before = self._lost_before, None
        if before is not None and self.supervision.ready and self.supervision.ours:
            yield from self._losses({name: one for name, one in self.crew.records.items() if name not in before})

    async def _status_soon(self) -> None:
        await self._world.clock.sleep(STATUS_SEC)
        self._post(self._refresh_status)

    def _refresh_status(self) -> None:
        self._status_due = False
        if status_words(self.supervision, str(self.crew.summary())) != self._status:
            self._notify()

    async def _beat(self) -> None:
        while True:
            self._post(lambda: self._world.service.notify("WATCHDOG=1"))
            await self._world.clock.sleep(self._beat_sec)

    async def _check(self) -> None:
        was = ("", 0)
        while True:
            await self._world.clock.sleep(CHECK_SEC)
            if self.supervision.life is not Life.UP:
                continue
            try:
                version = await self._world.engine.version()
            except TargetError as error:
                message = str(error)
                self._post(lambda message=message: self.supervision.unhealthy(message))
            else:
                behind, was = was, (version.generation, version.sequence)
                self._post(lambda version=version, behind=behind: self._checked(version, behind))

    def _checked(self, version: EngineVersion, behind: tuple[str, int]) -> Actions:
        """What the journal held at the last check must have been read by now; else follow it anew."""
        generation, sequence = behind
        elsewhere = self.crew.generation not in (generation, version.generation)
        if generation and (elsewhere or (self.crew.generation == generation and self.crew.sequence < sequence)):
            self._say(say("error", "the journal was not followed; beginning anew", read=self.crew.sequence))
            self._follower.cancel()
            self._follower = self._spawn(self._follow())
        return self.supervision.healthy(version)

    # -- tasks

    def _post(self, entry: Entry) -> None:
        self._inbox.put_nowait(entry)

    def _spawn(self, work: Work) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("internal error", error=repr(error), exc_info=error)
            self._exit = self._exit or decided.Exit(decided.EX_FAILED, (f"internal error: {error!r}",))
            self._post(lambda: None)  # so that run() sees it

    async def _end_tasks(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _answer(tuple(self._asked), ApplyFailed(ENDING))


def _answer(asked: Iterable[Answer], result: ApplyResult) -> None:
    """Tell those who still wait for it."""
    for answer in asked:
        if not answer.done():
            answer.set_result(result)
