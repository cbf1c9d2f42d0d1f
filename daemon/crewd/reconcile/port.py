"""What the loop needs of the world, as ports. ``crewd.supervisord`` has the real parts, ``crewd.testing`` the fakes.

Rules:

1. Whatever may fail answers with a value or raises TargetError; nothing else comes through.
2. Every call has a deadline of its own; only ``Process.ended`` and ``Journal.follow`` wait for ever.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from crewd.errors import TargetError
from crewd.model.facts import Event
from crewd.model.offer import Offer, Ruling

RPC_VERSION = 1
"""The version of the engine's RPC that this daemon speaks."""


class EngineAbsent(TargetError):  # noqa: N818 - a state of the world
    """Nobody listens on supervisord's socket."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class ForeignSupervisord(TargetError):  # noqa: N818 - a state of the world
    """Somebody listens there, but it is no supervisord with crewd's engine in it."""


class EngineFault(TargetError):  # noqa: N818 - supervisor calls it so
    """The engine, or supervisord, said no. ``code`` is supervisor's fault code."""

    def __init__(self, message: str, code: int, *, retryable: bool = False) -> None:
        self.code = code
        super().__init__(message, retryable=retryable)


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """Who answers on supervisord's socket."""

    rpc: int
    engine: str
    supervisor: str
    pid: int
    generation: str
    table: str = ""
    """The name of the policy table in force."""
    mode: str = ""
    mode_reason: str = ""
    sequence: int = 0
    """The last sequence number that the journal gave out."""
    journal_error: str = ""
    """Why the journal cannot be written now; empty where it can."""
    drift: tuple[str, ...] = ()
    """Where supervisord differs from what is in force, in sentences."""

    @property
    def spoken(self) -> bool:
        """Whether this daemon may tell it to do anything."""
        return self.rpc == RPC_VERSION


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the journal: the last line that is dealt with. Sorts as the lines were written."""

    generation: str = ""
    sequence: int = 0


BEGINNING = Position()


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of one generation that were read together, in order.

    ``history`` until the follower has caught up for the first time; an empty batch with ``history`` False says so.
    """

    generation: str
    events: tuple[Event, ...]
    history: bool = False
    lines: tuple[bytes, ...] = ()
    """The line of each event as it was written, without its newline."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The configuration was rendered and is in force; ``plan`` names or counts instances by what happened to them."""

    name: str
    changed: bool
    plan: Mapping[str, int | tuple[str, ...]] = field(default_factory=dict[str, int | tuple[str, ...]])
    warnings: tuple[str, ...] = ()
    told: bool = False
    """Whether a running engine took it over."""
    unconfirmed: str = ""
    """Why it is not known whether a running engine took it over; empty where it is known."""
    offers: tuple[Offer, ...] = ()
    """The workers made over the API that it was given."""
    rulings: Mapping[str, Ruling] = field(default_factory=dict[str, Ruling])
    """What was ruled on each of them."""


@dataclass(frozen=True, slots=True)
class ApplyRefused:
    """The configuration is wrong: one line per mistake. Nothing was changed."""

    problems: tuple[str, ...]
    standing: bool = False
    """The last good rendering is there."""


@dataclass(frozen=True, slots=True)
class ApplyFailed:
    """The configuration could not be applied for another reason."""

    message: str
    standing: bool = False
    """A source of it could not be read now; the last good rendering is there, and to go on with."""


ApplyResult = Applied | ApplyRefused | ApplyFailed


class Verb(StrEnum):
    """What can be asked of instances. Queued by the engine: the journal tells when it happened."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    RESET_FAILED = "reset_failed"


class Engine(Protocol):
    """supervisord with crewd's engine, over XML-RPC."""

    async def version(self) -> EngineVersion:
        """Return who answers. Raises EngineAbsent, ForeignSupervisord, or another TargetError."""
        ...

    async def acknowledge(self, generation: str, sequence: int) -> None:
        """Let the engine remove the journal up to and including this line."""
        ...

    async def command(
        self, verb: Verb, instances: Sequence[str], who: str, *, force: bool = False
    ) -> Mapping[str, str]:
        """Ask for it; return what was done, in words, by instance. ``force``: what is stopped is killed at once."""
        ...

    async def why(self, instance: str) -> Mapping[str, Any]:
        """Return the instance's last exits, the verdicts, its policy: ``crewd.why`` of docs/reference/engine-rpc.md."""
        ...

    async def shutdown(self) -> None:
        """Ask supervisord to end, with all workers."""
        ...


class Process(Protocol):
    """A supervisord that runs, whoever started it."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    async def ended(self) -> int | None:
        """Wait for its end; return its exit code, negative for a signal, None where it is not our child."""
        ...

    def terminate(self) -> None:
        """Ask it to end gracefully."""
        ...

    def kill(self) -> None:
        """End it at once. Its workers live on."""
        ...


class Launcher(Protocol):
    """Starts supervisord, or takes one over."""

    def start(self) -> Process:
        """Start it on the rendering in force; raises TargetError."""
        ...

    def attach(self, pid: int) -> Process:
        """Watch one that runs; raises TargetError where there is none."""
        ...

    def last_words(self) -> str:
        """Return what the last one started here said on its standard error, a few lines at most."""
        ...


class Journal(Protocol):
    """The engine's journal."""

    def follow(self, after: Position | None = None) -> AsyncGenerator[Batch, None]:
        """Yield all lines from the newest snapshot on, then whatever is appended, for ever.

        With ``after``, all lines behind that place instead, from whichever generations there still are.
        """
        ...


class Applier(Protocol):
    """Renders the configuration and puts it in force."""

    async def apply(self) -> ApplyResult:
        """Load, render, verify, switch, and tell a running engine."""
        ...


class Renderer(Protocol):
    """Renders the file and workers made over the API together."""

    async def apply(self, offers: Sequence[Offer]) -> ApplyResult:
        """Load, admit, render, verify, switch, and tell a running engine."""
        ...

    async def check(self, offers: Sequence[Offer]) -> ApplyResult:
        """Load, admit, render and verify; touch nothing."""
        ...


class Reaper(Protocol):
    """Ends workers that a killed supervisord left behind when no other will come to do it."""

    def end(self, left: Mapping[str, tuple[int, int]], tokens: Mapping[str, str]) -> tuple[str, ...]:
        """Kill these; return the instances that were still alive.

        ``left``: by instance, pid and start time in ticks. ``tokens``: instances by the CREWD_SPAWN of a process whose
        pid nobody could note any more.
        """
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """What an instance uses, all processes that descend from it included. None where it may not be read."""

    cpu_sec: float
    """Since it started, ended children included."""
    cpu_share: float
    """Of one core, since it was sampled before: 1.0 is a whole core."""
    rss_bytes: int
    pss_bytes: int | None
    open_fds: int | None
    processes: int


class Sampler(Protocol):
    """Looks at /proc."""

    def sample(self, running: Mapping[str, tuple[int, int]]) -> Mapping[str, Usage]:
        """Return what these use, by instance: pid and start time in ticks. Blocks for a while; never fails."""
        ...


class ServiceManager(Protocol):
    """Who wants to know how the daemon is: systemd, or nobody."""

    def notify(self, *lines: str) -> None:
        """Send one message, ``KEY=value`` each; never fails."""
        ...


class Clock(Protocol):
    """Time."""

    def time(self) -> float:
        """Return unix seconds, by the wall clock."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some fixed point."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back after so many seconds."""
        ...
