"""Workers made over the API, read by the keys that the YAML is read by, under the file's defaults.

Rules:

1. No more than ``crewd.config.keys.OFFERED``: a command is a list, and nothing that is supervisord's own (listeners) or
   the file's alone can be said.
2. What is read here is right in itself. Whether it is admitted is another question: ``admission``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from crewd.config.crew import Crew, over_defaults
from crewd.config.documents import WHOLE, parse_document
from crewd.config.keys import OFFERED, WORKER, Deployed
from crewd.config.kind import Spot
from crewd.config.reading import Setting, read_section
from crewd.config.report import Place, Report
from crewd.config.tree import ScalarNode
from crewd.config.worker import Worker
from crewd.config.worker_kinds import wrong_id
from crewd.errors import ConfigError
from crewd.model.offer import Complaint, Offer
from crewd.model.spec import CrewSpec, WorkerSpec

EMPTY = Crew(CrewSpec(), {}, {})


@dataclass(frozen=True, slots=True)
class Offered:
    """A document as read; ``worker`` is None where it is wrong. A worker without a command may be right."""

    offer: Offer
    report: Report
    worker: Worker | None


def read_offered(offer: Offer, crew: Crew = EMPTY) -> Offered:
    """Read a document under the defaults of the crew that the worker is to join."""
    report = Report()
    place = Place(f"api:{offer.worker_id}")
    if wrong := wrong_id(offer.worker_id, "worker id"):
        report.error(place, "worker_id", wrong)
    root = parse_document(offer.document, place, report)
    if root is None:
        return Offered(offer, report, None)
    settings = over_defaults(read_section(OFFERED, Spot(root, "", report)), crew.defaults)
    nowhere = ScalarNode(place, "", plain=False)
    local = crew.defaults.get("local")
    written = {key.text for key, _ in root.entries}
    if local is not None and isinstance(local.value, Deployed) and "command" not in written:
        settings["command"] = Setting(local.value.command, local.spot)
    users = crew.spec.daemon.api_workers.users
    if "user" not in settings and users:
        settings["user"] = Setting(users[0], Spot(nowhere, "user", report))
    values = {name: setting.value for name, setting in settings.items()}
    spec = WORKER.filled({"command": (), **values}, worker_id=offer.worker_id)
    worker = Worker(spec, settings, place, "", report)
    return Offered(offer, report, None if complaints(report) else worker)


def complaints(report: Report) -> tuple[Complaint, ...]:
    """Return the errors, by the way to the member. What a default is to blame for keeps its place in the file."""
    try:
        report.raise_errors()
    except ConfigError as mistakes:
        return tuple(
            Complaint(problem.path or WHOLE, problem.message)
            if not problem.line
            else Complaint(problem.path, f"{problem.message} ({problem.file}:{problem.line})")
            for problem in mistakes.problems
        )
    return ()


def faults(offer: Offer) -> tuple[Complaint, ...]:
    """Return what is wrong with a document in itself, whatever the file says."""
    return complaints(read_offered(offer).report)


def joining(crew: Crew) -> Callable[[Iterable[Offer]], dict[str, WorkerSpec]]:
    """Return what reads workers as members of this crew; those that are wrong are left out."""

    def join(offers: Iterable[Offer]) -> dict[str, WorkerSpec]:
        read = (read_offered(offer, crew) for offer in offers)
        return {one.offer.worker_id: one.worker.spec for one in read if one.worker is not None}

    return join


def superseded(key: str) -> frozenset[str]:
    """Return the members that say the same as this one, by another name."""
    aliases = {alias.name: frozenset(alias.of) for alias in OFFERED.aliases}
    means = aliases.get(key, frozenset({key}))
    others = {name for name, of in aliases.items() if of & means} | (means if key in aliases else frozenset[str]())
    return frozenset(others - {key})
