"""From the trees of all files to the crew: sections, workers with the defaults under them, names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from crewd.config.access_checks import check_access
from crewd.config.accounts import Self
from crewd.config.checks import check_logs, check_worker
from crewd.config.keys import CREWD, DEFAULTS, SUPERVISORD, WORKER
from crewd.config.kind import Spot
from crewd.config.reading import Setting, Settings, entries, read_section
from crewd.config.report import Place, Report
from crewd.config.tree import MappingNode, Node, ScalarNode, found, shown
from crewd.config.worker import Worker
from crewd.config.worker_kinds import wrong_id
from crewd.model.spec import CrewSpec

SECTIONS = ("crewd", "supervisord", "defaults", "workers")
INSTANCES_MOST = 50_000
"""Of all workers; one machine's process numbers end at 4 million, and 32768 where nobody raised them."""
_ADDED_TO_DEFAULTS = ("environment", "labels")
_NOTHING: Settings = {}


@dataclass(frozen=True, slots=True)
class Parsed:
    """One file's tree, or what is left of it."""

    file: str
    root: Node


@dataclass(frozen=True, slots=True)
class Crew:
    """The crew that the files describe, and its parts as read."""

    spec: CrewSpec
    workers: Mapping[str, Worker]
    defaults: Settings


def read_crew(main: Parsed | None, drop_ins: list[Parsed], report: Report, reader: Self) -> Crew:
    """Return the crew that the files describe; what is wrong is reported and left out."""
    sections = _sections(main, report) if main else {}
    daemon: Settings = read_section(CREWD, sections["crewd"]) if "crewd" in sections else _NOTHING
    engine: Settings = read_section(SUPERVISORD, sections["supervisord"]) if "supervisord" in sections else _NOTHING
    defaults: Settings = read_section(DEFAULTS, sections["defaults"]) if "defaults" in sections else _NOTHING
    spots = [sections["workers"]] if "workers" in sections else []
    for parsed in drop_ins:
        own = _sections(parsed, report, drop_in=True)
        spots.extend(own[name] for name in ("workers",) if name in own)
    workers = _workers(spots, defaults, report)
    for worker in workers.values():
        check_worker(worker, reader)
    few = _check_number(list(workers.values()), report)
    if few:
        check_logs(list(workers.values()))
    crew = CrewSpec(
        {name: worker.spec for name, worker in workers.items()},
        CREWD.filled(_values(daemon)),
        SUPERVISORD.filled(_values(engine)),
    )
    check_access(crew.daemon, daemon)
    if few and "eventlisteners" in engine:
        _check_listener_names(engine["eventlisteners"], workers, report)
    if "default_worker" in daemon:
        _check_default_worker(daemon["default_worker"], workers)
    if main and not spots:
        report.warn(Place(main.file, 1, 1), "workers", "there are no workers: write them here or into conf.d/*.yaml")
    return Crew(crew, workers, defaults)


def _values(settings: Settings) -> dict[str, Any]:
    return {name: setting.value for name, setting in settings.items()}


def _sections(parsed: Parsed, report: Report, *, drop_in: bool = False) -> dict[str, Spot]:
    root = Spot(parsed.root, "", report)
    if not isinstance(parsed.root, MappingNode):
        report.error(parsed.root.place, "file", f"expects sections such as 'workers:', found {found(parsed.root)}")
        return {}
    sections: dict[str, Spot] = {}
    for key, node in parsed.root.entries:
        below = root.below(key.text, node)
        if key.text not in SECTIONS:
            hint = below.hint(key.text, SECTIONS, f"the sections are {', '.join(SECTIONS)}")
            report.error(key.place, below.path, f"unknown section: {hint}")
        elif drop_in and key.text != "workers":
            report.error(key.place, below.path, "only workers may stand in conf.d: move it to the main file")
        else:
            sections[key.text] = below
    return sections


def _workers(spots: list[Spot], defaults: Settings, report: Report) -> dict[str, Worker]:
    workers: dict[str, Worker] = {}
    first: dict[str, Place] = {}
    for spot in spots:
        for key, node in entries(spot, "a mapping of workers by their ids"):
            below = spot.below(key.text, node)
            if wrong := wrong_id(key.text, "worker id"):
                report.error(key.place, below.path, wrong)
            if other := first.get(key.text):
                message = f"is configured twice, first in {other.file}:{other.line}: rename or remove one"
                report.error(key.place, below.path, message)
            first.setdefault(key.text, key.place)
            worker = _worker(key, below, defaults)
            workers.setdefault(key.text, worker)
    _check_ids(workers, report)
    return workers


def _worker(key: ScalarNode, spot: Spot, defaults: Settings) -> Worker:
    own = read_section(WORKER, spot)
    written = {entry.text for entry, _ in spot.node.entries} if isinstance(spot.node, MappingNode) else set[str]()
    if "command" not in written and isinstance(spot.node, (MappingNode, ScalarNode)):
        spot.report.error(key.place, spot.path, "command is missing: write the program to run")
    settings = over_defaults(own, defaults)
    spec = WORKER.filled({"command": (), **_values(settings)}, worker_id=key.text)
    return Worker(spec, settings, key.place, spot.path, spot.report)


def over_defaults(own: Settings, defaults: Settings) -> dict[str, Setting]:
    """Return a worker's settings: its own, and what ``defaults`` say beyond."""
    settings = {**defaults, **own}
    for name in _ADDED_TO_DEFAULTS:
        if name in own and name in defaults:
            settings[name] = replace(own[name], value={**defaults[name].value, **own[name].value})
    return settings


def _check_number(workers: list[Worker], report: Report) -> bool:
    total = sum(worker.spec.instances for worker in workers)
    if total > INSTANCES_MOST:
        message = f"the crew has {total} instances: at most {INSTANCES_MOST} are supported"
        report.error(workers[-1].place, "workers", message)
    return total <= INSTANCES_MOST


def _check_ids(workers: Mapping[str, Worker], report: Report) -> None:
    """A selector names a worker or an instance, so no word may be both."""
    for worker_id, worker in workers.items():
        owner, _, slot = worker_id.rpartition("-")
        numbered = owner in workers and slot.isascii() and slot.isdecimal() and str(int(slot)) == slot
        if numbered and int(slot) < workers[owner].spec.instances:
            message = f"is also the name of instance {slot} of the worker {owner!r}: rename one"
            report.error(worker.place, worker.path, message)


def _check_default_worker(setting: Setting, workers: Mapping[str, Worker]) -> None:
    if setting.value is None:
        return
    worker = workers.get(setting.value)
    if worker is None:
        setting.spot.refuse(f"there is no worker {shown(setting.value)}: name one of the file")
    elif worker.spec.reset is None:
        setting.spot.warn(f"the worker {setting.value} has no reset: `POST /restart` is refused until it has one")


def _check_listener_names(setting: Setting, workers: Mapping[str, Worker], report: Report) -> None:
    """supervisord keeps listeners and programs under one kind of name."""
    instances = {name for worker in workers.values() for name in worker.spec.instance_names}
    for key, node in entries(setting.spot, "listeners"):
        if key.text in workers or key.text in instances:
            what = "a worker" if key.text in workers else "an instance of a worker"
            path = setting.spot.below(key.text, node).path
            report.error(key.place, path, f"is also the name of {what}: rename the listener")
