"""The shapes of what workers report, and of the workers' log."""

from typing import Any, Literal

from typing_extensions import TypedDict

from crewd.api.describing import Answer, shape


@shape
class Heard(TypedDict):
    """A heartbeat was heard."""

    worker_id: str
    instance: str
    at: str | None
    stale_after_sec: float | None
    """After how long the next one is missed; null: never."""


@shape
class Stored(TypedDict):
    """Entries were written down."""

    worker_id: str
    instance: str
    stored: int
    """How many."""


@shape
class Entry(TypedDict):
    """What happened to an instance, or what it had written down."""

    id: str
    at: str | None
    worker_id: str | None
    instance: str | None
    kind: Literal["lifecycle", "task", "error"]
    level: Literal["debug", "info", "warning", "error"]
    message: str
    type: str | None
    """Of the life cycle: which fact of the journal it is."""
    details: dict[str, Any]
    """Of the life cycle: the fact's own members; else as it was reported."""


@shape
class Entries(TypedDict):
    """Entries, in the order of their times."""

    entries: list[Entry]
    next_cursor: str | None
    """Where the older ones are; null where there are none."""


HEARD = Answer(
    Heard,
    {"worker_id": "web", "instance": "web-0", "at": "2026-01-31T09:00:00.000Z", "stale_after_sec": 90.0},
    "It was heard.",
)
STORED = Answer(Stored, {"worker_id": "web", "instance": "web-0", "stored": 1}, "All of it is in the database.")
ENTRIES = Answer(
    Entries,
    {
        "entries": [
            {
                "id": "report-7",
                "at": "2026-01-31T09:00:00.000Z",
                "worker_id": "web",
                "instance": "web-0",
                "kind": "error",
                "level": "error",
                "message": "lost the queue",
                "type": None,
                "details": {"queue": "mail"},
            }
        ],
        "next_cursor": "17-7",
    },
    "The entries.",
    refuses=(404,),
)
