"""What is done to workers: start, stop, restart, reset-failed; now, or until it came to something."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from crewd.api.answering import answer
from crewd.api.crew import CrewShapes
from crewd.api.durations import wait_sec
from crewd.api.envelope import encoded, success
from crewd.api.ports import Ports
from crewd.api.scope import select_within
from crewd.api.streaming import Ending, Pieces, begun, disconnected
from crewd.reconcile.control import Done, Progress
from crewd.reconcile.port import Verb

NDJSON = "application/x-ndjson"
TOLD_MOST = 20
"""So many names of an order the audit is told."""
WORDS = {verb.value.replace("_", "-"): verb for verb in Verb}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done, to what, and how long to wait: as it was asked for."""

    action: str
    names: list[str]
    wait: str | None


class Actions:
    """Carries orders out."""

    def __init__(self, ports: Ports, shapes: CrewShapes, ending: Ending) -> None:
        self._ports = ports
        self._shapes = shapes
        self._ending = ending

    async def carry_out(self, request: Request, order: Order) -> Response:
        """Do it; a stream of the progress where that is asked for, and there is something to wait for."""
        waiting = wait_sec(self._ports, order.wait)
        principal = request.state.principal
        request.state.details = {"action": order.action, "names": order.names[:TOLD_MOST], "count": len(order.names)}
        select_within(principal, self._ports.view, order.names)
        steps = self._ports.control.carry_out(WORDS[order.action], order.names, principal.name, waiting)
        if waiting is not None and NDJSON in request.headers.get("accept", ""):
            return Pieces(await begun(self._lines(order.action, steps)), self._ending, NDJSON)
        return answer(self._shape(order.action, await _last(request, steps)))

    async def _lines(self, action: str, steps: AsyncGenerator[Progress | Done, None]) -> AsyncGenerator[bytes, None]:
        async with aclosing(steps):
            async for step in steps:
                yield self._line(action, step)

    def _line(self, action: str, step: Progress | Done) -> bytes:
        if isinstance(step, Progress):
            return encoded({"progress": {"done": step.done, "of": step.of}}) + b"\n"
        return success(self._shape(action, step)) + b"\n"

    def _shape(self, action: str, done: Done) -> dict[str, Any]:
        results: list[dict[str, Any]] = []
        for one in done.results:
            status, state = self._shapes.status(one.instance)
            results.append(
                {
                    "instance": one.instance,
                    "done": one.done,
                    "changed": one.changed,
                    "ok": one.outcome.ok,
                    "status": status,
                    "process_state": state,
                    "message": one.outcome.message,
                }
            )
        return {"action": action, "results": results, "waited": done.waited, "timed_out": done.timed_out}


async def _last(request: Request, steps: AsyncGenerator[Progress | Done, None]) -> Done:
    """Return what became of it; nothing is waited for once whoever asked is gone."""
    waiting = asyncio.create_task(_done(steps))
    gone = asyncio.create_task(disconnected(request.receive))
    try:
        await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not waiting.done():
            waiting.cancel()
    return await waiting


async def _done(steps: AsyncGenerator[Progress | Done, None]) -> Done:
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, Done):
                return step
    raise AssertionError("a command without an end")
