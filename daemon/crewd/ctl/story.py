"""What happened, in words: an event of the API as one line. Pure."""

import time

from crewd.ctl.crew_table import seconds
from crewd.ctl.screen import Screen
from crewd.story import told
from crewd.wording import Members, plain

SUPERVISORD = "supervisord"
"""What stands for the instance where there is none."""
NAME_WIDTH = 14
"""Names come one by one, so their column cannot be fitted; most are shorter."""


def line(event: Members, screen: Screen) -> str:
    """Return when, to what, and what."""
    name = plain(event.get("instance") or SUPERVISORD)
    words, colour = told(event)
    return f"{screen.paint('dim', _when(event['at']))}  {name:{NAME_WIDTH}}  {screen.paint(colour, words)}"


def _when(at: str) -> str:
    unix = seconds(at)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix)) + f".{int(unix * 1000) % 1000:03}"
