"""``crewctl audit``: who asked for what, and what came of it."""

from typing import cast

import click

from crewd.ctl.command import Showing, complain, output_option
from crewd.ctl.crew_table import seconds
from crewd.ctl.paging import newest, newest_options, show_json, show_table, span, wanted
from crewd.ctl.session import Session
from crewd.wording import Members, moment, plain

PATH = "/audit"
LISTED_MOST = 20
"""So many items of a list stand in the table; JSON has all."""
HEAD = ("AT", "WHO", "HOW", "FROM", "WHAT", "RESULT")


@click.command(
    cls=Showing, examples=("crewctl audit --since 1h --refused", "crewctl audit --principal 'uid 0' --what restart")
)
@newest_options
@click.option("--principal", metavar="WHO", help="Show only what these asked for: `uid 0`, `token 7f3a9c01b2d4`.")
@click.option("--what", metavar="TEXT", help="Show only what has this in it, path or action, as in restart.")
@click.option("--granted/--refused", default=None, help="Show only what was granted, or only what was not.")
@output_option
@click.pass_obj
def audit(
    session: Session,
    *,
    count: int | None,
    since: str | None,
    until: str | None,
    principal: str | None,
    what: str | None,
    granted: bool | None,
    output: str,
) -> None:
    """Show who asked for what, the newest last."""
    query = span(since, until)
    query += [(name, value) for name, value in (("principal", principal), ("what", what)) if value is not None]
    if granted is not None:
        query.append(("granted", str(granted).lower()))
    entries, first = newest(session.client, PATH, query, "entries", wanted(count, since))
    if output == "json":
        show_json(session, entries)
    elif entries:
        show_table(session, HEAD, entries, _row, well=lambda one: one["granted"])
    else:
        complain("there is no such entry")
    complain(_doubts(first))


def _row(one: Members) -> tuple[str, ...]:
    claimed = f" (says: {one['claimed']})" if one["claimed"] else ""
    at = None if one["at"] is None else seconds(one["at"])
    result = one["result"] if one["granted"] else f"refused: {one['result']}"
    details = " ".join(f"{key}={_value(value)}" for key, value in one["details"].items())
    return (moment(at), f"{one['principal']}{claimed}", one["how"], one["source"], f"{one['what']} {details}", result)


def _value(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    items = cast("list[object]", value)
    return ",".join(map(str, items[:LISTED_MOST])) + (",…" if len(items) > LISTED_MOST else "")


def _doubts(page: Members) -> str:
    """Return what to say where this is not all; "" where it is."""
    waiting, lost = page.get("waiting"), page.get("lost")
    doubts = [f"{waiting} entries wait for the database"] if waiting else []
    doubts += [f"{lost} entries are in the daemon's log alone"] if lost else []
    return plain("; ".join(doubts))
