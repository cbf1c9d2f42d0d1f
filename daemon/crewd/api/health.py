"""``/healthz``, ``/readyz``, ``/metrics``: what anybody on the machine may ask."""

import asyncio
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from crewd.api.envelope import JSON, encoded
from crewd.api.ports import Ports
from crewd.reconcile.status_words import status_words
from crewd.wording import counted

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """``listening``: what keeps us from listening, in sentences."""

    def __init__(self, ports: Ports, listening: Callable[[], Sequence[str]]) -> None:
        self._ports = ports
        self._listening = listening
        self._rendering = asyncio.Lock()

    async def healthz(self, _request: Request) -> Response:
        """Whether the daemon lives: it answers."""
        return Response(encoded({"status": "ok"}), media_type=JSON)

    async def readyz(self, _request: Request) -> Response:
        """Whether all is in order: 503 with the reasons where it is not."""
        reasons = self.reasons()
        if not reasons:
            return Response(encoded({"status": "ready"}), media_type=JSON)
        return Response(encoded({"status": "not ready", "reasons": reasons}), 503, media_type=JSON)

    async def metrics(self, _request: Request) -> Response:
        """The page for Prometheus, made in a thread; one at a time, however many ask."""
        async with self._rendering:
            page = await asyncio.to_thread(self._ports.metrics)
        return Response(page, headers={"content-type": METRICS_TYPE})

    def reasons(self) -> list[str]:
        """Return why crewd is not ready; empty where it is."""
        view = self._ports.view
        recorded = view.recorder.recorded
        applied = view.applies.successful and not view.supervision.problems
        checks = (
            (view.supervisord_up, f"supervisord: {status_words(view.supervision, 'it is not there')}"),
            (bool(applied), f"the configuration is not in force{_counted(view.supervision.problems)}"),
            (not view.crew.stale or not view.supervisord_up, "the picture is not of now"),
            (recorded.open and not recorded.trouble, f"nothing is recorded: {recorded.trouble or 'not open yet'}"),
        )
        return [*(why for fine, why in checks if not fine), *self.own_reasons()]

    def own_reasons(self) -> list[str]:
        """Return those of them that the answer to ``GET /workers`` tells nowhere else."""
        caught_up = self._ports.view.supervision.ready
        return [*([] if caught_up else ["crewd has not caught up with the journal"]), *self._listening()]


def _counted(problems: Sequence[str]) -> str:
    return f": {counted(len(problems), 'problem')}" if problems else ""
