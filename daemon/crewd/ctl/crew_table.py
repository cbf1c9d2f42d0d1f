"""The table of ``crewctl status``: one line for each instance. Pure: the time and the screen are arguments.

What does not apply is a dash. What gives way where the screen is narrow: the text of the last exit, then columns.
"""

from collections.abc import Iterable
from datetime import datetime

from crewd.ctl import columns
from crewd.ctl.columns import Column
from crewd.ctl.screen import Screen
from crewd.wording import Members, duration, plain

NOTHING = "-"
LAST_EXIT_LEAST = 20

SIGNS = {
    "running": ("●", "*", "green"),
    "starting": ("◔", "+", "cyan"),
    "stopping": ("◑", "~", "yellow"),
    "stopped": ("○", "o", "dim"),
    "crashed": ("✗", "x", "red"),
    "error": ("!", "!", "alarm"),
}
"""For each status a symbol, one of ASCII, and a colour."""


def uptime(one: Members) -> str:
    """Return how long it has run."""
    return NOTHING if one["uptime_ms"] is None else duration(float(one["uptime_ms"] // 1000))


def _next_try(one: Members) -> str:
    due = one["due_in_sec"]
    return NOTHING if due is None else f"in {duration(round(due, 1))}" if due > 0 else "now"


def last_exit(one: Members, now: float) -> str:
    """Return how long ago the last run ended, how, and the reason as the journal has it."""
    past = one["last_exit"]
    if past is None:
        return NOTHING
    ago = duration(float(max(0, int(now - seconds(past["at"])))))
    return f"{ago} ago: {plain(past['cause'])} ({plain(past['reason'])})"


def seconds(moment: str) -> float:
    """Return the unix seconds of a time as the API writes it."""
    return datetime.fromisoformat(moment).timestamp()


def name_column() -> Column:
    """Return the column of the names."""
    return Column("INSTANCE", lambda one: plain(one["instance"]), 0)


def status_column(screen: Screen) -> Column:
    """Return the column of the statuses, with sign and colour; one of a newer daemon has neither."""

    def text(one: Members) -> str:
        symbol, ascii_sign, _ = SIGNS.get(one["status"], ("?", "?", ""))
        return f"{screen.sign(symbol, ascii_sign)} {plain(one['status'])}"

    return Column("STATUS", text, 0, paint=lambda one, shown: screen.paint(colour(one["status"]), shown))


def colour(status: str) -> str:
    """Return the colour of a status."""
    return SIGNS.get(status, ("", "", ""))[2]


def table(instances: Iterable[Members], now: float, screen: Screen) -> list[str]:
    """Return the lines, the head first. ``now``: unix seconds."""
    return columns.table(
        (
            name_column(),
            status_column(screen),
            Column("PID", lambda one: str(one["pid"] or NOTHING), 4, right=True),
            Column("UPTIME", uptime, 3),
            Column("RESTARTS", lambda one: str(one["restart_count"]), 5, right=True),
            Column("NEXT TRY", _next_try, 2),
            Column("LAST EXIT", lambda one: last_exit(one, now), 1, least=LAST_EXIT_LEAST),
        ),
        instances,
        screen,
    )
