"""The two applications: all of the table for the Unix socket, what anyone may ask for TCP."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp

from crewd import __version__
from crewd.api.admission import hosts_only, peers_only
from crewd.api.answering import ON_ERRORS, problems, refused
from crewd.api.audit import AuditRoutes
from crewd.api.describing import Description, summary_and_more, tag
from crewd.api.gate import Gate
from crewd.api.handlers import Handlers
from crewd.api.health import Health
from crewd.api.idempotency import Idempotency
from crewd.api.noting import Noted
from crewd.api.ports import Ports
from crewd.api.refusals import invalid
from crewd.api.routes import Route, public, routes
from crewd.api.streaming import Ending
from crewd.api.tokens import TokenRoutes
from crewd.model.access import Access

DESCRIPTION = (
    "What crewd can be asked, and asked for. Names select as in crewctl; see docs/reference/api.md. "
    "Each POST takes the header Idempotency-Key: what is sent twice with the same key is done once."
)
NO_TELEMETRY: Any = {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}
"""FastAPI would else look into the environment for somebody to report to."""


def unix_app(ports: Ports, ending: Ending, listening: Callable[[], Sequence[str]]) -> ASGIApp:
    """Return what the Unix socket serves. ``listening``: what keeps us from listening, in sentences."""
    description = Description()
    handlers, health = Handlers(ports, ending), Health(ports, listening)
    table = routes(handlers, health, description, TokenRoutes(ports), AuditRoutes(ports))
    app = FastAPI(
        title="crewd",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,  # it is a row of the table
        docs_url=None,  # both pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        exception_handlers={**ON_ERRORS, RequestValidationError: _of_validation},
    )
    for route in table:
        summary, more = summary_and_more(route)
        app.add_api_route(
            route.path,
            route.handler,
            methods=[route.method],
            response_class=Response,
            dependencies=[] if route.access is Access.ANYONE else [Depends(known_parameters)],
            summary=summary,
            description=more,
            tags=[tag(route.path)],
            operation_id=route.handler.__name__,
            openapi_extra={"x-access": route.access.value},
        )
    description.of(app, table)
    admit = peers_only({route.path for route in table if route.access is Access.ANYONE})
    return _noted(Gate(Idempotency(app, ports.answers), admit), ports, table)


def tcp_app(ports: Ports, host: str, listening: Callable[[], Sequence[str]]) -> ASGIApp:
    """Return what TCP serves; ``host`` is the one that is listened on."""
    table = public(Health(ports, listening))
    rows = [StarletteRoute(route.path, route.handler, methods=[route.method]) for route in table]
    app = Starlette(routes=rows, exception_handlers=ON_ERRORS)
    app.router.redirect_slashes = False
    return _noted(Gate(app, hosts_only(host)), ports, table)


def _noted(app: ASGIApp, ports: Ports, table: Sequence[Route]) -> ASGIApp:
    """Return the application, all that it is asked noted in the audit."""
    return Noted(app, ports.auditor, {(route.method, route.path): route.access for route in table}, ports.wall)


def known_parameters(request: Request) -> None:
    """Refuse parameters that the route does not know: a misspelt one must not be passed over."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise invalid(f"cannot read the request: there is no parameter {', '.join(unknown)} here", known=sorted(known))


async def _of_validation(_request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else ()
    return refused(problems(errors))
