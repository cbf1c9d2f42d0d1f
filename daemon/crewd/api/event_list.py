"""``GET /events``: what is stored, page by page, the newest first page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crewd.api.events import Wanted, known_types, stored_event
from crewd.api.ports import Ports
from crewd.api.refusals import invalid
from crewd.reconcile.selecting import EVERYTHING, UnknownNames, matcher, select

_LIKE_AN_INSTANCE = re.compile(r".+-\d+")


@dataclass(frozen=True, slots=True)
class Span:
    """When: unix seconds; ``since`` included, ``until`` not. None: no bound."""

    since: float | None = None
    until: float | None = None


def wanted(ports: Ports, names: Sequence[str], types: Sequence[str], *, gone: bool) -> Wanted:
    """Return which events are asked for; raises UnknownNames.

    ``gone``: a name that looks like an instance's may be that of one which is no more.
    """
    named = bool(names) and EVERYTHING not in names
    kinds = known_types(list(types))
    if not named:
        return Wanted((), matcher(ports.view, ()), named=False, types=kinds)
    literal = [name for name in names if gone and _LIKE_AN_INSTANCE.fullmatch(name)]
    instances = (*literal, *select(ports.view, [name for name in names if name not in literal or _meant(ports, name)]))
    return Wanted(tuple(dict.fromkeys(instances)), matcher(ports.view, names), named=True, types=kinds)


def _meant(ports: Ports, name: str) -> bool:
    """Return whether it is the name of a worker all the same: ``web-0`` may have a ``web-0-0``."""
    return name in ports.view.workers()


async def page(ports: Ports, asked: Wanted, span: Span, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return the newest ``limit`` events before the cursor, in the order in which they happened."""
    query = asked.query(since=span.since, until=span.until, before_id=before(cursor), limit=limit)
    found = await ports.store.events(query) if limit else ()
    strangers = [name for name in asked.instances if name not in ports.view.crew.records]
    if strangers and limit and not found and cursor is None:
        raise UnknownNames(strangers)
    oldest = next((str(one.id) for one in found if len(found) == limit), None)
    return {"events": [stored_event(one) for one in found], "next_cursor": oldest}


def span(ports: Ports, since: str | None, until: str | None) -> Span:
    """Return the bounds; raises Refused."""
    return Span(_moment(ports, "since", since), _moment(ports, "until", until))


def _moment(ports: Ports, name: str, text: str | None) -> float | None:
    """Return unix seconds of ISO 8601, or of a duration ago."""
    if text is None:
        return None
    try:
        return ports.wall() - ports.duration(text)
    except ValueError:
        pass
    try:
        # a + in a query is a blank, where nobody wrote %2B
        moment = datetime.fromisoformat(text.replace(" ", "+") if text.count(" ") == 1 and "T" in text else text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise invalid(f"cannot read {name}: write 2026-01-31T09:00:00Z, or how long ago: 1h") from None


def before(cursor: str | None) -> int | None:
    """Return the id that a cursor names; raises Refused."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _DIGITS_MOST):
        raise invalid("cannot read cursor: it is the next_cursor of an earlier answer")
    return int(cursor)


_DIGITS_MOST = 18
