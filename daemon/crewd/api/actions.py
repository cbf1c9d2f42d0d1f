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
from crewd.api.envelope import JSON, encoded, success
from crewd.api.negotiation import preferred
from crewd.api.ports import Ports
from crewd.api.refusals import Refusal, Refused, invalid
from crewd.api.scope import select_within
from crewd.api.streaming import Ending, Pieces, begun, disconnected
from crewd.policy.accounting import worker_of
from crewd.reconcile.awaiting import Miss
from crewd.reconcile.control import Done, Progress
from crewd.reconcile.port import Verb

NDJSON = "application/x-ndjson"
ACCEPTED = 202
MISSED_MOST = 5
"""So many instances stand in a message; all of them are in the details."""
STOPPING = frozenset({Verb.STOP, Verb.RESTART})
WORDS = {verb.value.replace("_", "-"): verb for verb in Verb}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done, to what, and how long to wait: as it was asked for."""

    action: str
    names: list[str]
    wait: str | None
    force: bool = False
    """What is stopped is killed at once."""
    batch: bool = False
    """For many: then what became of each is in the answer, and its status is that of all."""


class Actions:
    """Carries orders out."""

    def __init__(self, ports: Ports, shapes: CrewShapes, ending: Ending) -> None:
        self._ports = ports
        self._shapes = shapes
        self._ending = ending

    async def carry_out(self, request: Request, order: Order) -> Response:
        """Do it; a stream of the progress where that is asked for, and there is something to wait for."""
        waiting, verb, principal = wait_sec(self._ports, order.wait), WORDS[order.action], request.state.principal
        if order.force and verb not in STOPPING:
            raise invalid(f"cannot {order.action} without grace: only stop and restart know graceful: false")
        told = {"action": order.action, "names": order.names, "count": len(order.names)}
        request.state.details = {**told, "graceful": False} if order.force else told
        select_within(principal, self._ports.view, order.names)
        steps = self._ports.control.carry_out(verb, order.names, principal.name, waiting, force=order.force)
        if waiting is not None and preferred(request, JSON, NDJSON) == NDJSON:
            return Pieces(await begun(self._lines(order.action, steps)), self._ending, NDJSON)
        done = await _last(request, steps)
        request.state.was_done = True
        data = self._shape(order.action, done)
        return answer(data) if order.batch else _told(order, done, data)

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
        return {
            "action": action,
            "results": results,
            "workers": self._by_worker(results),
            "waited": done.waited,
            "timed_out": done.timed_out,
        }

    def _by_worker(self, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the results of each worker together, in the order in which they are named."""
        of: dict[str, list[dict[str, Any]]] = {}
        for one in results:
            of.setdefault(worker_of(one["instance"]), []).append(one)
        return [
            {
                "worker_id": worker_id,
                "ok": all(one["ok"] for one in ones),
                "changed": any(one["changed"] for one in ones),
                "status": self._shapes.worker_status(worker_id),
                "message": "; ".join(f"{one['instance']}: {one['message']}" for one in ones if one["message"]),
            }
            for worker_id, ones in of.items()
        ]


def _told(order: Order, done: Done, data: dict[str, Any]) -> Response:
    """Return what became of one order: a no where it came to nothing, 202 where it may still come."""
    missed = [one for one in done.results if not one.outcome.ok]
    if not missed:
        return answer(data)
    kinds = {one.outcome.miss for one in missed}
    named = ", ".join(order.names)
    why = "; ".join(f"{one.instance}: {one.outcome.message}" for one in missed[:MISSED_MOST])
    more = f"; and {len(missed) - MISSED_MOST} more" if len(missed) > MISSED_MOST else ""
    message = f"cannot {order.action} {named}: {why}{more}"
    if Miss.FAILED in kinds:
        raise Refused(Refusal(500, "WORKER_005", message, data))
    if Miss.CROSSED in kinds:
        raise Refused(Refusal(409, "WORKER_003", message, data))
    return answer(data, ACCEPTED)


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
