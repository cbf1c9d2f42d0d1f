"""What workers report, taken in; and what was written down of them, given out."""

from typing import Annotated

from fastapi import Body, Query
from starlette.requests import Request
from starlette.responses import Response

from crewd.api import event_list, worker_logs
from crewd.api.answering import answer
from crewd.api.envelope import iso
from crewd.api.parameters import LogCursor, Moment, Names, OneInstance
from crewd.api.ports import Ports
from crewd.api.refusals import Refusal, Refused
from crewd.api.report_bodies import EntryBody, HeartbeatBody, LogsBody, SeveralEntries, moment
from crewd.api.reporting import may_report
from crewd.api.scope import within_one
from crewd.errors import TargetError
from crewd.model.report import Heartbeat, Level, LogEntry, LogKind
from crewd.policy.accounting import worker_of
from crewd.policy.heartbeats import STALE_SEC
from crewd.reconcile.selecting import UnknownNames, select_one

LOGS, LOGS_MOST = 100, 1000


class ReportHandlers:
    """All of them."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def heartbeat(self, request: Request, name: OneInstance, heartbeat: HeartbeatBody | None = None) -> Response:
        """Take note that an instance lives.

        And of what it says of itself.
        """
        told = heartbeat or HeartbeatBody()
        instance = self._reporter(request, name, told.instance)
        said = Heartbeat(0.0, 0.0, told.assigned_accounts, told.active_tasks, told.error_count, told.metadata)
        heard = self._ports.reporting.hear(instance, said)
        worker = self._ports.view.worker(worker_of(instance))
        limit_sec = STALE_SEC if worker is None or worker.heartbeat_stale_sec is None else worker.heartbeat_stale_sec
        return answer(
            {
                "worker_id": worker_of(instance),
                "instance": instance,
                "at": iso(heard.at),
                "stale_after_sec": worker_logs.finite(limit_sec),
            }
        )

    async def write_down(self, request: Request, name: OneInstance, report: Annotated[LogsBody, Body()]) -> Response:
        """Write down what an instance wants written down.

        One entry, or several. The answer comes when they are in the database: all of them, or none.
        """
        instance = self._reporter(request, name, report.instance)
        told = report.entries if isinstance(report, SeveralEntries) else [report]
        entries = [self._entry(instance, one) for one in told]
        await self._ports.reporting.write_down(instance, entries)
        return answer({"worker_id": worker_of(instance), "instance": instance, "stored": len(entries)})

    async def worker_logs(
        self,
        request: Request,
        *,
        worker: Names = [],  # noqa: B006 - FastAPI copies it
        instance: Names = [],  # noqa: B006
        kind: Annotated[list[LogKind], Query(description="What it is about.")] = [],  # noqa: B006
        level: Annotated[list[Level], Query(description="How much it matters.")] = [],  # noqa: B006
        since: Moment = None,
        until: Moment = None,
        limit: Annotated[int, Query(ge=1, le=LOGS_MOST, description="The newest so many.")] = LOGS,
        cursor: LogCursor = None,
    ) -> Response:
        """What happened to workers, and what they had written down.

        One list of both, in the order of their times.
        """
        asked = event_list.wanted(self._ports, request.state.principal, [*worker, *instance], [], gone=True)
        span = event_list.span(self._ports, since, until)
        wanted = worker_logs.Wanted(asked.instances, tuple(kind), tuple(level), span)
        return answer(await worker_logs.page(self._ports, wanted, limit, worker_logs.begin(cursor)))

    def _reporter(self, request: Request, name: str, instance: str | None) -> str:
        """Return the instance that reports; raises Refused where whoever asks may not report for it."""
        view = self._ports.view
        if not view.crew.generation:
            raise TargetError("cannot take a report: the crew is not known yet", retryable=True)
        within_one(request.state.principal, view, name)
        if instance is None:
            chosen = select_one(view, name)
        elif instance in view.crew.records and name in (instance, worker_of(instance)):
            chosen = instance
        else:
            raise UnknownNames((instance if name in view.workers() else name,))
        if not may_report(request.state.principal, worker_of(chosen)):
            who = request.state.principal.name
            raise Refused(Refusal(403, "AUTH_002", f"cannot let {who} report for {chosen}: it is another's worker"))
        return chosen

    def _entry(self, instance: str, told: EntryBody) -> LogEntry:
        now, kind = self._ports.wall(), LogKind(told.kind)
        at = now if told.at is None else min(now, moment(told.at))
        level = told.level or (Level.ERROR if kind is LogKind.ERROR else Level.INFO)
        return LogEntry(at, instance, kind, level, told.message, told.details)
