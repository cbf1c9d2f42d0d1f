"""What a worker may report. All of it is bounded, and nothing in it is believed to be what it says it is.

Rules:

1. Numbers are whole numbers from 0 to 2^53 - 1, which every language can hold; text is no number.
2. What a worker adds in its own words is JSON of at most VALUES_MOST values, DEPTH_MOST deep, and so many bytes long;
   numbers are finite and of 64 bits; text in it that is none, half of a surrogate pair, is replaced.
"""

from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema

from crewd.api.bodies import Body
from crewd.api.envelope import encoded
from crewd.api.parameters import MOMENT_PATTERN
from crewd.model.report import Level

COUNT_MOST = 2**53 - 1
ENTRIES_MOST = 1000
MESSAGE_MOST = 8192
DETAILS_BYTES = 16 * 1024
METADATA_BYTES = 4 * 1024
VALUES_MOST = 1000
DEPTH_MOST = 8
BITS_MOST = 63
NAME_MOST = 255
TIME_MOST = 40


def _text(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class _Bounded:
    """Copies a value of JSON, and counts what is in it; raises ValueError where that is too much, or no JSON."""

    def __init__(self) -> None:
        self._left = VALUES_MOST

    def copied(self, value: object, depth: int = 0) -> object:
        """Return the copy."""
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"must have at most {VALUES_MOST} values")
        if depth > DEPTH_MOST:
            raise ValueError(f"must be at most {DEPTH_MOST} deep")
        match value:
            case str():
                return _text(value)
            case bool() | None:
                return value
            case int() if value.bit_length() <= BITS_MOST:
                return value
            case float() if isfinite(value):
                return value
            case dict():
                members = cast("dict[str, object]", value)
                return {_text(key): self.copied(member, depth + 1) for key, member in members.items()}
            case list():
                return [self.copied(item, depth + 1) for item in cast("list[object]", value)]
            case _:
                raise ValueError("numbers must be finite and have at most 64 bits")


def _bounded(bytes_most: int) -> AfterValidator:
    def check(value: dict[str, Any]) -> dict[str, Any]:
        copy = cast("dict[str, Any]", _Bounded().copied(value))
        if len(encoded(copy)) > bytes_most:
            raise ValueError(f"must have at most {bytes_most} bytes")
        return copy

    return AfterValidator(check)


def _moment(text: str) -> str:
    moment(text)
    return text


def moment(text: str) -> float:
    """Return unix seconds of ISO 8601, UTC where it names no zone; raises ValueError."""
    try:
        read = datetime.fromisoformat(text)
        seconds = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("must be a time as 2026-01-31T09:00:00Z") from None
    if seconds < 0:
        raise ValueError("must be a time since 1970")
    return seconds


_Count = Annotated[int, Field(strict=True, ge=0, le=COUNT_MOST)]
_Instance = Annotated[str, Field(min_length=1, max_length=NAME_MOST)]
_At = Annotated[
    str,
    Field(max_length=TIME_MOST),
    AfterValidator(_moment),
    WithJsonSchema({"type": "string", "maxLength": TIME_MOST, "pattern": MOMENT_PATTERN}),
]
Count = Annotated[_Count | None, Field(examples=[7])]
Instance = Annotated[_Instance | None, Field(examples=["web-0"])]
Message = Annotated[str, Field(max_length=MESSAGE_MOST, examples=["lost the queue"])]


class HeartbeatBody(Body):
    """What an instance says of itself. Which one, where the path names a worker of several, is in instance."""

    instance: Instance = None
    assigned_accounts: Count = None
    active_tasks: Count = None
    error_count: Count = None
    metadata: Annotated[dict[str, Any], _bounded(METADATA_BYTES)] = Field(
        default_factory=dict[str, Any], examples=[{"queue": "mail"}]
    )


class EntryBody(Body):
    """What is to be written down. When it was, where that is not now, is in at."""

    kind: Literal["task", "error"] = "task"
    level: Annotated[Level | None, Field(examples=["error"])] = None
    message: Message
    details: Annotated[dict[str, Any], _bounded(DETAILS_BYTES)] = Field(
        default_factory=dict[str, Any], examples=[{"queue": "mail"}]
    )
    at: Annotated[_At | None, Field(examples=["2026-01-31T09:00:00Z"])] = None


class OneEntry(EntryBody):
    """One entry that is to be written down."""

    instance: Instance = None


class SeveralEntries(Body):
    """Several entries that are to be written down."""

    instance: Instance = None
    entries: Annotated[list[EntryBody], Field(min_length=1, max_length=ENTRIES_MOST, examples=[[{"message": "a"}]])]


def _which(value: object) -> str:
    several = (
        "entries" in cast("dict[str, object]", value) if isinstance(value, dict) else isinstance(value, SeveralEntries)
    )
    return "several" if several else "one"


LogsBody = Annotated[
    Annotated[OneEntry, Tag("one")] | Annotated[SeveralEntries, Tag("several")],
    Discriminator(_which),
]
