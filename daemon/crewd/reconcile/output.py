"""What the workers wrote, as a port. ``crewd.supervisord.output`` has the real one.

Rules:

1. Lines are UTF-8 without their newline: bytes that are none are replaced, and what is longer than a bound is cut.
2. A reader never slows a worker: it reads files, and the worker knows nothing of it.
3. Nobody notes when a line was written: its time is the one that it begins with itself, else that of the line before
   it, and where there is none either it is not known. What is made of times says whether they were.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

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
    streams: tuple[Stream, ...] = (Stream.STDOUT,)
    """Of several, one that is not kept is passed over, unless none is."""
    tail: int = 100
    """The newest so many; with ``grep``, of those that match."""
    grep: str | None = None
    """A regular expression of Python, searched for in each line."""
    since: float | None = None
    """Unix seconds: nothing that is known to be older."""


class Line(NamedTuple):
    """One line, and where it was written to."""

    stream: Stream
    text: bytes


@dataclass(frozen=True, slots=True)
class Lines:
    """The newest lines."""

    lines: tuple[Line, ...]
    """In the order in which they were written, as far as that is known."""
    cut: str = ""
    """Why there are not more, where there might be; else empty."""
    dated: bool = True
    """Whether all of them are known to be no older than was asked for."""
    ordered: bool = True
    """Whether lines of several streams are in the order of their times; else all of one come before all of the next."""


class Output(Protocol):
    """The files."""

    async def last(self, query: OutputQuery) -> Lines:
        """Return the newest lines, rotated files read through. Raises NoOutput, BadPattern, TooManySearches."""
        ...

    def follow(self, query: OutputQuery) -> AsyncGenerator[tuple[Line, ...], None]:
        """Yield the newest lines, then whatever is written, for ever, also across rotation.

        Raises NoOutput, BadPattern, TooManySearches; what can be told beforehand is told at the first step.
        """
        ...
