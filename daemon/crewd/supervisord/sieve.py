"""The lines in which a regular expression is found: a child does the searching, see ``sieve_child``."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from crewd.reconcile.output import BadPattern

PATTERN_MOST = 200
ANSWER_SEC = 20.0
"""However busy the machine is: a child that is not done by then is ended."""
CHILD = (sys.executable, "-I", "-S", str(Path(__file__).with_name("sieve_child.py")))
TOO_SLOW = "it takes too long; write it simpler"


def check(pattern: str) -> None:
    """Raise BadPattern where it is no regular expression, or a long one."""
    if len(pattern) > PATTERN_MOST:
        raise BadPattern(f"cannot search: the regular expression has more than {PATTERN_MOST} characters")
    try:
        re.compile(pattern)
        pattern.encode()
    except (re.error, RecursionError, OverflowError, UnicodeError) as cause:
        raise BadPattern(f"cannot search for {pattern!r}: {cause}") from None


class Sieve:
    """A child that runs."""

    def __init__(self, pattern: str, child: asyncio.subprocess.Process) -> None:
        self._pattern = pattern
        self._child = child

    async def matching(self, lines: bytes) -> list[bytes]:
        """Return those of the lines, which are joined by newlines, that match; raises BadPattern."""
        try:
            async with asyncio.timeout(ANSWER_SEC):
                await self.tell(lines)
                header = await self._output.readexactly(4)
                found = await self._output.readexactly(int.from_bytes(header, "big"))
        except (TimeoutError, OSError, EOFError):
            raise BadPattern(f"cannot search for {self._pattern!r}: {TOO_SLOW}") from None
        return found.split(b"\n")[:-1]

    async def tell(self, frame: bytes) -> None:
        """Send a frame."""
        if self._child.stdin is not None:
            self._child.stdin.write(len(frame).to_bytes(4, "big") + frame)
            await self._child.stdin.drain()

    @property
    def _output(self) -> asyncio.StreamReader:
        if self._child.stdout is None:
            raise EOFError
        return self._child.stdout


@asynccontextmanager
async def sieve(pattern: str) -> AsyncGenerator[Sieve]:
    """Let a child run for the time of the block; raises BadPattern."""
    check(pattern)
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *CHILD, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env={}, start_new_session=True
    )
    try:
        made = Sieve(pattern, child)
        await made.tell(pattern.encode())
        yield made
    finally:
        await _end(child)


async def _end(child: asyncio.subprocess.Process) -> None:
    """Leave no zombie behind, however this is left."""
    if child.returncode is None:
        try:
            child.kill()
        except ProcessLookupError:
            pass
    await asyncio.shield(child.wait())
