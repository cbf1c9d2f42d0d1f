"""Tables that fit a screen. Pure.

Rules:

1. No line is wider than the screen. What gives way first is the text of the column that has a ``least``; then whole
   columns go, from the highest rank to the lowest, and in the end the first column, a name, is cut.
2. Colours are put on after a cell was cut and padded: they take no room.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from crewd.ctl.screen import Screen, cells, cut
from crewd.wording import Members

GAP = "  "
NAME = 0


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``rank``: 0 is always shown; the highest is left out first."""

    head: str
    of: Callable[[Members], str]
    rank: int
    right: bool = False
    least: int | None = None
    """Its text may be cut to so many cells before other columns go; rather than less the column goes altogether."""
    paint: Callable[[Members, str], str] | None = None
    """Colours the text of a cell."""


def table(columns: Sequence[Column], rows: Iterable[Members], screen: Screen) -> list[str]:
    """Return the lines, the head first."""
    rows = list(rows)
    texts = [[column.of(one) for column in columns] for one in rows]
    widths = [max(map(cells, found)) for found in zip([column.head for column in columns], *texts, strict=True)]
    shown, widths = _fitted(columns, widths, screen.width)
    ellipsis = screen.sign("…", "~")
    head = [_padded(columns[at].head, widths[at], columns[at], ellipsis, None) for at in shown]
    lines = [screen.paint("bold", GAP.join(head).rstrip())]
    for one, row in zip(rows, texts, strict=True):
        parts = [_padded(row[at], widths[at], columns[at], ellipsis, one) for at in shown]
        lines.append(GAP.join(parts).rstrip())
    return lines


def _padded(text: str, width: int, column: Column, ellipsis: str, one: Members | None) -> str:
    """Return a cell; ``one``: whose it is, None for the head."""
    wide = cells(text)
    if wide > width:
        text = cut(text, width, ellipsis)
        wide = cells(text)
    painted = text if column.paint is None or one is None else column.paint(one, text)
    return " " * (width - wide) + painted if column.right else painted + " " * (width - wide)


def _fitted(columns: Sequence[Column], widths: Sequence[int], room: int | None) -> tuple[list[int], list[int]]:
    """Return which columns are shown, and the width of each."""
    shown, fitted = list(range(len(columns))), list(widths)
    if room is None:
        return shown, fitted
    for leaving in sorted(shown, key=lambda at: -columns[at].rank):
        least = [min(fitted[at], columns[at].least or fitted[at]) for at in shown]
        if total(least) <= room or not columns[leaving].rank:
            break
        shown.remove(leaving)
    giving = next((at for at in shown if columns[at].least is not None), NAME)
    others = [fitted[at] for at in shown if at != giving]
    fitted[giving] = min(fitted[giving], max(1, room - total(others) - len(GAP)))
    return shown, fitted


def total(widths: Sequence[int]) -> int:
    """Return how wide columns of these widths are together."""
    return sum(widths) + len(GAP) * (len(widths) - 1)
