"""Whether what the API answers is what it says of itself: each answer that a test gets is held to /openapi.json.

To be sure that nothing is answered that is not described, an object may here have only the members that its shape has;
to clients the shapes are open, for members may be added.
"""

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from crewd.config.schema import configuration_schema

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Described:
    """The description, as it is served."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._closed = closed(document)
        self._paths = {re.compile(re.sub(r"\{\w+\}", "[^/]+", path)): path for path in document["paths"]}

    def operation(self, method: str, target: str) -> dict[str, Any] | None:
        """Return what is said of this request; None where there is no such route."""
        asked = target.partition("?")[0]
        if asked in self.document["paths"]:  # a static path stands before one with a name
            return self._closed["paths"][asked].get(method.lower())
        found = (path for pattern, path in self._paths.items() if pattern.fullmatch(asked))
        below = (self._closed["paths"][path].get(method.lower()) for path in found)
        return next((one for one in below if one is not None), None)

    def check(self, method: str, target: str, status: int, kind: str, body: bytes) -> None:
        """Raise AssertionError where an answer is another one than what is described."""
        operation, media = self.operation(method, target), kind.partition(";")[0]
        if operation is None:  # no such path, or not in this way: a no all the same
            self._fits(self._refused(), body)
            return
        response = operation["responses"].get(str(status))
        assert response is not None, f"{method} {target}: status {status} is not described: {body[:300]!r}"
        content = self._resolved(response)["content"]
        assert media in content, f"{method} {target}: {media} is not described for {status}"
        if media == "application/json":
            self._fits(content[media]["schema"], body)

    def _refused(self) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/Refused"}

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        name = part.get("$ref", "").removeprefix("#/components/responses/")
        return self._closed["components"]["responses"][name] if name else part

    def _fits(self, schema: dict[str, Any], body: bytes) -> None:
        errors = [error.message for error in self.validator(schema).iter_errors(json.loads(body))]
        assert not errors, f"{errors}: {body[:2000]!r}"

    def validator(self, schema: dict[str, Any]) -> Validator:
        """Return what validates against a schema of the description."""
        return Draft202012Validator({**schema, "components": self._closed["components"]})


def closed(schema: Any) -> Any:
    """Return the schema with objects that have no other members than those it names."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    below = {key: closed(one) if key not in {"example", "examples"} else one for key, one in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        below.setdefault("additionalProperties", False)
    return below


@cache
def described() -> Described:
    """Return what crewd says of itself: it depends on nothing."""
    from crewd.api.app import application  # noqa: PLC0415 - takes a while
    from crewd.api.streaming import Ending  # noqa: PLC0415 - as above

    any_ports: Any = _Anything()
    any_ports.configuration_schema = configuration_schema()
    app, _ = application(any_ports, Ending(), tuple)
    [route] = [route for route in app.routes if getattr(route, "path", "") == "/openapi.json"]
    return Described(json.loads(route.endpoint.__self__.text()))


class _Anything:
    """Has every attribute; nobody uses them."""

    def __getattr__(self, name: str) -> "_Anything":
        return _Anything()
