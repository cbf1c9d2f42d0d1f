"""What happened: one frozen dataclass per kind of journal line.

The class decides the line's ``type``; the fields are its JSON members. Times named ``*_at`` are
CLOCK_BOOTTIME seconds; durations end in ``_sec``. ``instance`` is always the program's name, ``web-0``.
Adding a field with a default keeps ``JOURNAL_VERSION``; anything else raises it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crewd.model.reasons import Cause, Reason, Verdict
from crewd.model.states import ProcessState

JOURNAL_VERSION = 1


@dataclass(frozen=True, slots=True)
class GenerationBegan:
    """supervisord started (or reloaded itself): a new numbering begins at sequence 1."""

    generation: str
    boot_id: str
    pid: int
    engine_version: str
    supervisor_version: str
    mode: str
    mode_reason: str
    previous: str | None = None
    previous_sequence: int = 0
    """The last sequence read back of the previous generation."""
    clean: bool = True
    """Whether the previous generation ended in order."""


@dataclass(frozen=True, slots=True)
class GenerationEnded:
    """supervisord stopped in order, or is about to reload. ``how``: ``shutdown`` or ``reload``."""

    how: str


@dataclass(frozen=True, slots=True)
class SegmentOpened:
    """The first line of every segment: the records of all instances as of ``sequence - 1``."""

    generation: str
    boot_id: str
    records: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class TableApplied:
    """The engine took over a policy table."""

    table: str
    """The name of the generation folder it came from."""
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Removed:
    """The instance is no longer part of the crew; its record is forgotten."""

    instance: str


@dataclass(frozen=True, slots=True)
class Commanded:
    """Somebody asked for something. ``verb``: start, stop, restart, reset_failed."""

    instance: str
    verb: str
    who: str
    through: str


@dataclass(frozen=True, slots=True)
class StateChanged:
    """supervisord's own state machine took a step."""

    instance: str
    from_state: ProcessState
    to_state: ProcessState


@dataclass(frozen=True, slots=True)
class Starting:
    """A spawn is about to be tried. ``token`` is in the child's environment as CREWD_SPAWN."""

    instance: str
    token: str
    cause: Cause
    fingerprint: str = ""
    """Of all settings that a change of needs a restart for."""
    settings: str = ""
    """Of all settings."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """The process exists. ``start_ticks`` is field 22 of /proc/PID/stat: pid and start time name a process for ever."""

    instance: str
    token: str
    pid: int
    start_ticks: int
    method: str = ""
    """posix_spawn, popen or stock."""
    lag_sec: float | None = None
    """Due to spawn; None where nothing was due."""


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """No process came to be. ``step``: exec, chdir, pipes, fork."""

    instance: str
    token: str
    step: str
    errno: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The process ran ``start_success_sec``."""

    instance: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process ended; the truth from the wait status. Exactly one of ``code`` and ``signal`` is set."""

    instance: str
    token: str
    pid: int
    reason: Reason
    code: int | None
    signal: int | None
    core: bool
    ran_sec: float
    commanded: bool = False
    """A stop was under way: no verdict falls."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict fell on the end of a run, or on a spawn that failed."""

    instance: str
    reason: Reason
    verdict: Verdict
    delay_sec: float | None = None
    """With Restarted: the delay as drawn, jitter included."""
    due_at: float | None = None
    """With Restarted: when the spawn is due."""
    fresh: bool = False
    """The run was long enough to begin a new history."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The process was running, or was being started, when an earlier supervisord died."""

    instance: str
    token: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class LeftoverEnded:
    """A process that an earlier supervisord left behind was killed."""

    instance: str
    token: str
    pid: int


@dataclass(frozen=True, slots=True)
class FaultCaught:
    """The engine itself failed somewhere, and supervisord went on by its own means."""

    where: str
    error: str
    instance: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Gap:
    """Lines could not be written and were dropped: sequence ``first`` to ``last``."""

    first: int
    last: int
    lost: int


@dataclass(frozen=True, slots=True)
class ClockJumped:
    """The wall clock was set."""

    by_sec: float


Fact = (
    GenerationBegan
    | GenerationEnded
    | SegmentOpened
    | TableApplied
    | Removed
    | Commanded
    | StateChanged
    | Starting
    | Spawned
    | SpawnFailed
    | Succeeded
    | Exited
    | Judged
    | Lost
    | LeftoverEnded
    | FaultCaught
    | Gap
    | ClockJumped
)


@dataclass(frozen=True, slots=True)
class Event:
    """A fact at its place: sequence number inside the generation, boot clock and wall clock in seconds."""

    sequence: int
    boottime: float
    at: float
    fact: Fact
