"""The shapes of what concerns the daemon itself: health, reload, shutdown, this description."""

from typing import Any, Literal

from typing_extensions import TypedDict

from crewd.api.describing import Answer, shape, text


@shape
class Alive(TypedDict):
    """The daemon lives."""

    status: Literal["ok"]


@shape
class Ready(TypedDict):
    """All is in order."""

    status: Literal["ready"]


@shape
class NotReady(TypedDict):
    """Not all is in order."""

    status: Literal["not ready"]
    reasons: list[str]


@shape
class Plan(TypedDict):
    """Which instances were touched."""

    added: list[str]
    changed: list[str]
    restarted: list[str]
    removed: list[str]
    kept: int
    """How many were not."""


@shape
class Applied(TypedDict):
    """What came of reading the configuration again."""

    name: str
    """The rendering in force."""
    changed: bool
    """Whether it is another one."""
    plan: Plan
    warnings: list[str]
    told: bool
    """Whether a running engine took it over."""
    unconfirmed: str
    """Why that is not known."""


@shape
class Ending(TypedDict):
    """The daemon ends."""

    ending: Literal[True]


HEALTH = Answer(Alive, {"status": "ok"}, "The daemon lives.", enveloped=False)
READINESS = Answer(
    Ready,
    {"status": "ready"},
    "All is in order.",
    enveloped=False,
    also=(
        Answer(
            NotReady,
            {"status": "not ready", "reasons": ["the configuration is not in force: 1 problem"]},
            "Not all is in order.",
            status=503,
            enveloped=False,
        ),
    ),
)
METRICS = text(
    "# HELP crewd_supervisord_up Whether supervisord answers.\n# TYPE crewd_supervisord_up gauge\n"
    "crewd_supervisord_up 1.0\n",
    "The page for Prometheus.",
)
DESCRIPTION = Answer(dict[str, Any], {"openapi": "3.1.0"}, "This description.", enveloped=False)
RELOADED = Answer(
    Applied,
    {
        "name": "00000002-1f3a",
        "changed": True,
        "plan": {"added": ["web-1"], "changed": [], "restarted": [], "removed": [], "kept": 1},
        "warnings": [],
        "told": True,
        "unconfirmed": "",
    },
    "What was changed.",
)
ENDING = Answer(Ending, {"ending": True}, "The daemon ends.")
