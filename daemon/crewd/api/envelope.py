"""What every answer has in common: the envelope, how times are written, how text that is no text gets into JSON."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from crewd.reconcile.tokens import without_secrets

JSON = "application/json"


def encoded(value: object) -> bytes:
    """Return JSON in UTF-8. What is no text in a string, a worker's stray bytes, is replaced."""
    try:
        return orjson.dumps(value)
    except TypeError:  # orjson refuses lone surrogates
        return orjson.dumps(_clean(value))


def decoded(text: str) -> dict[str, Any]:
    """Return the members of an object of JSON; orjson refuses what may stand in a journal."""
    return cast("dict[str, Any]", json.loads(text))


def _clean(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return {key: _clean(member) for key, member in members.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in cast("list[object]", value)]
    return value


def success(data: object) -> bytes:
    """Return the envelope of an answer."""
    return encoded({"success": True, "data": data})


def failure(code: str, message: str, details: Mapping[str, Any]) -> bytes:
    """Return the envelope of a no. Where somebody put a token into a name or a path, it does not come back."""
    error = {"code": code, "message": message, "details": dict(details)}
    return without_secrets(encoded({"success": False, "message": message, "error": error}).decode()).encode()


def iso(unix: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC with milliseconds; None where it is not known, or no time."""
    if unix is None:
        return None
    try:
        return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    except (ValueError, OverflowError, OSError):
        return None
