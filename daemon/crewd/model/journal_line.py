"""The codec of one journal line: JSON, one object, members ``v seq boottime at type`` and the fact's own fields.

A line is ASCII: no character of a message can end it early, and bytes that are no UTF-8 (lone surrogates in Python)
survive. A number is finite. A reader skips unknown members and reports an unknown ``type`` or version as
JournalLineError.
"""

import json
import re
from dataclasses import MISSING, fields
from enum import Enum
from math import isfinite
from typing import Any, NoReturn, cast, get_args, get_type_hints

from crewd.model.facts import JOURNAL_VERSION, Event, Fact

_ENCODE = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False, allow_nan=False).encode
_CLASSES: tuple[type[Any], ...] = get_args(Fact)


class JournalLineError(ValueError):
    """The line is not a journal line of a version that this code knows."""


def type_word(cls: type[Any]) -> str:
    """Return the ``type`` member for a fact class: ``SpawnFailed`` is ``spawn_failed``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


_WORDS: dict[type[Any], str] = {cls: type_word(cls) for cls in _CLASSES}
_BY_WORD: dict[str, type[Any]] = {word: cls for cls, word in _WORDS.items()}
_NAMES: dict[type[Any], tuple[str, ...]] = {cls: tuple(f.name for f in fields(cls)) for cls in _CLASSES}
_REQUIRED: dict[type[Any], frozenset[str]] = {
    cls: frozenset(f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING)
    for cls in _CLASSES
}


def type_of(fact: Fact) -> str:
    """Return the ``type`` member of a fact's line."""
    return _WORDS[type(fact)]


def _enum_fields(cls: type[Any]) -> dict[str, type[Enum]]:
    found: dict[str, type[Enum]] = {}
    for name, hint in get_type_hints(cls).items():
        for candidate in (hint, *get_args(hint)):
            if isinstance(candidate, type) and issubclass(candidate, Enum):
                found[name] = candidate
    return found


_ENUMS: dict[type[Any], dict[str, type[Enum]]] = {cls: _enum_fields(cls) for cls in _CLASSES}
_TUPLES: dict[type[Any], tuple[str, ...]] = {
    cls: tuple(name for name, hint in get_type_hints(cls).items() if hint == tuple[str, ...]) for cls in _CLASSES
}


def encode(event: Event) -> str:
    """Return the event as one line, newline included."""
    fact = event.fact
    cls = type(fact)
    line: dict[str, Any] = {
        "v": JOURNAL_VERSION,
        "seq": event.sequence,
        "boottime": event.boottime,
        "at": event.at,
        "type": _WORDS[cls],
    }
    for name in _NAMES[cls]:
        line[name] = getattr(fact, name)
    return _ENCODE(line) + "\n"


def decode(line: str | bytes) -> Event:
    """Return the event of one line; raises JournalLineError, also for a torn line."""
    try:
        raw = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as cause:
        raise JournalLineError(f"cannot read journal line: {cause}") from None
    if not isinstance(raw, dict):
        raise JournalLineError("cannot read journal line: not an object")
    members = cast("dict[str, Any]", raw)
    if members.get("v") != JOURNAL_VERSION:
        raise JournalLineError(f"cannot read journal line: version {members.get('v')!r}, not {JOURNAL_VERSION}")
    cls = _BY_WORD.get(str(members.get("type")))
    if cls is None:
        raise JournalLineError(f"cannot read journal line: unknown type {members.get('type')!r}")
    return _event(cls, members)


def _event(cls: type[Any], members: dict[str, Any]) -> Event:
    values = {name: members[name] for name in _NAMES[cls] if name in members}
    missing = _REQUIRED[cls] - values.keys()
    if missing:
        raise JournalLineError(f"cannot read journal line: {_WORDS[cls]} without {', '.join(sorted(missing))}")
    try:
        for name, enum in _ENUMS[cls].items():
            if values.get(name) is not None:
                values[name] = enum(values[name])
        for name in _TUPLES[cls]:
            if name in values:
                values[name] = tuple(values[name])
        return Event(int(members["seq"]), _time(members["boottime"]), _time(members["at"]), cls(**values))
    except (ValueError, TypeError, KeyError, OverflowError) as cause:
        raise JournalLineError(f"cannot read journal line: {_WORDS[cls]}: {cause}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _time(value: Any) -> float:
    seconds = float(value)
    if not isfinite(seconds):
        raise ValueError(f"{value} is not a time")
    return seconds
