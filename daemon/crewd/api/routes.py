"""All that can be asked, and by whom: one table. Nothing else is served but ``/openapi.json``, which describes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crewd.api.handlers import Handlers
from crewd.api.health import Health
from crewd.model.access import Access

API = "/api/v1"
OPENAPI = "/openapi.json"


@dataclass(frozen=True, slots=True)
class Route:
    """One row. ``handler`` takes a request where anyone may ask, else what FastAPI makes of one."""

    method: str
    path: str
    access: Access
    handler: Callable[..., Any]


def public(health: Health) -> tuple[Route, ...]:
    """Return what anyone may ask."""
    return (
        Route("GET", "/healthz", Access.ANYONE, health.healthz),
        Route("GET", "/readyz", Access.ANYONE, health.readyz),
        Route("GET", "/metrics", Access.ANYONE, health.metrics),
    )


def routes(handlers: Handlers, health: Health) -> tuple[Route, ...]:
    """Return the table. Paths without a name stand before those with one."""
    admin = Access.ADMIN
    return (
        *public(health),
        Route("GET", f"{API}/workers", admin, handlers.workers),
        Route("POST", f"{API}/workers/batch", admin, handlers.batch),
        Route("GET", f"{API}/workers/{{name}}/status", admin, handlers.status),
        Route("GET", f"{API}/workers/{{name}}/why", admin, handlers.why),
        Route("GET", f"{API}/workers/{{name}}/logs", admin, handlers.logs),
        Route("POST", f"{API}/workers/{{name}}/start", admin, handlers.acting("start")),
        Route("POST", f"{API}/workers/{{name}}/stop", admin, handlers.acting("stop")),
        Route("POST", f"{API}/workers/{{name}}/restart", admin, handlers.acting("restart")),
        Route("POST", f"{API}/workers/{{name}}/reset-failed", admin, handlers.acting("reset-failed")),
        Route("GET", f"{API}/events", admin, handlers.events),
        Route("POST", f"{API}/reload", admin, handlers.reload),
        Route("POST", f"{API}/shutdown", admin, handlers.shutdown),
    )
