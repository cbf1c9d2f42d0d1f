"""What the daemon can decide to do: frozen, carried out by the loop in order. What comes back is said of each."""

from collections.abc import Iterator
from dataclasses import dataclass

from crewd.reconcile.narrative import Say

EX_FAILED = 1


@dataclass(frozen=True, slots=True)
class Look:
    """Ask whether a supervisord answers. Comes back as ``found``, ``absent``, ``unanswered`` or ``foreign``."""

    after_sec: float = 0.0


@dataclass(frozen=True, slots=True)
class Apply:
    """Render and apply. Comes back as ``applied``."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start supervisord. Comes back as ``spawned`` and ``answered``, or ``not_spawned``; then, one day, ``ended``."""


@dataclass(frozen=True, slots=True)
class Attach:
    """Watch a supervisord that runs. Comes back, one day, as ``ended``."""

    pid: int


@dataclass(frozen=True, slots=True)
class Terminate:
    """End supervisord gracefully. Comes back as ``ended``, or as ``overdue`` after ``within_sec``."""

    within_sec: float


@dataclass(frozen=True, slots=True)
class Kill:
    """End supervisord at once, and then what is left of its workers. Comes back as ``ended``."""


@dataclass(frozen=True, slots=True)
class Reap:
    """End what a supervisord of ours left behind, if it did not say that it stopped its workers."""


@dataclass(frozen=True, slots=True)
class Revive:
    """Ask for a start of what is lost of the essential workers: a new supervisord leaves down what was given up."""


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the service manager; the status line is added."""

    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exit:
    """End the daemon. ``complaint`` goes to standard error as it is."""

    code: int
    complaint: tuple[str, ...] = ()


Action = Look | Apply | Start | Attach | Terminate | Kill | Reap | Revive | Notify | Exit | Say
Actions = Iterator[Action]
