"""What the API says of itself: for each row of the table what it takes and answers, with an example. ``/openapi.json``.

Rules:

1. A shape is a TypedDict whose members say what they mean. Answers are plain dicts that never pass through it, so it
   costs nothing; the tests hold every answer that they get to it.
2. What a route answers stands in its row, as an Answer; those of one area lie in a module of ``shapes``.
3. The description is made when it is first asked for, in a thread, and kept as text.
"""

import asyncio
import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import ConfigDict, TypeAdapter, with_config
from starlette.responses import Response
from typing_extensions import TypedDict

from crewd.api.envelope import JSON, encoded
from crewd.model.access import Access

if TYPE_CHECKING:
    from crewd.api.routes import Route

TEXT = "text/plain"
NDJSON = "application/x-ndjson"
SSE = "text/event-stream"

shape = with_config(ConfigDict(use_attribute_docstrings=True))
"""Decorates a TypedDict: the string below a member is its description."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers. ``shape``: a type, of ``data`` where it is ``enveloped``; ``example``: one such value."""

    shape: Any
    example: Any
    says: str = "What was asked for."
    _: KW_ONLY
    status: int = 200
    media: str = JSON
    enveloped: bool = True
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """What each header that may come with it means."""
    also: tuple["Answer", ...] = ()
    """Of the same route, in another medium or with another status."""
    refuses: tuple[int, ...] = ()
    """Statuses of refusals, beside COMMON."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body that a handler reads itself. ``name``: of its schema among the components."""

    name: str
    schema: Mapping[str, Any]

    def operation(self) -> dict[str, Any]:
        """Return what an operation says of it."""
        reference = {"$ref": f"#/components/schemas/{self.name}"}
        return {"requestBody": {"required": True, "content": {JSON: {"schema": reference}}}}


def text(example: str, says: str = "What was asked for.", *, media: str = TEXT, **more: Any) -> Answer:
    """Return an answer that is no JSON."""
    return Answer(str, example, says, media=media, enveloped=False, **more)


@shape
class Fault(TypedDict):
    """Why not."""

    code: str
    """What a program may rely on; see docs/reference/api.md."""
    message: str
    details: dict[str, Any]


@shape
class Refused(TypedDict):
    """A no."""

    success: Literal[False]
    message: str
    error: Fault


REFUSALS: Mapping[int, tuple[str, str, str]] = {
    401: ("Nobody is known by what was shown.", "AUTH_001", "cannot let you in: there is no such token"),
    403: ("Not for you.", "AUTH_002", "cannot let uid 1000 pid 42 do this: it takes operator, not the role viewer"),
    404: ("There is nothing of that name.", "WORKER_001", "cannot find wbe: no worker, instance or label of that name"),
    406: (
        "It is not to be had in a form that Accept names.",
        "NOT_ACCEPTABLE",
        "cannot answer in image/png: it is to be had as application/json, text/plain",
    ),
    409: ("It cannot be done as things are.", "WORKER_003", "cannot start web: it is being removed"),
    412: (
        "It has changed meanwhile.",
        "WORKER_006",
        "cannot change web: it was changed meanwhile, and is revision 2 now",
    ),
    413: ("More than is read.", "VALID_001", "cannot read the request: more than 1024 KiB"),
    422: ("A parameter or the body is wrong.", "VALID_001", "cannot read wait: '30' has no unit"),
    429: ("Too much at once.", "RATE_001", "cannot answer: 64 requests are under way"),
    500: (
        "A mistake of crewd's; or a start that was waited for failed, WORKER_005.",
        "INTERNAL",
        "cannot answer: a mistake in crewd, see its log",
    ),
    503: ("supervisord or the database cannot be used.", "SUPERVISORD_001", "cannot reach supervisord: no such socket"),
}
"""For each status what it means, and an example: the code and the message."""
COMMON = (403, 413, 422, 429, 500, 503)
"""Of every route; 401 where not anyone may ask, 404 where there is a name in the path, 409 of every POST, too."""


class Description:
    """The description, once ``of`` has told of what."""

    def __init__(self) -> None:
        self._app = FastAPI()
        self._table: tuple[Route, ...] = ()
        self._text = b""

    def of(self, app: FastAPI, table: Iterable["Route"]) -> None:
        """Describe this application, whose routes are those of the table."""
        self._app, self._table = app, tuple(table)

    async def openapi(self) -> Response:
        """What the API takes and answers.

        In the format of OpenAPI 3.1.
        """
        return Response(await asyncio.to_thread(self.text), media_type=JSON)

    def text(self) -> bytes:
        """Return it."""
        self._text = self._text or encoded(described(self._app, self._table))
        return self._text


def summary_and_more(row: "Route") -> tuple[str, str]:
    """Return what the handler's docstring says: its first line, and the rest."""
    first, _, rest = (inspect.getdoc(row.handler) or "").partition("\n")
    return first.removesuffix("."), rest.strip()


def tag(path: str) -> str:
    """Return the area that a path belongs to: ``workers``."""
    parts = path.removeprefix("/api/v1").strip("/").split("/")
    return parts[0] if path.startswith("/api/") else "crewd"


def described(app: FastAPI, table: Iterable["Route"]) -> dict[str, Any]:
    """Return all of it, in OpenAPI's format."""
    table = tuple(table)
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas, definitions = _schemas({one.shape for row in table for one in _all(row.answer)})
    for row in table:
        document["paths"][row.path][row.method.lower()]["responses"] = _responses(row, schemas)
    parts = document.setdefault("components", {})
    of_fastapi = ("HTTPValidationError", "ValidationError")  # of a refusal that is not ours
    bodies = {name: one for name, one in parts.get("schemas", {}).items() if name not in of_fastapi}
    read = {row.body.name: dict(row.body.schema) for row in table if row.body is not None}
    parts["schemas"] = dict(sorted({**bodies, **read, **definitions}.items()))
    parts["responses"] = {f"Refusal{status}": _refusal(*told) for status, told in REFUSALS.items()}
    return document


def _all(answer: Answer) -> Iterator[Answer]:
    yield answer
    for other in answer.also:
        yield from _all(other)


def _schemas(shapes: Iterable[Any]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Return the schema of each shape, and the schemas that those refer to."""
    inputs: list[Any] = [(one, "serialization", TypeAdapter(one)) for one in (*shapes, Refused)]
    made, rest = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    return {one: schema for (one, _), schema in made.items()}, rest["$defs"]


def _responses(row: "Route", schemas: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in _all(row.answer):
        response = found.setdefault(str(one.status), {"description": one.says, "content": {}})
        response["content"][one.media] = _content(one, schemas[one.shape])
        for name, meaning in one.headers.items():
            header = {"description": meaning, "schema": {"type": "string"}}
            response.setdefault("headers", {})[name] = header
    named = (404,) if "{" in row.path else ()
    known = () if row.access is Access.ANYONE else (401,)
    keyed = (409,) if row.method == "POST" else ()  # by its Idempotency-Key
    for status in sorted({*COMMON, *known, *named, *keyed, *row.answer.refuses}):
        found.setdefault(str(status), {"$ref": f"#/components/responses/Refusal{status}"})
    return found


def _content(answer: Answer, schema: Any) -> dict[str, Any]:
    if not answer.enveloped:
        return {"schema": schema, "example": answer.example}
    members = {"success": {"const": True}, "message": {"type": "string"}, "data": schema}
    envelope = {"type": "object", "required": ["success", "data"], "properties": members}
    return {"schema": envelope, "example": {"success": True, "data": answer.example}}


def _refusal(says: str, code: str, message: str) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "details": {}}
    example: dict[str, Any] = {"success": False, "message": message, "error": error}
    return {
        "description": says,
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/Refused"}, "example": example}},
    }
