"""From the operator's files to the spec: ``crewd.yaml`` and, beside it, ``conf.d/*.yaml`` in the order of their names.

Rules:

1. All mistakes of all files are found in one run; a file that cannot be read hides none in the others. Who applies has
   more to look at (users, environment files), and what that finds is told with the rest.
2. With any error there is no spec at all: nothing is applied in part.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from crewd.config.accounts import Self
from crewd.config.crew import Crew, Parsed, read_crew
from crewd.config.report import Place, Report
from crewd.config.source import read_text
from crewd.config.tree import ScalarNode, parse
from crewd.config.worker import Worker
from crewd.errors import ConfigError, Problem
from crewd.model.spec import CrewSpec

DROP_INS = "conf.d"
_SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without errors."""

    spec: CrewSpec
    warnings: tuple[Problem, ...]
    """What is allowed and probably not meant, by place."""
    files: tuple[str, ...]
    """The files that it came from, the main one first."""
    crew: Crew
    """As read, with the places: for workers that join it."""


Where = Callable[[str, str], Problem]
"""Takes a worker and one of its keys to a problem at that place, still without a message."""
Look = Callable[[CrewSpec, Where], object]
"""Looks at more than the files say; raises ConfigError. The crew may lack what was wrong in the files."""


def load(config_path: str, reader: Self | None = None, look: Look | None = None) -> Loaded:
    """Return the crew that ``config_path`` and the files in ``conf.d`` beside it describe.

    Raises ConfigError with every problem of every file. ``reader``: who will run the workers; the process itself.
    """
    report = Report()
    files = (config_path, *_drop_ins(config_path, report))
    main = _parsed(config_path, report)
    drop_ins = [parsed for file in files[1:] if (parsed := _parsed(file, report, drop_in=True)) is not None]
    crew = read_crew(main, drop_ins, report, reader or Self.now())
    if look is not None:
        try:
            look(crew.spec, lambda worker_id, key: place_of(crew.workers[worker_id], key))
        except ConfigError as mistakes:
            report.add(mistakes.problems)
    report.raise_errors()
    return Loaded(crew.spec, report.warnings, files, crew)


def place_of(worker: Worker, key: str) -> Problem:
    """Return a problem at the place of a setting, still without a message."""
    place, path = worker.where(key)
    return Problem(place.file, place.line, place.column, path, "")


def _parsed(file: str, report: Report, *, drop_in: bool = False) -> Parsed | None:
    text = read_text(file, report)
    if text is None:
        return None
    root = parse(text, file, report)
    if not (isinstance(root, ScalarNode) and root.is_null):
        return None if root is None else Parsed(file, root)
    if drop_in:
        report.warn(Place(file, 1, 1), "file", "is empty")
    else:
        report.error(Place(file, 1, 1), "file", "is empty: write workers; `crewd schema --sample` shows how")
    return None


def _drop_ins(config_path: str, report: Report) -> list[str]:
    folder = os.path.join(os.path.dirname(config_path), DROP_INS)  # noqa: PTH118, PTH120 - plain strings throughout
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except FileNotFoundError:
        return []
    except OSError as cause:
        report.error(Place(folder), "file", f"cannot be read: {cause.strerror}")
        return []
    visible = [name for name in names if not name.startswith(".")]
    for name in visible:
        if name.endswith(".yml"):
            report.warn(Place(os.path.join(folder, name)), "file", f"is not read: rename it to *{_SUFFIX}")  # noqa: PTH118
    return [os.path.join(folder, name) for name in visible if name.endswith(_SUFFIX)]  # noqa: PTH118
