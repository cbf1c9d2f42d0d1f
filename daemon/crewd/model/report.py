"""What a worker says of itself: that it lives and what it is busy with, and what it wants written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class LogKind(StrEnum):
    """What an entry of the workers' log is about."""

    LIFECYCLE = "lifecycle"
    """crewd tells it: a start, an end, a verdict, a command. An event of the journal."""
    TASK = "task"
    """The worker tells what it does."""
    ERROR = "error"
    """The worker tells what went wrong."""


class Level(StrEnum):
    """How much an entry matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An instance said that it lives. What it did not say is None."""

    at: float
    """When crewd heard it, in unix seconds."""
    boottime: float
    """The same by CLOCK_BOOTTIME."""
    assigned_accounts: int | None = None
    active_tasks: int | None = None
    error_count: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Pulse:
    """The last heartbeat of an instance, and whether it is missed."""

    heartbeat: Heartbeat | None = None
    """None: none was ever heard."""
    stale: bool = False
    """Whether the next one is overdue."""
    stale_count: int = 0
    """How often one was."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Something that an instance wants written down."""

    at: float
    """Unix seconds."""
    instance: str
    kind: LogKind
    level: Level
    message: str
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    id: int = 0
    """Its place among all; 0 before it is stored."""
