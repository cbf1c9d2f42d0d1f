"""What ``crewctl top`` shows: a table through a pipe, a frame on a terminal. Pure.

A frame has no more rows and no wider lines than the terminal; what does not fit is scrolled to.
"""

import time
from dataclasses import dataclass

from crewd.ctl.bars import curve, size
from crewd.ctl.columns import GAP, table
from crewd.ctl.headlines import headlines
from crewd.ctl.screen import Screen, cells
from crewd.ctl.top_columns import CORE, CURVE, Columns
from crewd.ctl.usage import Order, Remembered, flat, ordered, sums
from crewd.wording import Members

HINTS = (("q", "quit"), ("c", "cpu"), ("m", "memory"), ("r", "restarts"), ("n", "name"), ("↑↓", "scroll"))
NAME = "crewd top"


@dataclass(frozen=True, slots=True)
class Shot:
    """One look: the answer, when that was in unix seconds, and what is known from before."""

    answer: Members
    at: float
    remembered: Remembered
    order: Order = Order.CPU

    def columns(self, screen: Screen) -> Columns:
        """Return the columns, which hold the instances in their order."""
        return Columns(ordered(flat(self.answer), self.order), self.remembered, self.order, screen)

    def totals(self) -> str:
        """Return what all of them use together."""
        instances = flat(self.answer)
        found, more = sums(instances), sum(map(self.remembered.restarted, instances))
        since = f", {more} of them meanwhile" if more else ""
        return f"CPU {found.cpu:.1f} %   memory {size(found.memory)}   restarts {found.restarts}{since}"


@dataclass(frozen=True, slots=True)
class Frame:
    """How it is shown: on so many rows, from which instance on, and what is said beside it."""

    rows: int
    first: int
    where: str
    every_sec: float
    trouble: str = ""


def plain_table(shot: Shot, screen: Screen) -> list[str]:
    """Return the crew in a few lines, and a line for each instance."""
    columns = shot.columns(screen)
    lines = [_clock("%Y-%m-%d %H:%M:%S", shot.at), *headlines(shot.answer, screen), screen.fit(shot.totals())]
    return [*lines, "", *table(columns.plain(), columns.instances, screen)] if columns.instances else lines


def frame(shot: Shot, at: Frame, screen: Screen) -> list[str]:
    """Return the lines of a terminal, one for each row."""
    columns = shot.columns(screen)
    heads = [_title(shot, at, screen), *headlines(shot.answer, screen), _meters(shot, screen)]
    if at.trouble:
        heads.append(screen.paint("yellow", screen.fit(f"{screen.sign('▲', '!')} {at.trouble}")))
    head, *body = table(columns.drawn(), columns.instances, screen)
    count, room = len(body), max(1, at.rows - len(heads) - 3)
    first = first_shown(at.first, count, room)
    shown = body[first : first + room]
    lines = [*heads, "", head, *shown][: at.rows - 1]
    foot = _foot(f"{first + 1}-{first + len(shown)} of {count}" if len(shown) < count else "", screen)
    return [*lines, *[""] * (at.rows - 1 - len(lines)), foot]


def first_shown(first: int, count: int, room: int) -> int:
    """Return which instance is the first one: none is scrolled past the end."""
    return max(0, min(first, count - room))


def _title(shot: Shot, at: Frame, screen: Screen) -> str:
    right = f"every {at.every_sec:g} s   {_clock('%H:%M:%S', shot.at)}"
    gap = (screen.width or 0) - cells(NAME) - cells(at.where) - cells(right) - len(GAP)
    if gap < len(GAP):
        return screen.paint("bold", screen.fit(NAME))
    return f"{screen.paint('bold', NAME)}{GAP}{at.where}{' ' * gap}{screen.paint('dim', right)}"


def _meters(shot: Shot, screen: Screen) -> str:
    seen = list(shot.remembered.whole)[-CURVE:]
    most = max([CORE, *(value for value in seen if value is not None)])
    text, drawn = shot.totals(), curve(seen, most, screen)
    if cells(text) + len(GAP) + cells(drawn) > (screen.width or 0):
        return screen.fit(text)
    return f"{text}{GAP}{screen.paint('cyan', drawn)}"


def _foot(place: str, screen: Screen) -> str:
    hints = GAP.join(f"{key} {word}" for key, word in HINTS if screen.symbols or key.isascii())
    gap = (screen.width or 0) - cells(hints) - cells(place)
    if gap < len(GAP):
        return screen.paint("dim", screen.fit(place or hints))
    return screen.paint("dim", hints + " " * gap + place)


def _clock(form: str, at: float) -> str:
    return time.strftime(form, time.localtime(at))
