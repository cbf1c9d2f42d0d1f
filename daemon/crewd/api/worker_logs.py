"""``GET /worker-logs``: the events of instances and what these reported, as one list.

How the two fit together: each has its own numbers, so a cursor is two of them, the oldest that was given of either. A
page is the newest of both, put in order by their times.

Rules:

1. Nothing is left out or given twice, whatever the clocks of workers say: each list keeps its own order.
2. What level an event has is known when it is read: of events that do not fit, at most SCANNED are looked at for a
   page, which may have less than it could then, or nothing, and a cursor all the same.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isinf
from typing import Any

from crewd.api.envelope import decoded, iso
from crewd.api.event_list import Span
from crewd.api.events import stored_event
from crewd.api.ports import Ports
from crewd.api.refusals import invalid
from crewd.model.report import Level, LogEntry, LogKind
from crewd.policy.accounting import worker_of
from crewd.reconcile.reports import LogQuery
from crewd.reconcile.storage import EventQuery, StoredEvent
from crewd.story import told

SCANNED = 5000
PAGE = 1000
_CURSOR = re.compile(r"([0-9]{1,18})?-([0-9]{1,18})?")
_REPORTED = (LogKind.TASK, LogKind.ERROR)

_LevelOf = Callable[[dict[str, Any]], Level]


def _exited(event: dict[str, Any]) -> Level:
    return Level.INFO if event.get("commanded") or event.get("reason") == "CleanExit" else Level.ERROR


def _judged(event: dict[str, Any]) -> Level:
    levels = {"StartLimitHit": Level.ERROR, "Restarted": Level.WARNING}
    return levels.get(str(event.get("verdict")), Level.INFO)


LEVELS: dict[str, Level | _LevelOf] = {
    "commanded": Level.INFO,
    "exited": _exited,
    "fault_caught": Level.ERROR,
    "judged": _judged,
    "leftover_ended": Level.WARNING,
    "lost": Level.ERROR,
    "removed": Level.INFO,
    "spawn_failed": Level.ERROR,
    "spawned": Level.INFO,
    "starting": Level.DEBUG,
    "state_changed": Level.DEBUG,
    "succeeded": Level.INFO,
}
"""Of each type of event that concerns an instance."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: of these instances, kinds and levels; none of them: of all."""

    instances: tuple[str, ...]
    kinds: tuple[LogKind, ...]
    levels: tuple[Level, ...]
    span: Span

    @property
    def types(self) -> tuple[str, ...]:
        """The types of events that may be wanted."""
        if self.kinds and LogKind.LIFECYCLE not in self.kinds:
            return ()
        return tuple(
            kind for kind, level in LEVELS.items() if not self.levels or callable(level) or level in self.levels
        )

    @property
    def reported(self) -> tuple[LogKind, ...]:
        """The kinds of reports that are wanted."""
        return tuple(kind for kind in _REPORTED if not self.kinds or kind in self.kinds)


@dataclass(frozen=True, slots=True)
class Place:
    """What was given before: the oldest event, and the oldest report. None: none."""

    event: int | None = None
    report: int | None = None

    def __str__(self) -> str:
        return f"{self.event or ''}-{self.report or ''}"


@dataclass(frozen=True, slots=True)
class _Found:
    """Of one of the two lists: its place, its time, its shape."""

    place: Place
    at: float
    shape: dict[str, Any]


def begin(cursor: str | None) -> Place:
    """Return where a page begins; raises Refused."""
    found = _CURSOR.fullmatch("-" if cursor is None else cursor)
    if found is None:
        raise invalid("cannot read cursor: it is the next_cursor of an earlier answer")
    event, report = found.groups()
    return Place(None if event is None else int(event), None if report is None else int(report))


async def page(ports: Ports, wanted: Wanted, limit: int, place: Place) -> dict[str, Any]:
    """Return the newest ``limit`` entries before the place, in the order of their times."""
    events, stopped = await _events(ports, wanted, limit, place)
    reports = await _reports(ports, wanted, limit, place)
    taken: list[_Found] = []
    while (events or reports) and len(taken) < limit:
        if not events and stopped is not None and (not reports or reports[-1].at < stopped.at):
            break  # what comes next may be an event that was not looked at
        source = events if not reports or (events and events[-1].at > reports[-1].at) else reports
        found = source.pop()
        taken.append(found)
        place = _moved(place, found.place)
    if not events and stopped is not None:
        place = _moved(place, stopped.place)
    more = bool(events or reports or stopped is not None or len(taken) == limit)
    return {"entries": [found.shape for found in reversed(taken)], "next_cursor": str(place) if more else None}


def _moved(place: Place, found: Place) -> Place:
    return Place(found.event or place.event, found.report or place.report)


async def _events(ports: Ports, wanted: Wanted, limit: int, place: Place) -> tuple[list[_Found], _Found | None]:
    """Return the newest of the events that fit, oldest first; and the last looked at, where there may be more."""
    found: list[_Found] = []
    if not wanted.types:
        return found, None
    query = EventQuery(wanted.instances, wanted.types, wanted.span.since, wanted.span.until, limit=PAGE)
    before = place.event
    for scanned in range(PAGE, SCANNED + PAGE, PAGE):
        size = PAGE if wanted.levels else limit
        stored = await ports.store.events(replace(query, before_id=before, limit=size))
        found[:0] = [one for one in map(_event, stored) if _fits(one, wanted)]
        if len(stored) < size:
            return found[-limit:], None
        before = stored[0].id
        if len(found) >= limit:
            return found[-limit:], None
        if scanned >= SCANNED:
            return found, _event(stored[0])
    raise AssertionError("SCANNED is no page")


def _fits(found: _Found, wanted: Wanted) -> bool:
    return not wanted.levels or Level(found.shape["level"]) in wanted.levels


async def _reports(ports: Ports, wanted: Wanted, limit: int, place: Place) -> list[_Found]:
    if not wanted.reported:
        return []
    span = wanted.span
    query = LogQuery(wanted.instances, wanted.reported, wanted.levels, span.since, span.until, place.report, limit)
    return [_Found(Place(report=one.id), one.at, reported(one)) for one in await ports.reports.entries(query)]


def _event(stored: StoredEvent) -> _Found:
    event = stored_event(stored)
    return _Found(Place(event=stored.id), stored.row.at, _lifecycle(stored, event))


def _lifecycle(stored: StoredEvent, event: dict[str, Any]) -> dict[str, Any]:
    level = LEVELS.get(stored.row.type, Level.INFO)
    envelope = {"id", "generation", "sequence", "at", "type", "worker_id", "instance"}
    return {
        "id": f"event-{stored.id}",
        "at": event["at"],
        "worker_id": event["worker_id"],
        "instance": event["instance"],
        "kind": LogKind.LIFECYCLE.value,
        "level": (level(decoded(stored.row.line)) if callable(level) else level).value,
        "message": told(event)[0],
        "type": event["type"],
        "details": {key: value for key, value in event.items() if key not in envelope},
    }


def reported(entry: LogEntry) -> dict[str, Any]:
    """Return ENTRY of what a worker reported."""
    return {
        "id": f"report-{entry.id}",
        "at": iso(entry.at),
        "worker_id": worker_of(entry.instance),
        "instance": entry.instance,
        "kind": entry.kind.value,
        "level": entry.level.value,
        "message": entry.message,
        "type": None,
        "details": dict(entry.details),
    }


def finite(seconds: float) -> float | None:
    """Return seconds, None where they are without end."""
    return None if isinf(seconds) else seconds
