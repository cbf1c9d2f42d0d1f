"""The answers to what is asked under ``/api/v1``, one method each. What they take is what the route documents."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from crewd.api import event_list
from crewd.api.actions import Actions, Order
from crewd.api.answering import answer
from crewd.api.applied import applied_shape
from crewd.api.bodies import Action, Batch, Claims, Hurried, Shutdown
from crewd.api.crew import CrewShapes, Page, statuses
from crewd.api.durations import duration
from crewd.api.event_stream import Begin, EventStream
from crewd.api.events import position_of
from crewd.api.logs import Asked, Logs, Which
from crewd.api.negotiation import asks_for
from crewd.api.parameters import (
    Fresh,
    Grep,
    LastEventId,
    Moment,
    Name,
    Names,
    One,
    OneInstance,
    RowCursor,
    Statuses,
    Types,
    Wait,
)
from crewd.api.ports import Ports
from crewd.api.refusals import Refusal, Refused, invalid
from crewd.api.scope import within_one
from crewd.api.streaming import SSE, Ending, Pieces, begun
from crewd.api.worker_health import WorkerHealth
from crewd.reconcile.port import Applied, ApplyFailed, ApplyRefused
from crewd.wording import counted

LIST_MOST = 10_000
EVENTS, EVENTS_MOST = 100, 1000
LINES, LINES_MOST = 100, 10_000

ENDING: frozenset[Action] = frozenset({"stop", "restart"})
DOES: Mapping[Action, str] = {
    "start": """Start what does not run.

    Never refused by the limit: begins a new history.""",
    "stop": "Stop it, and keep it stopped.",
    "restart": "Stop what runs, then start it.",
    "reset-failed": "Forget the exits; starts nothing.",
}


class Handlers:
    """All of them. ``not_ready``: what crewd itself is not ready for, in sentences."""

    def __init__(self, ports: Ports, ending: Ending, not_ready: Callable[[], Sequence[str]]) -> None:
        self._ports = ports
        self._ending = ending
        self._shapes = CrewShapes(ports, not_ready)
        self._actions = Actions(ports, self._shapes, ending)
        self._logs = Logs(ports, ending)
        self._health = WorkerHealth(ports, self._shapes)

    async def workers(
        self,
        *,
        request: Request,
        worker: Names = [],  # noqa: B006 - FastAPI copies it
        status: Statuses = [],  # noqa: B006
        limit: Annotated[int | None, Query(ge=1, le=LIST_MOST, description="So many workers at most.")] = None,
        cursor: Annotated[str | None, Query(description="next_cursor of the answer before.", examples=["web"])] = None,
        fresh: Fresh = None,
    ) -> Response:
        """The crew as it is, and how supervisord and crewd are."""
        if fresh is not None:
            await self._ports.fresh(duration(self._ports, "fresh", fresh))
        return answer(self._shapes.all(request.state.principal, worker, Page(statuses(status), limit, cursor)))

    async def status(self, request: Request, name: One) -> Response:
        """How a worker is.

        Of an instance: its worker, with that instance alone.
        """
        within_one(request.state.principal, self._ports.view, name)
        return answer(self._shapes.one(name))

    async def health(self, request: Request, name: One) -> Response:
        """Whether a worker, or an instance, is as it is to be.

        And why not: 200 in either case.
        """
        within_one(request.state.principal, self._ports.view, name)
        return answer(self._health.of(name))

    async def overview(self, request: Request) -> Response:
        """How all workers are, together."""
        return answer(self._health.overview(request.state.principal))

    async def why(self, request: Request, name: OneInstance) -> Response:
        """Why an instance is as it is.

        The engine's own answer: the last exits, the verdict on each, the policy, what the limit leaves.
        """
        within_one(request.state.principal, self._ports.view, name)
        return answer(await self._ports.control.why(name))

    def acting(self, action: Action) -> Callable[..., Awaitable[Response]]:
        """Return what carries out this action."""

        async def act(request: Request, name: Name, wait: Wait = None, body: Claims | None = None) -> Response:
            del body  # claims, which the audit keeps
            return await self._actions.carry_out(request, Order(action, [name], wait))

        async def end(request: Request, name: Name, wait: Wait = None, body: Hurried | None = None) -> Response:
            force = body is not None and not body.options.graceful
            return await self._actions.carry_out(request, Order(action, [name], wait, force=force))

        chosen: Callable[..., Awaitable[Response]] = end if action in ENDING else act
        chosen.__doc__ = DOES[action]
        chosen.__name__ = action.replace("-", "_")
        return chosen

    async def batch(self, request: Request, batch: Batch, wait: Wait = None) -> Response:
        """Start, stop or restart many, or forget their exits.

        Where a name is unknown, nothing is done for any.
        """
        order = Order(batch.action, batch.worker_ids, wait, force=not batch.options.graceful, batch=True)
        return await self._actions.carry_out(request, order)

    async def events(
        self,
        request: Request,
        *,
        instance: Names = [],  # noqa: B006
        type: Types = [],  # noqa: A002, B006 - the parameter's name
        since: Moment = None,
        until: Moment = None,
        limit: Annotated[int | None, Query(ge=0, le=EVENTS_MOST, description="The newest so many.")] = None,
        cursor: RowCursor = None,
        last_event_id: LastEventId = None,
        follow: Annotated[bool, Query(description="A stream of what happens, for ever.")] = False,
    ) -> Response:
        """What happened; or, following, what happens.

        since, until and cursor do not go with follow.
        """
        follow = follow or asks_for(request, SSE)
        asked = event_list.wanted(self._ports, request.state.principal, instance, type, gone=not follow)
        after = None if last_event_id is None else position_of(last_event_id)
        if not follow:
            span = event_list.span(self._ports, since, until)
            return answer(await event_list.page(self._ports, asked, span, EVENTS if limit is None else limit, cursor))
        if since or until or cursor:
            raise invalid("cannot follow from since, until or cursor: say limit, or Last-Event-ID")
        begin = Begin(limit or 0, after)
        messages = EventStream(self._ports, asked).messages(begin)
        return Pieces(await begun(messages), self._ending, SSE, {"cache-control": "no-store"})

    async def logs(
        self,
        request: Request,
        name: OneInstance,
        stream: Annotated[Which, Query(description="Which of the two, or both.")] = Which.STDOUT,
        *,
        tail: Annotated[int, Query(ge=0, le=LINES_MOST, description="The newest so many lines.")] = LINES,
        grep: Grep = None,
        since: Moment = None,
        follow: Annotated[bool, Query(description="Go on with what is written, for ever.")] = False,
    ) -> Response:
        """What an instance wrote; or, following, what it writes."""
        within_one(request.state.principal, self._ports.view, name)
        begin = event_list.span(self._ports, since, None).since
        return await self._logs.answer(request, Asked(name, stream, tail, grep, begin, follow))

    async def reload(self) -> Response:
        """Read the configuration again, and apply the difference.

        As on SIGHUP; the answer comes when that is done.
        """
        match await self._ports.control.reload():
            case Applied() as applied:
                return answer(applied_shape(applied))
            case ApplyRefused(problems):
                message = f"cannot apply the configuration: {counted(len(problems), 'problem')}, nothing was changed"
                raise Refused(Refusal(422, "RESTART_004", message, {"problems": list(problems)}))
            case ApplyFailed(message):
                raise Refused(Refusal(500, "APPLY_001", message))

    async def shutdown(self, body: Shutdown | None = None) -> Response:
        """End the daemon.

        And with it supervisord and all workers, unless they are to be kept.
        """
        await self._ports.control.shutdown(keep=body is not None and body.keep)
        return answer({"ending": True})
