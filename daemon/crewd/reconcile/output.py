"""What the workers wrote, as a port. ``crewd.supervisord.output`` has the real one.

Rules:

1. Lines are UTF-8 without their newline: bytes that are none are replaced, and what is longer than a bound is cut.
2. A reader never slows a worker: it reads files, and the worker knows nothing of it.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from crewd.errors import CrewdError
from crewd.model.spec import WorkerSpec


class Stream(StrEnum):
    """Which output."""

    STDOUT = "stdout"
    STDERR = "stderr"


class NoOutput(CrewdError):  # noqa: N818 - a state of the world
    """There is no file to read, for the reason that the message gives."""


class BadPattern(CrewdError):  # noqa: N818 - a mistake of who asks, not of crewd's
    """The regular expression is none, or takes too long."""


class TooManySearches(CrewdError):  # noqa: N818 - a state of the world
    """Others search just now; later it will do."""


@dataclass(frozen=True, slots=True)
class OutputQuery:
    """Whose output, and how much of it."""

    worker: WorkerSpec
    instance: str
    stream: Stream = Stream.STDOUT
    lines: int = 100
    """The newest so many; with ``grep``, of those that match."""
    grep: str | None = None
    """A regular expression of Python, searched for in each line."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The newest lines, in the order in which they were written."""

    lines: tuple[bytes, ...]
    cut: str = ""
    """Why there are not more, where there might be; else empty."""


class Output(Protocol):
    """The files."""

    async def last(self, query: OutputQuery) -> Lines:
        """Return the newest lines, rotated files read through. Raises NoOutput, BadPattern, TooManySearches."""
        ...

    def follow(self, query: OutputQuery) -> AsyncGenerator[tuple[bytes, ...], None]:
        """Yield the newest lines, then whatever is written, for ever, also across rotation.

        Raises NoOutput, BadPattern, TooManySearches; what can be told beforehand is told at the first step.
        """
        ...
