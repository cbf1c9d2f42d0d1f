"""What whoever comes through the API can have done. It asks the engine, and believes what the journal says of it.

Rules:

1. Names are made out first: where one is unknown, nothing is done for any.
2. One RPC for each command, none while waiting: the bulletin tells, and is listened to from before the command on.
3. An engine that speaks another version is told nothing, as everywhere.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from crewd.errors import TargetError
from crewd.model.spec import OnShutdown
from crewd.reconcile.awaiting import REACHED, UNCHANGED, Awaited, Outcome
from crewd.reconcile.crew import NOBODY
from crewd.reconcile.loop import Loop
from crewd.reconcile.port import ApplyResult, Engine, Verb
from crewd.reconcile.selecting import select_one, select_to_act
from crewd.reconcile.view import View
from crewd.reconcile.waiting import Progress, Waiting


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the command for one instance."""

    instance: str
    done: str
    """What the engine said that it did."""
    outcome: Outcome = REACHED

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return self.done not in UNCHANGED


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a command."""

    verb: Verb
    results: tuple[Result, ...]
    waited: bool = False
    timed_out: bool = False


class Control:
    """Acts for others. Names select as in ``selecting``; ``who`` is text for the journal: ``uid 0 pid 42``."""

    def __init__(self, loop: Loop, view: View, engine: Engine) -> None:
        self._loop = loop
        self._view = view
        self._engine = engine

    async def carry_out(
        self, verb: Verb, names: Iterable[str], who: str, wait_sec: float | None = None, *, force: bool = False
    ) -> AsyncGenerator[Progress | Done, None]:
        """Give the command, wait up to ``wait_sec`` for what it is to come to, and yield Done at last.

        ``force``: what is stopped is killed at once.

        The first step comes when the engine took the command: until then UnknownNames, NotInForce and TargetError come.
        """
        instances = select_to_act(self._view, names)
        before = {name: self._view.crew.records.get(name, NOBODY) for name in instances}
        with self._loop.bulletin.listening() as listener:
            done = await self._command(verb, instances, who, force=force)
            if wait_sec is None:
                yield Done(verb, tuple(Result(name, done.get(name, "")) for name in instances))
                return
            until = asyncio.get_running_loop().time() + wait_sec
            awaited = {name: Awaited(verb, who, before[name], done.get(name, "")) for name in instances}
            waiting = Waiting(self._view.crew, awaited)
            waiting.look(*(name for name in instances if done.get(name) in UNCHANGED))
            yield waiting.progress
            async with aclosing(waiting.steps(listener, until)) as steps:
                async for progress in steps:
                    yield progress
        results = tuple(Result(name, done.get(name, ""), waiting.outcomes[name]) for name in instances)
        yield Done(verb, results, waited=True, timed_out=waiting.timed_out)

    async def why(self, name: str) -> Mapping[str, Any]:
        """Return ``crewd.why`` of an instance, or of a worker's only one. Raises UnknownNames, SeveralInstances."""
        return await self._engine.why(select_one(self._view, name))

    async def reload(self) -> ApplyResult:
        """Put the file in force, and return what came of it."""
        return await self._loop.reload()

    async def shutdown(self, *, keep: bool = False) -> None:
        """End the daemon as SIGTERM does; unless ``keep``, also a supervisord that SIGTERM would leave.

        Raises TargetError where that one cannot be told: then the daemon goes on.
        """
        supervision = self._view.supervision
        left = not supervision.ours or supervision.wanted.on_shutdown is OnShutdown.KEEP
        if left and not keep and self._view.supervisord_up:
            await self._engine.shutdown()
        self._loop.terminate("shutdown")

    async def _command(self, verb: Verb, instances: tuple[str, ...], who: str, *, force: bool) -> Mapping[str, str]:
        version = self._view.supervision.version
        if version is not None and not version.spoken:
            raise TargetError(f"cannot {verb.value}: the engine in supervisord speaks RPC version {version.rpc}")
        return await self._engine.command(verb, instances, who, force=force) if instances else {}
