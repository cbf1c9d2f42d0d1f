"""``GET /events``: what is stored, page by page, the newest first page."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crewd.api.events import Wanted, known_types, stored_event
from crewd.api.ports import Ports
from crewd.api.refusals import invalid
from crewd.api.scope import can_be_a_name, select_covered, within_one
from crewd.model.access import Principal
from crewd.policy.access import covers
from crewd.policy.accounting import worker_of
from crewd.reconcile.selecting import EVERYTHING, UnknownNames, matcher

NOBODY = ""
"""The name of no instance: the store takes no names for all of them."""
_LIKE_AN_INSTANCE = re.compile(r".+-\d+")


@dataclass(frozen=True, slots=True)
class Span:
    """When: unix seconds; ``since`` included, ``until`` not. None: no bound."""

    since: float | None = None
    until: float | None = None


def wanted(ports: Ports, principal: Principal, names: Sequence[str], types: Sequence[str], *, gone: bool) -> Wanted:
    """Return which events are asked for; raises UnknownNames, and Refused where somebody may not see any of a name's.

    ``gone``: a name that looks like an instance's may be that of one which is no more. Who is limited to some workers
    sees those of their instances alone, and nothing that concerns supervisord.
    """
    named = bool(names) and EVERYTHING not in names
    kinds = known_types(list(types))
    if not named and not principal.workers:
        return Wanted((), matcher(ports.view, ()), named=False, types=kinds)
    literal = [name for name in names if gone and can_be_a_name(name) and _LIKE_AN_INSTANCE.fullmatch(name)]
    for name in literal:
        within_one(principal, ports.view, name)
    others = [name for name in names if name not in literal or _meant(ports, name)]
    chosen = select_covered(principal, ports.view, others) if others or not names else ()
    instances = tuple(dict.fromkeys((*literal, *chosen))) or (NOBODY,)
    return Wanted(instances, _covered(principal, matcher(ports.view, names)), named=True, types=kinds)


def _covered(principal: Principal, matches: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda instance: matches(instance) and covers(principal, worker_of(instance))


def _meant(ports: Ports, name: str) -> bool:
    """Return whether it is the name of a worker all the same: ``web-0`` may have a ``web-0-0``."""
    return name in ports.view.workers()


async def page(ports: Ports, asked: Wanted, span: Span, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return the newest ``limit`` events before the cursor, in the order in which they happened."""
    query = asked.query(since=span.since, until=span.until, before_id=before(cursor), limit=limit)
    found = await ports.store.events(query) if limit else ()
    strangers = [name for name in asked.instances if name and name not in ports.view.crew.records]
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
