"""What runs, and what is installed: after an upgrade they differ until each is started anew. Pure."""

import re
from collections.abc import Iterator

from crewd.doctor.facts import Code, Facts, Members
from crewd.doctor.finding import Area, Finding, note, problem, warning
from crewd.reconcile.port import RPC_VERSION

_AREA = Area.VERSIONS
SUPERVISORD_UNIT = "crewd-supervisord.service"
DAEMON_UNIT = "crewd.service"


def check_versions(facts: Facts) -> Iterator[Finding]:
    """Compare them."""
    yield from _daemon(facts)
    if facts.version is not None:
        yield from _engine(facts, facts.version)
    yield from _supervisor(facts)
    yield from _database(facts)


def renewing(facts: Facts) -> str:
    """Return how supervisord is made to run the code that is installed, and at what price."""
    by_unit = any(one.name == SUPERVISORD_UNIT and one.loaded for one in facts.units or ())
    how = "systemctl restart crewd-supervisord" if by_unit else "crewctl shutdown, then start crewd again"
    return f"{how}: this restarts all workers"


def _daemon(facts: Facts) -> Iterator[Finding]:
    if facts.crew is None:
        return
    of_daemon: Members = facts.crew.get("daemon") or {}
    version = of_daemon.get("version", "an older version")
    by_unit = any(one.name == DAEMON_UNIT and one.loaded for one in facts.units or ())
    how = "systemctl restart crewd" if by_unit else "start crewd anew"
    remedy = f"{how}: no worker is touched where supervisord is kept or is a unit of its own"
    listener = facts.daemon_socket.listener
    if version != facts.installed.version:
        what = f"crewd runs as {version}, while {facts.installed.version} is installed"
        yield warning(_AREA, "daemon-code", what, remedy=remedy)
    elif listener is not None and 0 < listener.started_at < facts.installed.changed_at:
        what = f"crewd (process {listener.pid}) runs code from before the last change of what is installed"
        yield warning(_AREA, "daemon-code", what, remedy=remedy)


def _engine(facts: Facts, version: Members) -> Iterator[Finding]:
    if version.get("rpc") != RPC_VERSION:
        what = f"the engine speaks version {version.get('rpc')} of its interface, and crewd version {RPC_VERSION}"
        yield problem(_AREA, "engine-rpc", what, remedy=renewing(facts))
        return
    running, installed = engine_code(version), facts.installed.code
    if installed is None:
        return
    if (running.version, running.fingerprint) != (installed.version, installed.fingerprint):
        what = f"supervisord still runs the engine of before: {_told(running)}; installed is {_told(installed)}"
        yield warning(_AREA, "engine-code", what, path=installed.directory, remedy=renewing(facts))
    elif running.python != installed.python:
        what = f"supervisord runs on Python {running.python}, while Python {installed.python} is installed"
        yield warning(_AREA, "engine-python", what, remedy=renewing(facts))
    elif (supervisor := str(version.get("supervisor"))) != facts.installed.supervisor:
        what = f"supervisord is version {supervisor}, while {facts.installed.supervisor or 'none'} is installed"
        yield warning(_AREA, "engine-supervisor", what, remedy=renewing(facts))


def engine_code(version: Members) -> Code:
    """Return the code that ``crewd.version`` tells of; an engine of old tells no fingerprint."""
    members = (version.get(name) or "" for name in ("engine", "code", "directory", "python"))
    return Code(*map(str, members))


def _told(code: Code) -> str:
    return f"{code.version}, code {code.fingerprint or 'unknown'}" + (
        f", of {code.directory}" if code.directory else ""
    )


def _supervisor(facts: Facts) -> Iterator[Finding]:
    installed = facts.installed
    if installed.supervisor and not within(installed.supervisor, installed.supervisor_wanted):
        what = f"supervisor {installed.supervisor} is installed, and crewd needs {installed.supervisor_wanted}"
        yield problem(_AREA, "supervisor", what, remedy=f"install supervisor{installed.supervisor_wanted}")
    elif installed.unknown_parts:
        parts = ", ".join(f"{part} ({count})" for part, count in installed.unknown_parts.items())
        what = (
            f"supervisor {installed.supervisor} has functions that the engine does not know, and goes without: {parts}"
        )
        yield warning(_AREA, "supervisor-parts", what, remedy="install a version of supervisor that crewd knows")


def within(version: str, wanted: str) -> bool:
    """Return whether a version keeps to bounds such as ``>=4.2.5,<4.4``; to what cannot be read it does."""
    for bound in filter(None, (part.strip() for part in wanted.split(","))):
        found = re.fullmatch(r"(>=|<=|==|!=|<|>)\s*([0-9.]+)", bound)
        if found and not _holds(_numbers(version), found[1], _numbers(found[2])):
            return False
    return True


def _holds(version: tuple[int, ...], relation: str, bound: tuple[int, ...]) -> bool:
    width = max(len(version), len(bound))
    one, other = (numbers + (0,) * (width - len(numbers)) for numbers in (version, bound))
    return {
        ">=": one >= other, "<=": one <= other, "==": one == other,
        "!=": one != other, "<": one < other, ">": one > other,
    }[relation]  # fmt: skip


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _database(facts: Facts) -> Iterator[Finding]:
    known = facts.installed.database_knows
    version = None if facts.crew is None else facts.crew["recording"].get("tables_version")
    if version is None or not known:
        return
    tables = f"the tables of the database are of version {version}"
    if version not in known:
        what = f"{tables}, which a newer crewd, or another program, wrote"
        remedy = f"install a crewd that knows it: this one knows up to {known[-1]}"
        yield problem(_AREA, "database-newer", what, remedy=remedy)
    elif version != known[-1]:
        what = f"{tables}; the next start of crewd brings them to {known[-1]}"
        yield note(_AREA, "database-older", what)
