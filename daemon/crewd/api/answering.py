"""Answers as responses, and errors that the frameworks raise as refusals."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from crewd.api.envelope import JSON, failure, success
from crewd.api.refusals import INTERNAL, Refusal, refusal_of
from crewd.errors import CrewdError

OnError = Callable[[Request, Any], Coroutine[Any, Any, Response]]


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response with this data."""
    return Response(success(data), status, headers, media_type=JSON)


def refused(refusal: Refusal) -> Response:
    """Return the response that says no."""
    body = failure(refusal.code, refusal.message, refusal.details)
    return Response(body, refusal.status, refusal.headers, media_type=JSON)


async def of_crewd(_request: Request, error: Exception) -> Response:
    """Answer an error that crewd raises on purpose."""
    return refused(refusal_of(error))


async def of_routing(request: Request, error: Exception) -> Response:
    """Answer what no route was found for, or a body that could not be read at all."""
    if not isinstance(error, HTTPException):
        return refused(INTERNAL)
    where = f"{request.method} {request.url.path}"
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return refused(Refusal(404, "NOT_FOUND", f"cannot find {request.url.path}: there is no such path"))
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(sorted(_understood(request))) or (error.headers or {}).get("Allow", "")
            message = f"cannot {where}: only {allowed} is understood there"
            return refused(Refusal(405, "METHOD", message, headers={"allow": allowed}))
        case _:
            return refused(Refusal(422, "VALID_001", f"cannot read the request: {error.detail}"))


def _understood(request: Request) -> set[str]:
    """Return in which ways the path may be asked: the routing names those of the first row that has it alone."""
    scope = dict(request.scope)
    rows: Sequence[Any] = request.app.routes
    return {method for row in rows if row.matches(scope)[0] is not Match.NONE for method in row.methods}


async def of_nobody(_request: Request, _error: Exception) -> Response:
    """Answer what nobody expected; the gate logs it."""
    return refused(INTERNAL)


def problems(errors: Sequence[Any], content_type: str | None) -> Refusal:
    """Return the no to parameters and bodies that the validation did not like; ``content_type``: the request's."""
    found = [cast("Mapping[str, Any]", one) for one in errors]
    if any(one["loc"][0] == "body" for one in found) and not _is_json(content_type):
        message = f"cannot read the request: send its body as JSON, with the header Content-Type: {JSON}"
        return Refusal(422, "VALID_001", message)
    lines = [_problem(one) for one in found]
    return Refusal(422, "VALID_001", f"cannot read the request: {lines[0]}", {"problems": lines})


def _is_json(content_type: str | None) -> bool:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    return media_type == JSON or (media_type.startswith("application/") and media_type.endswith("+json"))


def _problem(one: Mapping[str, Any]) -> str:
    return f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"


ON_ERRORS: dict[int | type[Exception], OnError] = {
    CrewdError: of_crewd,
    HTTPException: of_routing,
    Exception: of_nobody,
}
