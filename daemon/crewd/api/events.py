"""EVENT: what happened, as JSON; and which of them are asked for."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

from crewd.api.envelope import decoded, encoded, iso
from crewd.api.refusals import invalid
from crewd.model.facts import Fact
from crewd.model.journal_line import type_of, type_word
from crewd.policy.accounting import worker_of
from crewd.reconcile.bulletin import News
from crewd.reconcile.crew import instance_of
from crewd.reconcile.port import Position
from crewd.reconcile.storage import EventQuery, StoredEvent

TYPES = frozenset(type_word(cls) for cls in get_args(Fact))
_OF_THE_LINE = ("v", "seq", "records")
"""Members of a line that are not shown: its format, its number under another name, and a snapshot of the whole crew."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events. ``instances`` are those that the names meant when it was asked; ``matches`` those they mean now."""

    instances: tuple[str, ...]
    matches: Callable[[str], bool]
    named: bool
    types: tuple[str, ...]

    def query(self, **more: Any) -> EventQuery:
        """Return the question to the store."""
        return EventQuery(instances=self.instances, types=self.types, **more)

    def holds(self, news: News) -> bool:
        """Return whether this one is wanted."""
        instance = instance_of(news.event.fact)
        meant = not self.named or (instance is not None and self.matches(instance))
        return meant and (not self.types or type_of(news.event.fact) in self.types)


def known_types(words: list[str]) -> tuple[str, ...]:
    """Return the types; raises Refused where one is none."""
    unknown = sorted(set(words) - TYPES)
    if unknown:
        raise invalid(f"cannot read type: there is no {', '.join(unknown)}", types=sorted(TYPES))
    return tuple(words)


def stored_event(stored: StoredEvent) -> dict[str, Any]:
    """Return EVENT of what the store has."""
    row = stored.row
    return _event(row.line, stored.id, row.generation, row.sequence)


def live_message(news: News) -> bytes:
    """Return the message of what happens now."""
    return _live_message(news.generation, news.event.sequence, type_of(news.event.fact), news.line)


@lru_cache(maxsize=64)
def _live_message(generation: str, sequence: int, kind: str, line: bytes) -> bytes:
    """Made once for all who listen."""
    return message(Position(generation, sequence), kind, _event(line.decode(), None, generation, sequence))


def stored_message(stored: StoredEvent) -> bytes:
    """Return the message of what the store has."""
    row = stored.row
    return message(Position(row.generation, row.sequence), row.type, {**stored_event(stored), "id": None})


def message(position: Position, kind: str, event: object) -> bytes:
    """Return a server-sent event; ``encoded`` leaves no line end in it."""
    head = f"id: {position.generation}.{position.sequence}\nevent: {kind}\ndata: ".encode()
    return head + encoded(event) + b"\n\n"


def position_of(last_id: str) -> Position:
    """Return the place that a Last-Event-ID names."""
    if not _POSITION.fullmatch(last_id):
        raise invalid("cannot read Last-Event-ID: it is <generation>.<sequence>")
    generation, _, sequence = last_id.rpartition(".")
    return Position(generation, int(sequence))


POSITION_PATTERN = r"[0-9A-Za-z-]{1,64}\.[0-9]{1,18}"
_POSITION = re.compile(POSITION_PATTERN)


def _event(line: str, number: int | None, generation: str, sequence: int) -> dict[str, Any]:
    members = decoded(line)
    instance = members.get("instance")
    head = {
        "id": number,
        "generation": generation,
        "sequence": sequence,
        "at": iso(members.get("at")),
        "type": members.get("type"),
        "worker_id": None if instance is None else worker_of(instance),
        "instance": instance,
    }
    return head | {key: value for key, value in members.items() if key not in head and key not in _OF_THE_LINE}
