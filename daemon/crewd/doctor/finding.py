"""What a check has to say: what is wrong, where, how bad it is, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; also what could not be looked at."""
    WARNING = "warning"
    """All works, and something may go wrong by it, or is not as it was meant."""
    PROBLEM = "problem"
    """Something does not work, or is not safe."""


class Area(StrEnum):
    """What a check looks at, in the order in which it is told."""

    SOCKETS = "sockets"
    PERMISSIONS = "permissions"
    VERSIONS = "versions"
    ENGINE = "engine"
    DRIFT = "drift"
    LIMITS = "limits"
    CLOCK = "clock"
    WORKERS = "workers"
    LEFTOVERS = "leftovers"
    UNITS = "units"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    severity: Severity
    area: Area
    name: str
    """What kind of finding it is, in a word or two with hyphens: for programs."""
    message: str
    """A sentence without a full stop, with the numbers in it."""
    path: str = ""
    line: int = 0
    """In the file ``path``; 0 where there is none."""
    remedy: str = ""
    """The command that mends it, or what to do; empty where nothing is to be done."""


def problem(area: Area, name: str, message: str, *, path: str = "", line: int = 0, remedy: str = "") -> Finding:
    """Return a problem."""
    return Finding(Severity.PROBLEM, area, name, message, path, line, remedy)


def warning(area: Area, name: str, message: str, *, path: str = "", line: int = 0, remedy: str = "") -> Finding:
    """Return a warning."""
    return Finding(Severity.WARNING, area, name, message, path, line, remedy)


def note(area: Area, name: str, message: str, *, path: str = "", line: int = 0, remedy: str = "") -> Finding:
    """Return a note."""
    return Finding(Severity.NOTE, area, name, message, path, line, remedy)
