"""Manual restarts with a reset: ``POST /restart``, ``POST …/reset``, and those that are stored.

Rules:

1. The answer has the members of the document, flat, whatever became of it: that is what its readers read.
2. The status is true: 200 where every action succeeded, 502 where one did not; then ``error`` is there, too.
3. So many a minute, whichever of both ways: ``RATE_MOST`` for each client, whoever it says that it is.
"""

import time
from collections.abc import Sequence
from math import ceil
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from crewd.api.answering import answer
from crewd.api.bodies import Claims, Restart
from crewd.api.durations import wait_sec
from crewd.api.envelope import JSON, encoded, iso
from crewd.api.event_list import before, span
from crewd.api.parameters import Moment, RowCursor, Wait
from crewd.api.ports import Ports
from crewd.api.refusals import too_much
from crewd.api.scope import can_be_a_name, within
from crewd.model.access import Principal
from crewd.policy.access import covers
from crewd.policy.rate import Limiter
from crewd.reconcile.resetting import Asked, Outcome, shape, summary
from crewd.reconcile.restart_events import MANUAL_RESTART, RestartQuery, StoredRestart

RATE_MOST = 10
RATE_SEC = 60.0
RESTARTS, RESTARTS_MOST = 100, 1000
NAMES_MOST = 1000
INCOMPLETE = "RESET_001"
ACCEPTED, BAD_GATEWAY = 202, 502

Workers = Annotated[
    list[str], Query(max_length=NAMES_MOST, description="Only restarts of these workers.", examples=[["web"]])
]
Worker = Annotated[str, Path(description="A worker that has a reset.", examples=["web"])]


class Resets:
    """All of them."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._rate = Limiter(RATE_MOST, RATE_SEC)

    async def restart_default(self, request: Request, body: Restart | None = None, wait: Wait = None) -> Response:
        """Clear what the default worker holds, then restart it.

        Or the one that the body names. Without default_worker it is the only worker that has a reset.
        """
        body = body or Restart()
        return await self._reset(request, body.worker_id, body, wait)

    async def reset_worker(
        self, request: Request, name: Worker, body: Claims | None = None, wait: Wait = None
    ) -> Response:
        """Clear what this worker holds, then restart it."""
        return await self._reset(request, name, body or Claims(), wait)

    async def restart_events(
        self,
        request: Request,
        *,
        worker: Workers = [],  # noqa: B006 - FastAPI copies it
        since: Moment = None,
        until: Moment = None,
        limit: Annotated[int, Query(ge=1, le=RESTARTS_MOST, description="The newest so many.")] = RESTARTS,
        cursor: RowCursor = None,
    ) -> Response:
        """Manual restarts with a reset, as they are stored."""
        when = span(self._ports, since, until)
        workers = self._covered(request.state.principal, worker)
        query = RestartQuery(workers or (), when.since, when.until, before(cursor), limit)
        found = await self._ports.restarts.restarts(query) if workers != () else ()
        oldest = next((str(one.id) for one in found if len(found) == limit), None)
        return answer({"restart_events": [_stored(one) for one in found], "next_cursor": oldest})

    def _covered(self, principal: Principal, names: Sequence[str]) -> tuple[str, ...] | None:
        """Return of which workers restarts are shown, None: of all; to who is limited to some, of these alone."""
        within(principal, names)
        if names:
            return tuple(filter(can_be_a_name, names))
        if not principal.workers:
            return None
        return tuple(name for name in self._ports.view.workers() if covers(principal, name))

    async def _reset(self, request: Request, named: str | None, body: Claims, wait: str | None) -> Response:
        principal: Principal = request.state.principal
        within(principal, () if named is None else (named,))
        worker_id = self._ports.resetting.chosen(named, lambda name: covers(principal, name))
        within(principal, (worker_id,))
        request.state.details = {"worker_id": worker_id}
        waiting = wait_sec(self._ports, wait)
        self._slow_down(principal)
        asked = Asked(principal.name, principal.source, body.user, body.reason, waiting)
        outcome = await self._ports.resetting.reset(worker_id, asked)
        request.state.was_done = True
        return Response(encoded(_answered(outcome)), _status(outcome), media_type=JSON)

    def _slow_down(self, principal: Principal) -> None:
        after_sec = self._rate.take(_client(principal), time.monotonic())
        if after_sec:
            raise too_much(f"cannot restart more than {RATE_MOST} times a minute", max(1, ceil(after_sec)))


def _client(principal: Principal) -> str:
    """Return who is counted as one: a user of this machine, whichever process it is, or an address."""
    if principal.uid is not None:
        return f"uid {principal.uid}"
    address = principal.source.rpartition(":")[0] or principal.source
    return f"{principal.how} {address}" if principal.role is None else f"{principal.how} {principal.name}"


def _status(outcome: Outcome) -> int:
    if outcome.failed:
        return BAD_GATEWAY
    return ACCEPTED if outcome.late else 200


def _answered(outcome: Outcome) -> dict[str, Any]:
    """Return the document's answer, and the error where an action failed."""
    error = _error(outcome) if outcome.failed else None
    members: dict[str, Any] = {
        "success": error is None,
        "message": "Worker restarted successfully" if error is None else error["message"],
        "worker_id": outcome.worker_id,
        "worker_name": outcome.name,
        "timestamp": iso(outcome.at),
        "duration": outcome.duration_ms,
        "actions": [shape(step) for step in outcome.steps],
        "summary": summary(outcome.steps),
    }
    return members if error is None else {**members, "error": error}


def _error(outcome: Outcome) -> dict[str, Any]:
    words = [f"{step.action} {step.wallet or step.key or ''}".strip() + f": {step.error}" for step in outcome.failed]
    how_many = f"{len(words)} of {len(outcome.steps)} actions failed, the first: {words[0]}"
    message = f"cannot restart {outcome.worker_id} completely: {how_many}"
    return {"code": INCOMPLETE, "message": message, "details": {"failed": words}}


def _stored(stored: StoredRestart) -> dict[str, Any]:
    restart = stored.restart
    failed = sum(not one["success"] for one in restart.actions)
    total = len(restart.actions)
    return {
        "id": stored.id,
        "restart_id": restart.restart_id,
        "type": MANUAL_RESTART,
        "at": iso(restart.at),
        "worker_id": restart.worker_id,
        "success": restart.success,
        "duration": restart.duration_ms,
        "by": restart.by,
        "source": restart.source,
        "user": restart.user,
        "reason": restart.reason,
        "actions": list(restart.actions),
        "summary": {"total_actions": total, "successful_actions": total - failed, "failed_actions": failed},
    }
