"""``--wait``, ``--no-wait`` and ``--timeout``: whether, and how long, an action waits for what it is to come to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

TIMEOUT = "60s"
TIMEOUT_SEC = 60.0
TIMEOUT_MOST_SEC = 3600.0
"""The longest that the API waits."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long to wait: in seconds, and as it is written to the API."""

    sec: float = TIMEOUT_SEC
    text: str = TIMEOUT


def waiting_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the function is handed ``waiting``: a Waiting, or None for ``--no-wait``."""

    @click.option(
        "--wait/--no-wait", default=True, help="Wait until it is done, which is the default, or only ask for it."
    )
    @click.option(
        "--timeout", metavar="DURATION", help=f"Wait so long at most: 30s, 2m, up to 1h. The default is {TIMEOUT}."
    )
    @wraps(function)
    def given(*arguments: Any, wait: bool, timeout: str | None, **others: Any) -> Any:
        if timeout is not None and not wait:
            raise click.UsageError("Say --timeout or --no-wait: not both.")
        return function(*arguments, waiting=_waiting(timeout) if wait else None, **others)

    return given


def _waiting(timeout: str | None) -> Waiting:
    if timeout is None:
        return Waiting()
    from crewd.config.quantities import duration  # noqa: PLC0415 - brings all of the configuration with it

    try:
        sec = duration(timeout)
    except ValueError as wrong:
        raise click.BadParameter(f"{wrong}", param_hint="--timeout") from None
    if not sec <= TIMEOUT_MOST_SEC:
        raise click.BadParameter("at most 1h", param_hint="--timeout")
    return Waiting(sec, timeout)
