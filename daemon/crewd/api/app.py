"""The application: all of the table, and a gate before it for each listener."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from crewd import __version__
from crewd.api.admission import Admission, Door, Whole
from crewd.api.answering import ON_ERRORS, problems, refused
from crewd.api.audit import AuditRoutes
from crewd.api.configurations import ConfigurationHandlers
from crewd.api.describing import Description, summary_and_more, tag
from crewd.api.gate import Gate
from crewd.api.handlers import Handlers
from crewd.api.health import Health
from crewd.api.idempotency import Idempotency
from crewd.api.noting import Noted
from crewd.api.ports import Ports
from crewd.api.refusals import invalid
from crewd.api.reports import ReportHandlers
from crewd.api.resets import Resets
from crewd.api.routes import Judged, Route, routes
from crewd.api.rules import Rulebook
from crewd.api.streaming import Ending
from crewd.api.tokens import TokenRoutes
from crewd.model.access import Access, Principal

DESCRIPTION = (
    "What crewd can be asked, and asked for. Names select as in crewctl; see docs/reference/api.md. "
    "Each POST takes the header Idempotency-Key: what is sent twice with the same key is done once."
)
NO_TELEMETRY: Any = {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}
"""FastAPI would else look into the environment for somebody to report to."""


class Application:
    """What is served, and the gate before it. ``listening``: what keeps us from listening, in sentences."""

    def __init__(
        self, ports: Ports, rulebook: Rulebook, ending: Ending, listening: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self._ports = ports
        self._admission = Admission(ports, rulebook)
        self._served, table = application(ports, ending, listening)
        self._judged = Judged(table)
        self._column = {(route.method, route.path): route.access for route in table}

    def behind(self, door: Door) -> ASGIApp:
        """Return it as it is served to those who come through this door: all that is asked is noted in the audit."""

        async def admit(scope: Scope, access: Access, whole: Whole) -> Principal:
            return await self._admission.admit(scope, access, door, whole)

        gate = Gate(Idempotency(self._served, self._ports.answers), admit, self._judged.access)
        return Noted(gate, self._ports.auditor, self._column, self._ports.wall)


def application(
    ports: Ports, ending: Ending, listening: Callable[[], Sequence[str]]
) -> tuple[FastAPI, tuple[Route, ...]]:
    """Return what answers whoever was let in, and the table that it is made of."""
    description = Description()
    health = Health(ports, listening)
    handlers = Handlers(ports, ending, health.own_reasons)
    table = routes(
        handlers,
        ConfigurationHandlers(ports),
        health,
        description,
        reporting=ReportHandlers(ports),
        tokens=TokenRoutes(ports),
        audit=AuditRoutes(ports),
        resets=Resets(ports),
    )
    app = _served(table)
    description.of(app, table)
    return app, table


def _served(table: Iterable[Route]) -> FastAPI:
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
        checks = [Depends(_judged(route.access))]
        if route.access is not Access.ANYONE:
            checks.append(Depends(known_parameters))
        app.add_api_route(
            route.path,
            route.handler,
            methods=[route.method],
            response_class=Response,
            dependencies=checks,
            summary=summary,
            description=more,
            tags=[tag(route.path)],
            operation_id=route.handler.__name__,
            openapi_extra={"x-access": route.access.value, **({} if route.body is None else route.body.operation())},
        )
    return app


def _judged(access: Access) -> Callable[[Request], Awaitable[None]]:
    """Return what holds that the gate judged the row that is served: should they ever differ, nothing is done."""

    async def check(request: Request) -> None:
        if request.state.access is not access:
            raise RuntimeError(f"the gate took {request.url.path} for {request.state.access}, and it is {access}")

    return check


async def known_parameters(request: Request) -> None:
    """Refuse parameters that the route does not know: a misspelt one must not be passed over.

    It waits for nothing, but is no plain function: FastAPI would call it in a thread.
    """
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise invalid(f"cannot read the request: there is no parameter {', '.join(unknown)} here", known=sorted(known))


async def _of_validation(request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else ()
    return refused(problems(errors, request.headers.get("content-type")))
