"""The parameters that several routes take, with what /openapi.json says of each.

What is no mistake by its schema is none to the handler either; it is the handler that says in a sentence what is wrong.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Header, Path, Query
from pydantic import WithJsonSchema

from crewd.api.bodies import NAMES_MOST
from crewd.api.events import POSITION_PATTERN, TYPES
from crewd.model.states import Status
from crewd.reconcile.tokens import ID_PATTERN

PATTERN_MOST = 200
IF_MATCH_PATTERN = r'^(?:\*|"[!#-+\--~]*"(?: ?, ?"[!#-+\--~]*")*)$'
_SECONDS = "(?:[0-9]{1,3}|[12][0-9]{3}|3[0-5][0-9]{2}|3600)"
_DURATION = (
    rf"^(?:{_SECONDS}(?: ?(?:s|sec))?|[0-9]{{1,6}} ?ms|[0-9]{{1,3}}\.[0-9]{{1,9}}(?: ?s)?|[1-5]?[0-9] ?(?:m|min)|1 ?h)$"
)
"""An hour at most. Written in parts, as 1min 30s, it is understood too."""
_DATE = "(?:19[7-9]|20[0-9])[0-9]-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
MOMENT_PATTERN = rf"^{_DATE}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,6}})?Z$"


def _text(example: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "examples": [example], **more})


def _some(words: Iterable[str], *example: str) -> WithJsonSchema:
    items = {"type": "string", "enum": sorted(words)}
    return WithJsonSchema({"type": "array", "items": items, "examples": [list(example)]})


Names = Annotated[
    list[str],
    Query(max_length=NAMES_MOST, description="Whom it concerns, as in a path; none: all.", examples=[["web"]]),
]
Name = Annotated[
    str, Path(description="A worker, an instance, worker:*, label=value, or * for all.", examples=["web", "web-0"])
]
One = Annotated[str, Path(description="A worker or an instance.", examples=["web", "web-0"])]
OneInstance = Annotated[
    str, Path(description="An instance, or a worker that has no more than one.", examples=["web-0", "web"])
]
Wait = Annotated[
    str | None,
    _text("30s", pattern=_DURATION),
    Query(description="How long to wait for what it is to come to: 30s; at most 1h. None: not."),
]
Fresh = Annotated[
    str | None,
    _text("2s", pattern=_DURATION),
    Query(description="What they use is no older than this, or than 1s."),
]
Statuses = Annotated[list[str], _some(Status, "crashed"), Query(description="Only workers of these.")]
Types = Annotated[
    list[str],
    _some(TYPES, "exited", "spawned"),
    Query(description="Types of the journal: docs/reference/journal.md."),
]
Moment = Annotated[
    str | None,
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": MOMENT_PATTERN}, {"type": "string", "pattern": _DURATION}],
            "examples": ["2026-01-31T09:00:00Z", "1h"],
        }
    ),
    Query(description="ISO 8601, or how long ago."),
]
RowCursor = Annotated[
    str | None,
    _text("17", pattern="^[0-9]{1,18}$"),
    Query(description="next_cursor of the answer before."),
]
LogCursor = Annotated[
    str | None,
    _text("17-7", pattern="^(?:[0-9]{1,18})?-(?:[0-9]{1,18})?$"),
    Query(description="next_cursor of the answer before."),
]
TokenCursor = Annotated[
    str | None,
    _text("7f3a9c01b2d4", pattern=f"^{ID_PATTERN.pattern}$"),
    Query(description="next_cursor of the answer before."),
]
IfMatch = Annotated[
    str | None,
    _text('"3"', pattern=IF_MATCH_PATTERN),
    Header(description="The ETag that was seen: where it is another by now, 412."),
]
LastEventId = Annotated[
    str | None,
    _text("00000001-fa4e00.9", pattern=f"^{POSITION_PATTERN}$"),
    Header(description="Where a stream goes on: the id of its last message."),
]
Grep = Annotated[
    str | None,
    _text("error", format="regex", maxLength=PATTERN_MOST),
    Query(description="Only lines in which this regular expression is found."),
]
