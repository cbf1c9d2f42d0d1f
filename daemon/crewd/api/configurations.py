"""``/worker-configs``: what is configured of each worker; workers made, changed and removed over the API."""

import json
from collections.abc import Mapping
from math import isinf
from typing import Annotated, Any, Literal, cast

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from crewd.api.applied import applied_shape
from crewd.api.configuration_shapes import LOCAL, ConfigurationShapes, Shown
from crewd.api.describing import Body
from crewd.api.envelope import JSON, success
from crewd.api.parameters import IfMatch
from crewd.api.ports import Ports
from crewd.api.refusals import invalid
from crewd.api.scope import can_be_a_name, within
from crewd.model.access import Role
from crewd.model.offer import DOCUMENT_BYTES, Fate
from crewd.policy.access import covers
from crewd.reconcile.configuring import Change, NoConfiguration

PAGE, PAGE_MOST = 1000, 10_000
CREATED = 201
TOLD_MOST = 20
"""So many members of a document the audit is told, by their names."""
CURSOR = "^(?:api|file):[A-Za-z0-9][A-Za-z0-9_.-]*$"
_DIGITS_MOST = 18
_DEPTH_MOST = 20

WorkerId = Annotated[str, Path(description="The worker's id.", examples=["worker-1"])]


class ConfigurationHandlers:
    """All of them."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._shapes = ConfigurationShapes(ports)
        self.patch = Body("Configured", ports.configuration_schema)
        """What may be changed."""
        self.new = Body("NewWorker", _with_id(self.patch.schema))
        """What is to be made."""

    async def configurations(
        self,
        request: Request,
        source: Annotated[Literal["file", "api"] | None, Query(description="Only those that come from there.")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MOST, description="At most so many.")] = PAGE,
        cursor: Annotated[str | None, Query(description="next_cursor of the answer before.", pattern=CURSOR)] = None,
    ) -> Response:
        """What is configured of each worker, by name."""
        behind = _behind(cursor)
        found = [one for one in await self._covered(request) if behind is None or one.key > behind]
        if source is not None:
            found = [one for one in found if (one.stored is not None) == (source == "api")]
        page = found[:limit]
        more = len(found) > len(page)
        role = _role(request)
        configurations = [self._shapes.shape(one, role) for one in page]
        return _answer({"configurations": configurations, "next_cursor": _cursor(page[-1]) if more else None})

    async def configurations_summary(self, request: Request) -> Response:
        """How many there are, of which kinds."""
        found = await self._covered(request)
        states = [self._shapes.state(one) for one in found]
        specs = [self._shapes.spec(one) for one in found]
        fates = [fate for _, fate in states]
        return _answer(
            {
                "total": len(found),
                "by_source": {
                    "file": sum(one.stored is None for one in found),
                    "api": sum(one.stored is not None for one in found),
                },
                "by_deployment_type": {LOCAL: len(found)},
                "in_force": sum(in_force for in_force, _ in states),
                "shadowed": fates.count(Fate.SHADOWED),
                "refused": fates.count(Fate.REFUSED),
                "without_command": fates.count(Fate.WITHOUT_COMMAND),
                "auto_start": sum(spec is not None and spec.autostart for spec in specs),
                "instances": sum(spec.instances for spec in specs if spec is not None),
            }
        )

    async def configuration(self, request: Request, worker_id: WorkerId) -> Response:
        """What is configured of one worker; of a clash, what was made over the API."""
        _check_name(request, worker_id)
        stored = await self._ports.configurations.find(worker_id)
        place = self._ports.view.supervision.wanted.places.get(worker_id)
        if stored is None and place is None:
            raise NoConfiguration(worker_id)
        shown = Shown(worker_id, stored, None if stored else place)
        return _answer(self._shapes.shape(shown, _role(request)), revision=stored.revision if stored else None)

    async def create_configuration(self, request: Request) -> Response:
        """Make a worker, and put it in force."""
        document = _document(await request.body())
        worker_id = document.pop("worker_id", None)
        if not isinstance(worker_id, str):
            raise _wrong("worker_id", "is missing: write the worker's id, a text")
        within(request.state.principal, (worker_id,))
        request.state.details = {"worker_id": worker_id, "members": sorted(document)[:TOLD_MOST]}
        change = await self._ports.configuring.create(worker_id, document, request.state.principal.name)
        location = {"Location": f"{request.url.path}/{worker_id}"}
        return self._changed(request, change, CREATED, location)

    async def change_configuration(self, request: Request, worker_id: WorkerId, if_match: IfMatch = None) -> Response:
        """Change what is given, and put it in force; null takes a member away (RFC 7396)."""
        _check_name(request, worker_id)
        patch = _document(await request.body())
        if patch.pop("worker_id", worker_id) != worker_id:
            raise _wrong("worker_id", "cannot be changed: make another worker, and delete this one")
        request.state.details = {"worker_id": worker_id, "members": sorted(patch)[:TOLD_MOST]}
        seen = _revisions(if_match)
        change = await self._ports.configuring.change(worker_id, patch, request.state.principal.name, seen)
        return self._changed(request, change)

    async def delete_configuration(self, request: Request, worker_id: WorkerId, if_match: IfMatch = None) -> Response:
        """Stop the worker as any stop does, and forget what was configured."""
        _check_name(request, worker_id)
        request.state.details = {"worker_id": worker_id}
        change = await self._ports.configuring.remove(worker_id, _revisions(if_match))
        request.state.details = {"worker_id": worker_id, "revision": change.configuration.revision}
        removed = self._shapes.shape(Shown(worker_id, change.configuration), _role(request))
        removed.update(in_force=False, shadowed=False, problems=(), applied=applied_shape(change.applied))
        return _answer(removed)

    async def _covered(self, request: Request) -> list[Shown]:
        """Return all that whoever asks may ask for."""
        return [one for one in await self._shapes.all() if covers(request.state.principal, one.worker_id)]

    def _changed(
        self, request: Request, change: Change, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        request.state.details["revision"] = change.configuration.revision
        shown = Shown(change.configuration.worker_id, change.configuration)
        shape = {**self._shapes.shape(shown, _role(request)), "applied": applied_shape(change.applied)}
        return _answer(shape, status, headers, change.configuration.revision)


def _check_name(request: Request, worker_id: str) -> None:
    """Raise Refused where it is none that somebody may ask for, NoConfiguration where there can be none of it."""
    within(request.state.principal, (worker_id,))
    if not can_be_a_name(worker_id):
        raise NoConfiguration(worker_id)


def _with_id(schema: Mapping[str, Any]) -> dict[str, Any]:
    worker_id = {"type": "string", "description": "Letters, digits, _ . -", "examples": ["worker-1"]}
    return {**schema, "properties": {"worker_id": worker_id, **schema["properties"]}, "required": ["worker_id"]}


def _answer(
    data: object, status: int = 200, headers: dict[str, str] | None = None, revision: int | None = None
) -> Response:
    tag = {} if revision is None else {"ETag": f'"{revision}"'}
    return Response(success(data), status, {**tag, **(headers or {})}, media_type=JSON)


def _role(request: Request) -> Role | None:
    role: Role | None = request.state.principal.role
    return role


def _document(body: bytes) -> dict[str, Any]:
    """Return the object in the body; a member that stands twice, a NaN, and what is no JSON are refused."""
    if len(body) > DOCUMENT_BYTES:
        raise invalid(f"cannot read the request: more than {DOCUMENT_BYTES // 1024} KiB")
    try:
        found: object = json.loads(body, object_pairs_hook=_once, parse_float=_finite, parse_constant=_no_constant)
    except RecursionError:
        raise invalid(f"cannot read the request: it is nested more than {_DEPTH_MOST} deep") from None
    except ValueError as why:
        raise invalid(f"cannot read the request: its body is not JSON: {why}") from None
    if not isinstance(found, dict):
        raise invalid("cannot read the request: its body is no object of JSON")
    if _depth(cast("object", found)) > _DEPTH_MOST:
        raise invalid(f"cannot read the request: it is nested more than {_DEPTH_MOST} deep")
    return cast("dict[str, Any]", found)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError("a number is too large")
    return number


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _depth(value: object) -> int:
    """Return how deep it is nested; the parser went as deep already."""
    match value:
        case dict():
            below = list(cast("dict[str, object]", value).values())
        case list():
            below = cast("list[object]", value)
        case _:
            return 0
    return 1 + max(map(_depth, below), default=0)


def _wrong(field: str, message: str) -> Exception:
    problem = {"field": field, "message": message}
    return invalid(f"cannot read the request: {field}: {message}", problems=[problem])


def _revisions(if_match: str | None) -> frozenset[int] | None:
    """Return the revisions that may be changed; None: whichever it is."""
    if if_match is None or if_match.strip() == "*":
        return None
    found: set[int] = set()
    for word in if_match.split(","):
        tag = word.strip()
        digits = tag[1:-1]
        if len(tag) < 2 or tag[0] != '"' or tag[-1] != '"':  # noqa: PLR2004 - two quotes
            raise invalid('cannot read if-match: write the ETag of an answer, such as "3"')
        if digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS_MOST:
            found.add(int(digits))
    return frozenset(found)


def _cursor(shown: Shown) -> str:
    return f"{'api' if shown.stored is not None else 'file'}:{shown.worker_id}"


def _behind(cursor: str | None) -> tuple[str, bool] | None:
    if cursor is None:
        return None
    source, _, worker_id = cursor.partition(":")
    return worker_id, source == "api"
