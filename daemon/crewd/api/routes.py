"""All that can be asked, by whom, and what comes of it: one table. Nothing else is served."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crewd.api.audit import AuditRoutes
from crewd.api.describing import Answer, Description
from crewd.api.handlers import Handlers
from crewd.api.health import Health
from crewd.api.shapes import access, actions, crew, daemon, events, reasons
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


def public(health: Health) -> tuple[Route, ...]:
    """Return what anyone may ask."""
    return (
        Route("GET", "/healthz", Access.ANYONE, health.healthz, daemon.HEALTH),
        Route("GET", "/readyz", Access.ANYONE, health.readyz, daemon.READINESS),
        Route("GET", "/metrics", Access.ANYONE, health.metrics, daemon.METRICS),
    )


def routes(
    handlers: Handlers, health: Health, description: Description, tokens: TokenRoutes, audit: AuditRoutes
) -> tuple[Route, ...]:
    """Return the table. Paths without a name stand before those with one."""
    admin = Access.ADMIN
    acted = actions.ACTED
    return (
        *public(health),
        Route("GET", OPENAPI, admin, description.openapi, daemon.DESCRIPTION),
        Route("GET", f"{API}/workers", admin, handlers.workers, crew.WORKERS),
        Route("POST", f"{API}/workers/batch", admin, handlers.batch, acted),
        Route("GET", f"{API}/workers/{{name}}/status", admin, handlers.status, crew.STATUS),
        Route("GET", f"{API}/workers/{{name}}/why", admin, handlers.why, reasons.WHY),
        Route("GET", f"{API}/workers/{{name}}/logs", admin, handlers.logs, daemon.LOGS),
        Route("POST", f"{API}/workers/{{name}}/start", admin, handlers.acting("start"), acted),
        Route("POST", f"{API}/workers/{{name}}/stop", admin, handlers.acting("stop"), acted),
        Route("POST", f"{API}/workers/{{name}}/restart", admin, handlers.acting("restart"), acted),
        Route("POST", f"{API}/workers/{{name}}/reset-failed", admin, handlers.acting("reset-failed"), acted),
        Route("GET", f"{API}/events", admin, handlers.events, events.EVENTS),
        Route("GET", f"{API}/audit", admin, audit.audit, access.AUDIT),
        Route("GET", f"{API}/tokens", admin, tokens.tokens, access.TOKENS),
        Route("POST", f"{API}/tokens", admin, tokens.create_token, access.CREATED),
        Route("DELETE", f"{API}/tokens/{{token_id}}", admin, tokens.revoke_token, access.REVOKED),
        Route("POST", f"{API}/reload", admin, handlers.reload, daemon.RELOADED),
        Route("POST", f"{API}/shutdown", admin, handlers.shutdown, daemon.ENDING),
    )
