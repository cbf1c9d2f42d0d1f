"""Lists that come page by page, the newest page first: the audit, events, manual restarts, what workers wrote down."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import click

from crewd.ctl.client import Client, Query
from crewd.ctl.session import Session
from crewd.wording import Members, table

COUNT = 20
PAGE_MOST = 1000
"""So many entries the API gives at once."""


def newest(client: Client, path: str, query: Query, member: str, count: int | None) -> tuple[list[Members], Members]:
    """Return the newest ``count`` entries, None: all, oldest first; and the newest page, for what else it says.

    ``member``: of the answer, which has the entries.
    """
    found: list[Members] = []
    first: Members = {}
    cursor: Query = []
    while count is None or len(found) < count:
        limit = PAGE_MOST if count is None else min(PAGE_MOST, count - len(found))
        page = client.get(path, [*query, ("limit", limit), *cursor])
        first = first or page
        found = [*page[member], *found]
        if not page["next_cursor"]:
            break
        cursor = [("cursor", page["next_cursor"])]
    return found, first


def wanted(count: int | None, since: str | None) -> int | None:
    """Return how many are shown, None: all, where no number was said."""
    return COUNT if count is None and since is None else count


def span(since: str | None, until: str | None) -> list[tuple[str, str | int]]:
    """Return what a request says of the time."""
    return [(name, text) for name, text in (("since", since), ("until", until)) if text is not None]


def newest_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``-n``, ``--since`` and ``--until``."""
    count = click.option(
        "-n",
        "--lines",
        "count",
        type=click.IntRange(1),
        help=f"Show the newest so many. The default is {COUNT}, or all with --since.",
    )
    since = click.option(
        "--since",
        metavar="WHEN",
        help="Show what came since then: in ISO 8601, or how long ago, as in 1h.",
    )
    until = click.option("--until", metavar="WHEN", help="Show what came before then, written as for --since.")
    return count(since(until(function)))


def show_json(session: Session, entries: Iterable[Members]) -> None:
    """Print one object a line."""
    session.show(map(json.dumps, entries))


def show_table(
    session: Session,
    head: tuple[str, ...],
    entries: list[Members],
    row: Callable[[Members], tuple[str, ...]],
    *,
    well: Callable[[Members], bool],
) -> None:
    """Print a table; entries that are not ``well`` are red."""
    first, *lines = map(session.screen.fit, table(head, map(row, entries)))
    paint = session.screen.paint
    painted = [line if well(one) else paint("red", line) for line, one in zip(lines, entries, strict=True)]
    session.show([paint("bold", first), *painted])
