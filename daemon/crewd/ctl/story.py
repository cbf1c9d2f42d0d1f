"""What happened, in words: an event of the API as one line, or an entry of the workers' log. Pure."""

import json
import time
from collections.abc import Iterator

from crewd.ctl.crew_table import seconds
from crewd.ctl.screen import Screen
from crewd.story import told
from crewd.wording import Members, plain

SUPERVISORD = "supervisord"
"""What stands for the instance where there is none."""
LIFECYCLE = "lifecycle"
"""The kind of what the workers did not write: the sentence says all of it."""
COLOURS = {"error": "red", "warning": "yellow", "debug": "dim"}
LEVEL_WIDTH = 7
GAP = "  "
NAME_WIDTH = 14
"""Names come one by one, so their column cannot be fitted; most are shorter."""


def line(event: Members, screen: Screen) -> str:
    """Return when, to what, and what."""
    name = plain(event.get("instance") or SUPERVISORD)
    words, colour = told(event)
    return f"{screen.paint('dim', _when(event['at']))}  {name:{NAME_WIDTH}}  {screen.paint(colour, words)}"


def entry(one: Members, screen: Screen) -> str:
    """Return when, of what, how much it matters, what; and what a worker adds in its own words."""
    name, level = plain(one.get("instance") or SUPERVISORD), plain(one["level"])
    said = screen.paint(COLOURS.get(level, ""), f"{level:{LEVEL_WIDTH}}  {plain(one['message'])}")
    more = "" if one["kind"] == LIFECYCLE else " ".join(_details(one["details"]))
    words = f"{said}{screen.paint('dim', GAP + more)}" if more else said
    return f"{screen.paint('dim', _when(one['at']))}  {name:{NAME_WIDTH}}  {words}"


def _details(details: Members) -> Iterator[str]:
    return (f"{plain(key)}={_value(value)}" for key, value in details.items())


def _value(value: object) -> str:
    return plain(value) if isinstance(value, str) else plain(json.dumps(value))


def _when(at: str) -> str:
    unix = seconds(at)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix)) + f".{int(unix * 1000) % 1000:03}"
