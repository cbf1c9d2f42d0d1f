"""``?wait=``: how long an answer waits for what an action is to come to."""

from crewd.api.ports import Ports
from crewd.api.refusals import invalid

WAIT_MOST_SEC = 3600.0


def wait_sec(ports: Ports, text: str | None) -> float | None:
    """Return the seconds; None where there is no wait. Raises Refused."""
    if text is None:
        return None
    try:
        seconds = ports.duration(text)
    except ValueError as why:
        raise invalid(f"cannot read wait: {why}") from None
    if seconds > WAIT_MOST_SEC:
        raise invalid("cannot wait longer than 1h")
    return seconds
