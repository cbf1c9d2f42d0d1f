"""The newest lines of one log: as many as are wanted, that match, and that are not too old."""

import asyncio
import time
from dataclasses import dataclass

from crewd.supervisord.log_files import Tail
from crewd.supervisord.log_lines import shown
from crewd.supervisord.log_times import part
from crewd.supervisord.sieve import Sieve

SEARCH_SEC = 10.0
ANSWER_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """The lines, in the order in which they were written; ``cut`` and ``dated`` as of ``reconcile.output.Lines``."""

    lines: tuple[bytes, ...]
    cut: str = ""
    dated: bool = True


class _Newest:
    """What was found so far; ``undated``, which lies before it, waits for older lines that say a time."""

    def __init__(self, count: int, found_in: Sieve | None) -> None:
        self.lines: list[bytes] = []
        self._undated: list[bytes] = []
        self._count = count
        self._found_in = found_in
        self._until = time.monotonic() + SEARCH_SEC
        self._size = 0
        self.cut = ""

    @property
    def full(self) -> bool:
        """Whether nothing more is wanted, or may be looked for."""
        return len(self.lines) >= self._count or bool(self.cut)

    async def take(self, chunk: bytes) -> None:
        """Take lines that lie right before those that came last."""
        self.lines[:0] = await self._matching(chunk, self._count - len(self.lines))

    async def take_since(self, chunk: bytes, since: float) -> bool:
        """Take those that are not too old; return whether all before them is."""
        found = await asyncio.to_thread(part, chunk, since)
        if found.newest is not None:
            if found.newest >= since:
                self.lines[:0] = self._undated
            self._undated = []
        if found.body is not None:
            await self.take(found.body)
        if found.head is not None:
            room = self._count - len(self.lines) - len(self._undated)
            self._undated[:0] = await self._matching(found.head, room)
        return found.ends or (found.newest is None and len(self.lines) + len(self._undated) >= self._count)

    def found(self) -> Found:
        """Return all of it; of what time the lines are whose time nobody said is not known."""
        dated, lines = not self._undated, [*self._undated, *self.lines]
        return Found(tuple(lines), self.cut if len(lines) < self._count else "", dated)

    async def _matching(self, chunk: bytes, room: int) -> list[bytes]:
        found = await matching(self._found_in, chunk)
        lines = [shown(line) for line in found[max(0, len(found) - max(0, room)) :]]
        self._size += sum(map(len, lines))
        if self._size > ANSWER_BYTES:
            self.cut = f"more than {ANSWER_BYTES // 1024 // 1024} MiB"
        elif time.monotonic() > self._until:
            self.cut = f"more than {SEARCH_SEC:g} s"
        return lines


async def newest(tail: Tail, count: int, found_in: Sieve | None, since: float | None) -> Found:
    """Return the newest ``count`` lines that match and are not known to be older than ``since``."""
    found = _Newest(count, found_in)
    while not found.full:
        chunk = await asyncio.to_thread(tail.older)
        if chunk is None:
            break
        if since is None:
            await found.take(chunk)
        elif await found.take_since(chunk, since):
            break
    return found.found()


async def matching(found_in: Sieve | None, lines: bytes) -> list[bytes]:
    """Return those of the lines, which are joined by newlines, that match."""
    return lines.split(b"\n") if found_in is None else await found_in.matching(lines)
