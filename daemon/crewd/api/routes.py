"""All that can be asked, by whom, and what comes of it: one table. Nothing else is served.

The column ``access`` is what the gate goes by, see ``Judged``: a row gives the least role that fits.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.routing import compile_path

from crewd.api.audit import AuditRoutes
from crewd.api.configurations import ConfigurationHandlers
from crewd.api.describing import Answer, Body, Description
from crewd.api.handlers import Handlers
from crewd.api.health import Health
from crewd.api.reports import ReportHandlers
from crewd.api.resets import Resets
from crewd.api.shapes import (
    access,
    actions,
    configurations,
    crew,
    daemon,
    events,
    output,
    reasons,
    reports,
    restarts,
    worker_health,
)
from crewd.api.tokens import TokenRoutes
from crewd.model.access import Access

API = "/api/v1"
OPENAPI = "/openapi.json"


@dataclass(frozen=True, slots=True)
class Route:
    """One row. ``handler`` takes a request where anyone may ask, else what FastAPI makes of one.

    Its docstring is the description, the first line the summary; ``answer`` is for ``/openapi.json``.
    """

    method: str
    path: str
    access: Access
    handler: Callable[..., Any]
    answer: Answer
    body: Body | None = None
    """Where the handler reads the body itself."""


def public(health: Health) -> tuple[Route, ...]:
    """Return what anyone may ask."""
    return (
        Route("GET", "/healthz", Access.ANYONE, health.healthz, daemon.HEALTH),
        Route("GET", "/readyz", Access.ANYONE, health.readyz, daemon.READINESS),
        Route("GET", "/metrics", Access.ANYONE, health.metrics, daemon.METRICS),
    )


def _configured(handlers: ConfigurationHandlers) -> tuple[Route, ...]:
    admin, viewer = Access.ADMIN, Access.VIEWER
    path = f"{API}/worker-configs"
    one = f"{path}/{{worker_id}}"
    return (
        Route("GET", path, viewer, handlers.configurations, configurations.LIST),
        Route("POST", path, admin, handlers.create_configuration, configurations.CREATED, handlers.new),
        Route("GET", f"{path}/stats/summary", viewer, handlers.configurations_summary, configurations.SUMMARY),
        Route("GET", one, viewer, handlers.configuration, configurations.ONE),
        Route("PATCH", one, admin, handlers.change_configuration, configurations.CHANGED, handlers.patch),
        Route("DELETE", one, admin, handlers.delete_configuration, configurations.DELETED),
    )


def routes(
    handlers: Handlers,
    configured: ConfigurationHandlers,
    health: Health,
    description: Description,
    *,
    reporting: ReportHandlers,
    tokens: TokenRoutes,
    audit: AuditRoutes,
    resets: Resets,
) -> tuple[Route, ...]:
    """Return the table. Paths without a name stand before those with one."""
    viewer, operator, admin, worker = Access.VIEWER, Access.OPERATOR, Access.ADMIN, Access.WORKER
    acted = actions.ACTED
    return (
        *public(health),
        *_configured(configured),
        Route("GET", OPENAPI, viewer, description.openapi, daemon.DESCRIPTION),
        Route("GET", f"{API}/workers", viewer, handlers.workers, crew.WORKERS),
        Route("POST", f"{API}/workers/batch", operator, handlers.batch, actions.BATCH),
        Route("GET", f"{API}/workers/stats/overview", viewer, handlers.overview, worker_health.OVERVIEW),
        Route("GET", f"{API}/workers/{{name}}/status", viewer, handlers.status, crew.STATUS),
        Route("GET", f"{API}/workers/{{name}}/health", viewer, handlers.health, worker_health.HEALTH),
        Route("GET", f"{API}/workers/{{name}}/why", viewer, handlers.why, reasons.WHY),
        Route("GET", f"{API}/workers/{{name}}/logs", operator, handlers.logs, output.OUTPUT),
        Route("POST", f"{API}/workers/{{name}}/logs", worker, reporting.write_down, reports.STORED),
        Route("POST", f"{API}/workers/{{name}}/heartbeat", worker, reporting.heartbeat, reports.HEARD),
        Route("POST", f"{API}/workers/{{name}}/start", operator, handlers.acting("start"), acted),
        Route("POST", f"{API}/workers/{{name}}/stop", operator, handlers.acting("stop"), acted),
        Route("POST", f"{API}/workers/{{name}}/restart", operator, handlers.acting("restart"), acted),
        Route("POST", f"{API}/workers/{{name}}/reset-failed", operator, handlers.acting("reset-failed"), acted),
        Route("POST", "/restart", operator, resets.restart_default, restarts.RESTARTED),
        Route("POST", f"{API}/workers/{{name}}/reset", operator, resets.reset_worker, restarts.RESTARTED),
        Route("GET", f"{API}/restart-events", viewer, resets.restart_events, restarts.RESTARTS),
        Route("GET", f"{API}/worker-logs", viewer, reporting.worker_logs, reports.ENTRIES),
        Route("GET", f"{API}/events", viewer, handlers.events, events.EVENTS),
        Route("GET", f"{API}/audit", admin, audit.audit, access.AUDIT),
        Route("GET", f"{API}/tokens", admin, tokens.tokens, access.TOKENS),
        Route("POST", f"{API}/tokens", admin, tokens.create_token, access.CREATED),
        Route("DELETE", f"{API}/tokens/{{token_id}}", admin, tokens.revoke_token, access.REVOKED),
        Route("POST", f"{API}/reload", admin, handlers.reload, daemon.RELOADED),
        Route("POST", f"{API}/shutdown", admin, handlers.shutdown, daemon.ENDING),
    )


class Judged:
    """The column of access, by method and path: the row that the router takes, for paths are compared as it does."""

    ELSEWHERE = Access.VIEWER
    """What is not there is not told to whoever may not even look."""

    def __init__(self, table: Iterable[Route]) -> None:
        self._rows = [(route.method, compile_path(route.path)[0], route.access) for route in table]

    def access(self, method: str, path: str) -> Access:
        """Return what is asked of whoever asks for this."""
        for of, pattern, asked in self._rows:
            if of == method and pattern.match(path):
                return asked
        return self.ELSEWHERE
