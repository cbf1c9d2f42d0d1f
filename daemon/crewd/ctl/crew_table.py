"""The table of ``crewctl status``: one line for each instance. Pure: the time and the screen are arguments.

Rules:

1. No line is wider than the screen. What has to give way first is the text of the last exit; then whole columns go,
   from the least missed to the most, and in the end the name is cut.
2. What does not apply is a dash.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crewd.ctl.screen import Screen, cells, cut
from crewd.wording import Members, duration, plain

GAP = "  "
NOTHING = "-"
LAST_EXIT_LEAST = 20
"""The last exit is not cut below so many cells: rather it goes altogether."""

SIGNS = {
    "running": ("●", "*", "green"),
    "starting": ("◔", "+", "cyan"),
    "stopping": ("◑", "~", "yellow"),
    "stopped": ("○", "o", "dim"),
    "crashed": ("✗", "x", "red"),
    "error": ("!", "!", "alarm"),
}
"""For each status a symbol, one of ASCII, and a colour."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``rank``: 0 is always shown; the highest is left out first."""

    head: str
    of: Callable[[Members, float], str]
    rank: int
    right: bool = False


def _uptime(one: Members, _now: float) -> str:
    return NOTHING if one["uptime_ms"] is None else duration(float(one["uptime_ms"] // 1000))


def _next_try(one: Members, _now: float) -> str:
    due = one["due_in_sec"]
    return NOTHING if due is None else f"in {duration(round(due, 1))}" if due > 0 else "now"


def last_exit(one: Members, now: float) -> str:
    """Return how long ago the last run ended, how, and the reason as the journal has it."""
    past = one["last_exit"]
    if past is None:
        return NOTHING
    ago = duration(float(max(0, int(now - seconds(past["at"])))))
    return f"{ago} ago: {plain(past['cause'])} ({plain(past['reason'])})"


COLUMNS = (
    Column("INSTANCE", lambda one, _: plain(one["instance"]), 0),
    Column("STATUS", lambda one, _: plain(one["status"]), 0),
    Column("PID", lambda one, _: str(one["pid"] or NOTHING), 4, right=True),
    Column("UPTIME", _uptime, 3),
    Column("RESTARTS", lambda one, _: str(one["restart_count"]), 5, right=True),
    Column("NEXT TRY", _next_try, 2),
    Column("LAST EXIT", last_exit, 1),
)
_NAME, _STATUS, _LAST = 0, 1, len(COLUMNS) - 1


def seconds(moment: str) -> float:
    """Return the unix seconds of a time as the API writes it."""
    return datetime.fromisoformat(moment).timestamp()


def table(instances: Iterable[Members], now: float, screen: Screen) -> list[str]:
    """Return the lines, the head first. ``now``: unix seconds."""
    rows = [[column.of(one, now) for column in COLUMNS] for one in instances]
    widths = [max(map(cells, texts)) for texts in zip([column.head for column in COLUMNS], *rows, strict=True)]
    widths[_STATUS] += 2
    shown, widths = _fitted(widths, screen.width)
    head = [_padded(COLUMNS[at].head, widths[at], right=COLUMNS[at].right) for at in shown]
    return [screen.paint("bold", GAP.join(head).rstrip()), *(_line(row, shown, widths, screen) for row in rows)]


def _fitted(widths: Sequence[int], room: int | None) -> tuple[list[int], list[int]]:
    """Return which columns are shown, and the width of each."""
    shown, fitted = list(range(len(COLUMNS))), list(widths)
    if room is None:
        return shown, fitted
    for leaving in sorted(range(_LAST + 1), key=lambda at: -COLUMNS[at].rank):
        least = [min(fitted[at], LAST_EXIT_LEAST) if at == _LAST else fitted[at] for at in shown]
        if _total(least) <= room or not COLUMNS[leaving].rank:
            break
        shown.remove(leaving)
    last = shown[-1] if _LAST in shown else _NAME
    others = [fitted[at] for at in shown if at != last]
    fitted[last] = min(fitted[last], max(1, room - _total(others) - len(GAP)))
    return shown, fitted


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _line(row: Sequence[str], shown: Sequence[int], widths: Sequence[int], screen: Screen) -> str:
    parts = [_padded(row[at], widths[at], right=COLUMNS[at].right, ellipsis=screen.sign("…", "~")) for at in shown]
    parts[_STATUS] = status(row[_STATUS], widths[_STATUS], screen)
    return GAP.join(parts).rstrip()


def status(word: str, width: int, screen: Screen) -> str:
    """Return a status with its sign and colour, in so many cells; one of a newer daemon has neither."""
    symbol, ascii_sign, colour = SIGNS.get(word, ("?", "?", ""))
    text = f"{screen.sign(symbol, ascii_sign)} {word}"
    return screen.paint(colour, text) + " " * (width - cells(text))


def _padded(text: str, width: int, *, right: bool, ellipsis: str = "…") -> str:
    text = cut(text, width, ellipsis)
    blanks = " " * (width - cells(text))
    return blanks + text if right else text + blanks
