"""The shapes of ``GET /events``."""

from typing import Any

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from crewd.api.describing import SSE, Answer, shape, text


@with_config(ConfigDict(use_attribute_docstrings=True, extra="allow"))
class Event(TypedDict):
    """What happened. The members beside these are the fact's own; docs/reference/journal.md has them for each type."""

    id: int | None
    """Grows with every event; null in a stream."""
    generation: str
    sequence: int
    at: str | None
    type: str
    worker_id: str | None
    """null where it concerns supervisord."""
    instance: str | None


@shape
class Events(TypedDict):
    """Events, in the order in which they happened."""

    events: list[Event]
    next_cursor: str | None
    """Where the older ones are; null where there are none."""


_EVENT: dict[str, Any] = {
    "id": 17,
    "generation": "00000001-fa4e00",
    "sequence": 9,
    "at": "2026-01-31T09:00:00.000Z",
    "type": "spawned",
    "worker_id": "web",
    "instance": "web-0",
    "boottime": 4711.25,
    "token": "00000001-fa4e00.8",
    "pid": 4242,
    "start_ticks": 471125,
    "method": "posix_spawn",
    "lag_sec": 0.002,
}
_STREAM = ': events\n\nid: 00000001-fa4e00.9\nevent: spawned\ndata: {"id":null,"type":"spawned","instance":"web-0"}\n\n'
EVENTS = Answer(
    Events,
    {"events": [_EVENT], "next_cursor": None},
    "What happened; with follow=true what happens, for ever.",
    also=(text(_STREAM, media=SSE),),
    refuses=(404,),
)
