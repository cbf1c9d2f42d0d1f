"""When lines were written, as far as they say it themselves. Pure: no file is known here.

A line's time is the date and time of ISO 8601 that it begins with, perhaps behind a bracket: ``2026-01-31T09:00:00Z``,
``[2026-01-31 09:00:00,123]``. Without a zone it is of the machine's local time. A line without one, such as the second
of a traceback, has the time of the line before it.
"""

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from crewd.reconcile.output import Line

_STAMP = re.compile(
    rb"^[\[(]?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)(?![\d:])", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Part:
    """What of some lines, joined by newlines, is not too old. None: nothing of it."""

    head: bytes | None
    """Lines before the first that says its time: what they are is for the lines before them to say."""
    body: bytes | None
    """Lines that are known not to be too old."""
    newest: float | None
    """The last time that is said; None where none is."""
    ends: bool
    """Whether all before these lines is too old."""


def part(lines: bytes, since: float) -> Part:
    """Return what of the lines is not older than ``since``."""
    stamps = [(found.start(), at) for found in _STAMP.finditer(lines) if (at := _read(found)) is not None]
    if not stamps:
        return Part(lines, None, None, ends=False)
    newest = stamps[-1][1]
    old = next((number for number in reversed(range(len(stamps))) if stamps[number][1] < since), None)
    if old is not None:
        fresh = stamps[old + 1][0] if old + 1 < len(stamps) else None
        return Part(None, None if fresh is None else lines[fresh:], newest, ends=True)
    first = stamps[0][0]
    return Part(lines[: first - 1] if first else None, lines[first:], newest, ends=False)


def time_of(line: bytes) -> float | None:
    """Return when the line says that it was written, in unix seconds."""
    found = _STAMP.match(line)
    return None if found is None else _read(found)


def merged(each: Iterable[Sequence[Line]], tail: int) -> tuple[tuple[Line, ...], bool]:
    """Return the newest ``tail`` lines of several streams, and whether they are in the order of their times.

    Where a stream never says a time nobody knows that order: then each has its share, one after the other.
    """
    streams = [lines for lines in each if lines]
    if len(streams) <= 1:
        return tuple(_newest(streams[0], tail) if streams else ()), True
    timed = [tuple(_timed(lines)) for lines in streams]
    if all(any(at > -inf for at, _ in lines) for lines in timed):
        together = [line for _, line in heapq.merge(*timed, key=lambda one: one[0])]
        return tuple(_newest(together, tail)), True
    shares = _shares([len(lines) for lines in streams], tail)
    return tuple(line for lines, share in zip(streams, shares, strict=True) for line in _newest(lines, share)), False


def _timed(lines: Iterable[Line]) -> Iterator[tuple[float, Line]]:
    """Yield each with its time; -inf before the first that says one. Times that go back are passed over."""
    at = -inf
    for line in lines:
        at = max(at, time_of(line.text) or -inf)
        yield at, line


def _shares(counts: Sequence[int], tail: int) -> list[int]:
    """Return how many of each may be had: as many of each, and what one leaves is for the others."""
    shares, left = [0] * len(counts), tail
    by_size = sorted(range(len(counts)), key=lambda number: counts[number])
    for done, number in enumerate(by_size):
        fair = -(-left // (len(counts) - done))
        shares[number] = min(counts[number], fair)
        left -= shares[number]
    return shares


def _newest(lines: Sequence[Line], count: int) -> Sequence[Line]:
    return lines[max(0, len(lines) - count) :]


def _read(found: re.Match[bytes]) -> float | None:
    try:
        return datetime.fromisoformat(found[1].decode()).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
