"""The stamp file: who came to life when, in the workers' own words.

One record for each start of a worker, appended by ``stamper.c``. Everything that the bench knows of pids and times
comes from here, the same for every peer.
"""

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RECORD = struct.Struct("=IIQ")


@dataclass(frozen=True, slots=True)
class Stamp:
    """One start: the pid, and CLOCK_MONOTONIC in ns at the worker's main."""

    pid: int
    ns: int


class Stamps:
    """The starts of the slots 0..n-1, oldest first."""

    def __init__(self, path: Path, n: int) -> None:
        path.write_bytes(b"")
        self.path = path
        self.starts: list[list[Stamp]] = [[] for _ in range(n)]
        self._file = path.open("rb", buffering=0)

    def read(self) -> None:
        """Take in what was appended since; records are written whole, so none is ever torn."""
        for slot, pid, ns in RECORD.iter_unpack(self._file.read()):
            self.starts[slot].append(Stamp(pid, ns))

    def last(self, slot: int) -> Stamp:
        """The slot's present process."""
        return self.starts[slot][-1]

    def counts(self) -> list[int]:
        """How often each slot was started."""
        return [len(starts) for starts in self.starts]

    def wait(self, done: Callable[[], bool], timeout_sec: float, every_sec: float) -> bool:
        """Read until ``done()``; return whether it came to pass in time."""
        end = time.monotonic() + timeout_sec
        while True:
            self.read()
            if done():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(every_sec)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)
