"""The shapes of what is configured of workers."""

from typing import Any, Literal

from typing_extensions import TypedDict

from crewd.api.describing import Answer, shape
from crewd.api.shapes.daemon import RELOADED, Applied


@shape
class Place(TypedDict):
    """Where the file has a worker."""

    path: str
    line: int


@shape
class Problem(TypedDict):
    """Why a configuration is not in force."""

    field: str
    """The way to the member."""
    message: str


@shape
class Configuration(TypedDict):
    """What is configured of one worker."""

    worker_id: str
    source: Literal["file", "api"]
    revision: int | None
    """Grows with every change, as the ETag; null where it is of the file."""
    name: str | None
    deployment_type: Literal["local"] | None
    command: list[str] | None
    """What is run; null where there is none, neither its own nor a default."""
    user: str | None
    """Who it runs as; null: as supervisord."""
    instances: int | None
    host: str | None
    port: int | None
    max_accounts: int | None
    labels: dict[str, str] | None
    essential: bool | None
    """Whether the crew ends with it."""
    auto_start: bool | None
    auto_restart: bool | None
    """Whether it is ever restarted by itself."""
    max_restart_attempts: int | None
    """How many restarts the limit leaves; null: there is none."""
    restart_delay_ms: int | None
    in_force: bool
    shadowed: bool
    """The file has a worker of that name, which goes before it."""
    problems: list[Problem]
    """Why it is not in force."""
    file: Place | None
    """Where the file has a worker of that name."""
    created_at: str | None
    created_by: str | None
    updated_at: str | None
    updated_by: str | None
    configuration: dict[str, Any] | None
    """What was written over the API; variables are masked but for an admin."""


class Changed(Configuration):
    """What is configured now, and what putting it in force came to."""

    applied: Applied | None
    """Null where nothing had to be done."""


@shape
class Page(TypedDict):
    """Some of what is configured."""

    configurations: list[Configuration]
    next_cursor: str | None
    """Where the next page begins; null at the end."""


@shape
class Sources(TypedDict):
    """How many come from where."""

    file: int
    api: int


@shape
class Summary(TypedDict):
    """How many there are."""

    total: int
    by_source: Sources
    by_deployment_type: dict[str, int]
    in_force: int
    shadowed: int
    refused: int
    """Left out, for they are wrong or not admitted."""
    without_command: int
    auto_start: int
    instances: int


_ONE: dict[str, Any] = {
    "worker_id": "worker-1",
    "source": "api",
    "revision": 1,
    "name": "Mail",
    "deployment_type": "local",
    "command": ["python3", "-m", "worker"],
    "user": "mail",
    "instances": 1,
    "host": "localhost",
    "port": 4001,
    "max_accounts": 10,
    "labels": {},
    "essential": False,
    "auto_start": True,
    "auto_restart": True,
    "max_restart_attempts": 9,
    "restart_delay_ms": 100,
    "in_force": True,
    "shadowed": False,
    "problems": [],
    "file": None,
    "created_at": "2026-01-31T09:00:00.000Z",
    "created_by": "uid 0 pid 42",
    "updated_at": "2026-01-31T09:00:00.000Z",
    "updated_by": "uid 0 pid 42",
    "configuration": {"name": "Mail", "port": 4001},
}
_ETAG = {"ETag": "Its revision, for If-Match."}
_REFUSES = (409, 412)
LIST = Answer(Page, {"configurations": [_ONE], "next_cursor": None}, "What is configured.")
ONE = Answer(Configuration, _ONE, "What is configured.", headers=_ETAG)
CREATED = Answer(
    Changed,
    {**_ONE, "applied": RELOADED.example},
    "It was made, and is in force.",
    status=201,
    headers={**_ETAG, "Location": "Where it can be asked for."},
    refuses=(409,),
)
CHANGED = Answer(Changed, {**_ONE, "applied": RELOADED.example}, "It was changed.", headers=_ETAG, refuses=_REFUSES)
DELETED = Answer(
    Changed,
    {**_ONE, "in_force": False, "applied": RELOADED.example},
    "It was deleted: this is what it was.",
    refuses=_REFUSES,
)
SUMMARY = Answer(
    Summary,
    {
        "total": 2,
        "by_source": {"file": 1, "api": 1},
        "by_deployment_type": {"local": 2},
        "in_force": 2,
        "shadowed": 0,
        "refused": 0,
        "without_command": 0,
        "auto_start": 2,
        "instances": 2,
    },
    "How many there are.",
)
