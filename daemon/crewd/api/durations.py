"""Lengths of time in a request, written as in the configuration: ``30s``, ``2m``; an hour at most."""

from crewd.api.ports import Ports
from crewd.api.refusals import invalid

MOST_SEC = 3600.0


def duration(ports: Ports, name: str, text: str) -> float:
    """Return the seconds that the parameter of this name says; raises Refused."""
    try:
        seconds = ports.duration(text)
    except ValueError as why:
        raise invalid(f"cannot read {name}: {why}") from None
    if not seconds <= MOST_SEC:
        raise invalid(f"cannot read {name}: at most 1h")
    return seconds


def wait_sec(ports: Ports, text: str | None) -> float | None:
    """Return how long an answer waits for what an action is to come to; None where there is no wait. Raises Refused."""
    return None if text is None else duration(ports, "wait", text)
