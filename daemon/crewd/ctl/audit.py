"""``crewctl audit``: who asked for what, and what came of it."""

import json
from typing import cast

import click

from crewd.ctl.client import Client, Query
from crewd.ctl.command import Showing, complain, output_option
from crewd.ctl.crew_table import seconds
from crewd.ctl.session import Session
from crewd.wording import Members, moment, plain, table

PATH = "/audit"
COUNT = 20
PAGE_MOST = 1000
"""So many entries the API gives at once."""
HEAD = ("AT", "WHO", "HOW", "FROM", "WHAT", "RESULT")


@click.command(cls=Showing)
@click.option("-n", "--lines", "count", type=click.IntRange(1), help=f"The newest so many; else {COUNT}.")
@click.option("--since", metavar="WHEN", help="ISO 8601, or how long ago: 1h. All of them, unless -n says how many.")
@click.option("--until", metavar="WHEN", help="As --since; what happened at that time is left out.")
@click.option("--principal", metavar="WHO", help="Of these alone: `uid 0`, `token 7f3a9c01b2d4`.")
@click.option("--what", metavar="TEXT", help="Only where what was asked for has this in it.")
@click.option("--granted/--refused", default=None, help="Only what was granted, or only what was not.")
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
    asked = {"since": since, "until": until, "principal": principal, "what": what}
    query: list[tuple[str, str | int]] = [(name, value) for name, value in asked.items() if value is not None]
    if granted is not None:
        query.append(("granted", str(granted).lower()))
    entries, newest = _entries(session.client, query, count if count is not None or since else COUNT)
    if output == "json":
        session.show(map(json.dumps, entries))
    elif entries:
        session.show(_lines(session, entries))
    else:
        complain("there is no such entry")
    complain(_doubts(newest))


def _entries(client: Client, query: Query, count: int | None) -> tuple[list[Members], Members]:
    """Return the newest ``count`` entries, or all; and what the newest page says of the rest."""
    found: list[Members] = []
    newest: Members = {}
    cursor: Query = []
    while count is None or len(found) < count:
        limit = PAGE_MOST if count is None else min(PAGE_MOST, count - len(found))
        page = client.get(PATH, [*query, ("limit", limit), *cursor])
        newest = newest or page
        found = [*page["entries"], *found]
        if not page["next_cursor"]:
            break
        cursor = [("cursor", page["next_cursor"])]
    return found, newest


def _lines(session: Session, entries: list[Members]) -> list[str]:
    head, *lines = map(session.screen.fit, table(HEAD, map(_row, entries)))
    paint = session.screen.paint
    painted = [line if one["granted"] else paint("red", line) for line, one in zip(lines, entries, strict=True)]
    return [paint("bold", head), *painted]


def _row(one: Members) -> tuple[str, ...]:
    claimed = f" (says: {one['claimed']})" if one["claimed"] else ""
    at = None if one["at"] is None else seconds(one["at"])
    result = one["result"] if one["granted"] else f"refused: {one['result']}"
    details = " ".join(f"{key}={_value(value)}" for key, value in one["details"].items())
    return (moment(at), f"{one['principal']}{claimed}", one["how"], one["source"], f"{one['what']} {details}", result)


def _value(value: object) -> str:
    return ",".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)


def _doubts(newest: Members) -> str:
    """Return what to say where this is not all; "" where it is."""
    waiting, lost = newest.get("waiting"), newest.get("lost")
    doubts = [f"{waiting} entries wait for the database"] if waiting else []
    doubts += [f"{lost} entries are in the daemon's log alone"] if lost else []
    return plain("; ".join(doubts))
