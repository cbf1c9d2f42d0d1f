"""What is in force, beside what the operator's files say and what supervisord runs. Pure."""

from collections.abc import Iterator

from crewd.doctor.facts import Configuration, Facts
from crewd.doctor.finding import Area, Finding, problem, warning
from crewd.errors import Problem
from crewd.model.offer import Fate

_AREA = Area.DRIFT
RELOAD = "crewctl reload"
EDITED = "supervisord.conf was edited by hand"
"""The engine's words for it."""


def check_drift(facts: Facts) -> Iterator[Finding]:
    """Compare the three."""
    yield from _by_hand(facts)
    yield from _rendering(facts)
    if facts.configuration is not None:
        yield from _on_disk(facts.configuration)
    yield from _last_apply(facts)


def _by_hand(facts: Facts) -> Iterator[Finding]:
    told: list[str] = [] if facts.version is None else list(facts.version.get("drift") or ())
    if facts.edited and EDITED not in told:
        told.append(EDITED)
    for sentence in told:
        path = facts.home.supervisord_conf if sentence == EDITED else ""
        yield warning(_AREA, "drift", sentence, path=path, remedy=f"{RELOAD}, which undoes it")


def _rendering(facts: Facts) -> Iterator[Finding]:
    """Compare what runs, what is in force, and what the file would come to: of these three one differs."""
    link = facts.files.entries.get(facts.home.current)
    if facts.current is None or link is None or link.target not in facts.files.entries:
        return  # there is nothing in force, and that is told
    running = facts.current if facts.version is None else facts.version.get("table")
    configuration = facts.configuration
    if running != facts.current:
        what = f"supervisord runs the rendering {running}, while {facts.current} is in force"
        yield warning(_AREA, "rendering", what, path=facts.home.current, remedy=RELOAD)
    elif configuration is not None and configuration.spec is not None and configuration.rendering != facts.current:
        what = f"what it says is not in force: {_changes(configuration)}"
        yield warning(_AREA, "not-applied", what, path=configuration.source, remedy=RELOAD)


def _on_disk(configuration: Configuration) -> Iterator[Finding]:
    for mistake in configuration.mistakes:
        yield _at(mistake, problem(_AREA, "configuration", "", remedy="mend it, then crewctl check"))
    if configuration.failure:
        yield problem(_AREA, "configuration", configuration.failure, path=configuration.source)
    for doubt in configuration.doubts:
        yield _at(doubt, warning(_AREA, "configuration-doubt", ""))
    yield from _rulings(configuration)


def _at(place: Problem, finding: Finding) -> Finding:
    message = f"{place.path}: {place.message}"
    return Finding(finding.severity, finding.area, finding.name, message, place.file, place.line, finding.remedy)


def _changes(configuration: Configuration) -> str:
    told = [f"{len(names)} instances would be {what}" for what, names in configuration.changes.items() if names]
    return ", ".join(told) or "what concerns no worker would change"


def _rulings(configuration: Configuration) -> Iterator[Finding]:
    for worker, ruling in configuration.rulings.items():
        if ruling.fate is Fate.REFUSED:
            why = "; ".join(map(str, ruling.complaints))
            what = f"{worker}, made over the API, is not admitted: {why}"
            yield warning(_AREA, "api-worker", what, path=configuration.source, remedy=f"crewctl configs show {worker}")
        elif ruling.fate is Fate.SHADOWED:
            what = f"{worker}, made over the API, is shadowed by the worker of that name here"
            yield warning(_AREA, "api-worker", what, path=ruling.file, line=ruling.line, remedy="rename or delete one")


def _last_apply(facts: Facts) -> Iterator[Finding]:
    if facts.crew is None:
        return
    told = facts.crew["configuration"]
    known = () if facts.configuration is None else facts.configuration.mistakes
    problems = [one for one in told["problems"] if one not in set(map(str, known))]
    if told["in_force"] or (told["problems"] and not problems):
        return
    why = "; ".join(problems) or "no apply has succeeded yet"
    yield problem(_AREA, "apply-failed", f"the last apply failed: {why}", remedy=f"mend it, then {RELOAD}")
