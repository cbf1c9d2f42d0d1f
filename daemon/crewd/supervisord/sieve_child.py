"""A program of its own: the lines of standard input that a regular expression is found in.

It runs as ``python -I -S sieve_child.py`` and imports nothing of crewd. Python's regular expressions may take for
ever, and hold up the whole process while they do: so it is this process, which is nice and has little time, and not
the daemon.

Both ways a frame is four bytes, the length of what follows, and that. The first frame is the pattern, each later one is
a chunk of lines joined by newlines, answered by a frame of those that match, each with a newline.
"""

import os
import re
import signal
import sys
from typing import BinaryIO

CHUNK_CPU_SEC = 2.0
"""Nobody is asked: SIGPROF ends a process that does not expect it."""
LINE_MOST = 64 * 1024


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer frames until there are no more."""
    os.nice(10)
    signal.setitimer(signal.ITIMER_PROF, CHUNK_CPU_SEC)
    search = re.compile(_frame(source).decode()).search
    while header := source.read(4):
        signal.setitimer(signal.ITIMER_PROF, CHUNK_CPU_SEC)
        lines = source.read(int.from_bytes(header, "big")).decode("utf-8", "replace").split("\n")
        found = "".join(f"{line}\n" for line in lines if search(line[:LINE_MOST])).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(len(found).to_bytes(4, "big") + found)
        sink.flush()


def _frame(source: BinaryIO) -> bytes:
    return source.read(int.from_bytes(source.read(4), "big"))


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
