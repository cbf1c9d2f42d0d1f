"""What workers wrote, read from their log files. Implements ``reconcile.output.Output``.

Rules:

1. Bounded in time and memory, whatever the files hold: SEARCH_SEC, ANSWER_BYTES, and SEARCHES at once.
2. Files are looked at in threads, a block at a time; searching is done by a child: the loop goes on.
3. Following looks every POLL_SEC, with two system calls: no watch can run out, and no writer can flood us with news.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from crewd.model.home import Home
from crewd.reconcile.output import Line, Lines, NoOutput, OutputQuery, Stream, TooManySearches
from crewd.supervisord.escape import RefusedError
from crewd.supervisord.log_files import LogPath, Tail
from crewd.supervisord.log_lines import shown
from crewd.supervisord.log_times import merged
from crewd.supervisord.newest import Found, matching, newest
from crewd.supervisord.program import NO_LOG, log_file
from crewd.supervisord.sieve import Sieve, sieve

SEARCHES = 8
"""So many children search at once, those of followers included."""
POLL_SEC = 0.2

Tails = Sequence[tuple[Stream, Tail]]


class WorkerOutput:
    """The log files of one installation."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._searches = 0

    async def last(self, query: OutputQuery) -> Lines:
        """Return the newest lines, rotated files read through. Raises NoOutput, BadPattern, TooManySearches."""
        async with self._sieve(query) as found_in, self._tails(query, whole=False) as tails:
            return await _last(tails, query, found_in)

    async def follow(self, query: OutputQuery) -> AsyncGenerator[tuple[Line, ...], None]:
        """Yield the newest lines, then whatever is written, for ever, also across rotation."""
        async with self._sieve(query) as found_in, self._tails(query, whole=True) as tails:
            yield (await _last(tails, query, found_in)).lines
            while True:
                silent = True
                for stream, tail in tails:
                    lines = await asyncio.to_thread(tail.more)
                    silent = silent and lines is None
                    if lines:
                        found = await matching(found_in, b"\n".join(lines))
                        yield tuple(Line(stream, shown(line)) for line in found)
                if silent:
                    await asyncio.sleep(POLL_SEC)

    def _log(self, query: OutputQuery, stream: Stream) -> LogPath:
        whose = f"cannot read {stream} of {query.instance}"
        if stream is Stream.STDERR and query.worker.redirect_stderr:
            raise NoOutput(f"{whose}: it goes to stdout (redirect_stderr)")
        try:
            log = log_file(query.worker, query.instance, stream.value, self._home)
        except RefusedError as refused:
            raise NoOutput(f"{whose}: {refused}") from None
        if log.path == NO_LOG:
            raise NoOutput(f"{whose}: it is not kept ({stream}_logfile: none)")
        return LogPath(log.path, log.backups)

    @asynccontextmanager
    async def _tails(self, query: OutputQuery, *, whole: bool) -> AsyncGenerator[Tails]:
        """Open what there is; raise why not where there is nothing."""
        reasons: list[NoOutput] = []
        tails: list[tuple[Stream, Tail]] = []
        async with AsyncExitStack() as stack:
            for stream in query.streams:
                try:
                    log = self._log(query, stream)
                    tail = await stack.enter_async_context(_opened(log, whole=whole, since=query.since))
                    tails.append((stream, tail))
                except NoOutput as why:
                    reasons.append(why)
            if not tails:
                raise reasons[0]
            yield tails

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
async def _opened(log: LogPath, *, whole: bool, since: float | None) -> AsyncGenerator[Tail]:
    try:
        tail = await asyncio.to_thread(Tail, log, whole=whole, since=since)
    except FileNotFoundError:
        raise NoOutput(f"cannot read {log.path}: there is no such file, for nothing was written yet") from None
    try:
        yield tail
    finally:
        await asyncio.shield(asyncio.to_thread(tail.close))


async def _last(tails: Tails, query: OutputQuery, found_in: Sieve | None) -> Lines:
    """Return the newest lines of all streams together."""
    each: list[tuple[Stream, Found]] = [
        (stream, await newest(tail, query.tail, found_in, query.since)) for stream, tail in tails
    ]
    told = [[Line(stream, text) for text in found.lines] for stream, found in each]
    lines, ordered = await asyncio.to_thread(merged, told, query.tail)
    cut = next((found.cut for _, found in each if found.cut), "")
    return Lines(lines, cut if len(lines) < query.tail else "", all(found.dated for _, found in each), ordered)
