"""What the loop needs of the world, as ports. ``crewd.supervisord`` has the real parts, ``crewd.testing`` the fakes.

Rules:

1. Whatever may fail answers with a value or raises TargetError; nothing else comes through.
2. Every call has a deadline of its own; only ``Process.ended`` and ``Journal.follow`` wait for ever.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from crewd.errors import TargetError
from crewd.model.facts import Event

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

    @property
    def spoken(self) -> bool:
        """Whether this daemon may tell it to do anything."""
        return self.rpc == RPC_VERSION


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of one generation that were read together, in order.

    ``history`` until the follower has caught up for the first time; an empty batch with ``history`` False says so.
    """

    generation: str
    events: tuple[Event, ...]
    history: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """The configuration was rendered and is in force; ``plan`` names or counts instances by what happened to them."""

    name: str
    changed: bool
    plan: Mapping[str, int | tuple[str, ...]] = field(default_factory=dict[str, int | tuple[str, ...]])
    warnings: tuple[str, ...] = ()
    told: bool = False
    """Whether a running engine took it over."""


@dataclass(frozen=True, slots=True)
class ApplyRefused:
    """The configuration is wrong: one line per mistake. Nothing was changed."""

    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApplyFailed:
    """The configuration could not be applied for another reason."""

    message: str


ApplyResult = Applied | ApplyRefused | ApplyFailed


class Engine(Protocol):
    """supervisord with crewd's engine, over XML-RPC."""

    async def version(self) -> EngineVersion:
        """Return who answers. Raises EngineAbsent, ForeignSupervisord, or another TargetError."""
        ...

    async def acknowledge(self, generation: str, sequence: int) -> None:
        """Let the engine remove the journal up to and including this line."""
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

    def follow(self) -> AsyncGenerator[Batch, None]:
        """Yield all lines from the newest snapshot on, then whatever is appended, for ever."""
        ...

    def surplus(self) -> tuple[str, int] | None:
        """Return the last line, as generation and sequence, that nobody needs any more; None where there is none."""
        ...


class Applier(Protocol):
    """Renders the configuration and puts it in force."""

    async def apply(self) -> ApplyResult:
        """Load, render, verify, switch, and tell a running engine."""
        ...


class Reaper(Protocol):
    """Ends workers that a killed supervisord left behind when no other will come to do it."""

    def end(self, left: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
        """Kill these, by instance: pid and start time in ticks. Return the instances that were still alive."""
        ...


class ServiceManager(Protocol):
    """Who wants to know how the daemon is: systemd, or nobody."""

    def notify(self, *lines: str) -> None:
        """Send one message, ``KEY=value`` each; never fails."""
        ...


class Clock(Protocol):
    """Elapsed time."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back after so many seconds."""
        ...
