"""What root runs of this installation: whether others could put something else in its place."""

import os
import sys
from collections.abc import Iterable, Iterator

from crewd.apply.hands import changeable
from crewd.doctor.facts import Program, Unit

_ROOT = 0


def look_at_programs(looker: int, units: Iterable[Unit]) -> tuple[Program, ...]:
    """Return the units' programs; and that which looks, where root does."""
    return tuple(_held(who, path) for who, path in _run(looker, units) if os.path.isabs(path))  # noqa: PTH117 - plain strings throughout


def _run(looker: int, units: Iterable[Unit]) -> Iterator[tuple[str, str]]:
    if looker == _ROOT:
        yield "crewctl", sys.executable
    yield from ((unit.name, unit.program) for unit in units)


def _held(who: str, path: str) -> Program:
    try:
        return Program(who, path, changeable(path, frozenset({_ROOT})))
    except OSError:
        return Program(who, path)
