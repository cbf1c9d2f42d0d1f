"""What workers wrote, read from their log files. Implements ``reconcile.output.Output``.

Rules:

1. Bounded in time and memory, whatever the files hold: SEARCH_SEC, ANSWER_BYTES, and SEARCHES at once.
2. Files are looked at in threads, a block at a time; searching is done by a child: the loop goes on.
3. Following looks every POLL_SEC, with two system calls: no watch can run out, and no writer can flood us with news.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from crewd.model.home import Home
from crewd.reconcile.output import Lines, NoOutput, OutputQuery, Stream, TooManySearches
from crewd.supervisord.escape import RefusedError
from crewd.supervisord.log_files import LogPath, Tail
from crewd.supervisord.log_lines import shown
from crewd.supervisord.program import NO_LOG, log_file
from crewd.supervisord.sieve import Sieve, sieve

SEARCH_SEC = 10.0
ANSWER_BYTES = 8 * 1024 * 1024
SEARCHES = 8
"""So many children search at once, those of followers included."""
POLL_SEC = 0.2


class WorkerOutput:
    """The log files of one installation."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._searches = 0

    async def last(self, query: OutputQuery) -> Lines:
        """Return the newest lines, rotated files read through. Raises NoOutput, BadPattern, TooManySearches."""
        async with self._sieve(query) as found_in, _opened(self._log(query), whole=False) as tail:
            return await _newest(tail, query.lines, found_in)

    async def follow(self, query: OutputQuery) -> AsyncGenerator[tuple[bytes, ...], None]:
        """Yield the newest lines, then whatever is written, for ever, also across rotation."""
        async with self._sieve(query) as found_in, _opened(self._log(query), whole=True) as tail:
            yield (await _newest(tail, query.lines, found_in)).lines
            while True:
                lines = await asyncio.to_thread(tail.more)
                if lines is None:
                    await asyncio.sleep(POLL_SEC)
                elif lines:
                    yield tuple(map(shown, await _matching(found_in, b"\n".join(lines))))

    def _log(self, query: OutputQuery) -> LogPath:
        whose = f"cannot read {query.stream} of {query.instance}"
        if query.stream is Stream.STDERR and query.worker.redirect_stderr:
            raise NoOutput(f"{whose}: it goes to stdout (redirect_stderr)")
        try:
            log = log_file(query.worker, query.instance, query.stream.value, self._home)
        except RefusedError as refused:
            raise NoOutput(f"{whose}: {refused}") from None
        if log.path == NO_LOG:
            raise NoOutput(f"{whose}: it is not kept ({query.stream}_logfile: none)")
        return LogPath(log.path, log.backups)

    @asynccontextmanager
    async def _sieve(self, query: OutputQuery) -> AsyncGenerator[Sieve | None]:
        if query.grep is None:
            yield None
            return
        with self._counted():
            async with sieve(query.grep) as made:
                yield made

    @contextmanager
    def _counted(self) -> Generator[None]:
        if self._searches >= SEARCHES:
            raise TooManySearches(f"cannot search now: {SEARCHES} searches are under way")
        self._searches += 1
        try:
            yield
        finally:
            self._searches -= 1


@asynccontextmanager
async def _opened(log: LogPath, *, whole: bool) -> AsyncGenerator[Tail]:
    try:
        tail = await asyncio.to_thread(Tail, log, whole=whole)
    except FileNotFoundError:
        raise NoOutput(f"cannot read {log.path}: there is no such file, for nothing was written yet") from None
    try:
        yield tail
    finally:
        await asyncio.shield(asyncio.to_thread(tail.close))


async def _newest(tail: Tail, count: int, found_in: Sieve | None) -> Lines:
    """Return the newest ``count`` lines that match."""
    found: list[bytes] = []
    size, until, cut = 0, time.monotonic() + SEARCH_SEC, ""
    while len(found) < count and not cut:
        chunk = await asyncio.to_thread(tail.older)
        if chunk is None:
            break
        lines = [shown(line) for line in (await _matching(found_in, chunk))[-(count - len(found)) :]]
        found[:0] = lines
        size += sum(map(len, lines))
        cut = _cut(size, until)
    return Lines(tuple(found), cut if len(found) < count else "")


def _cut(size: int, until: float) -> str:
    if size > ANSWER_BYTES:
        return f"more than {ANSWER_BYTES // 1024 // 1024} MiB"
    return f"more than {SEARCH_SEC:g} s" if time.monotonic() > until else ""


async def _matching(found_in: Sieve | None, lines: bytes) -> list[bytes]:
    return lines.split(b"\n") if found_in is None else await found_in.matching(lines)
