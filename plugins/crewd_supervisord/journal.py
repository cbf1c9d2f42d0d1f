"""The journal's writer: one line per fact, written before the fact is acted on.

Rules:

1. ``<directory>/<generation>/<first sequence>.jsonl``; every segment opens with a snapshot of all records.
2. A line is one write(2). What cannot be written waits in bounded memory; beyond the bound the oldest are dropped,
   and one gap line, which carries the last dropped sequence, says how many. Then a new segment begins.
3. A line written in part is cut off again before anything is added behind it.
4. A segment goes when all its lines are acknowledged; the oldest go, counted, beyond MOST_BYTES. Never the current one.
5. Nothing here raises: supervision goes on without a journal.
"""

import errno
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crewd.model import journal_line
from crewd.model.facts import Event, Fact, Gap, SegmentOpened
from crewd.model.spec import JournalSync
from crewd_supervisord.clock import boottime

SEGMENT_BYTES = 16 * 1024 * 1024
MOST_BYTES = 1024 * 1024 * 1024
WAITING_BYTES = 8 * 1024 * 1024
ROLL_AGAIN_SEC = 5.0
"""How long after a segment could not be begun it is tried again."""
GENERATION_DIGITS = 8
"""A generation's name begins with its number, of so many digits."""
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
_TAKE_OVER = os.O_WRONLY | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_WAITING = "write journal: {}; events wait in memory"
_GOES_ON = "begin a segment of the journal: {}; the present one goes on"


def segment_name(first: int) -> str:
    """Return the file name of the segment whose first line has this sequence."""
    return f"{first:020d}.jsonl"


class Journal:
    """Writes one generation. ``error`` is the last failure in words, None when all is well."""

    def __init__(
        self,
        directory: str,
        generation: str,
        boot_id: str,
        snapshot: Callable[[], Mapping[str, Mapping[str, Any]]],
        complain: Callable[[str], None],
        sync: JournalSync = JournalSync.NONE,
    ) -> None:
        self.directory = directory
        self.generation = generation
        self.sequence = 0
        self.lost = 0
        self.discarded_bytes = 0
        self.error: str | None = None
        self.sync = sync
        self._boot_id = boot_id
        self._snapshot = snapshot
        self._complain = complain
        self._fd = -1
        self._size = 0
        self._dirty = False
        self._unsynced = False
        """The last fdatasync failed, so that ``error`` stands until one succeeds."""
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._waiting_bytes = 0
        self._gap: tuple[int, int] | None = None
        self._segments = list(_existing(directory))
        self._full_from = 0
        self._roll_at = 0.0
        """When, on the boot clock, a segment that could not be begun is tried again at the soonest."""
        self._needed: tuple[str, int] | None = None
        """The newest segment whose snapshot is on disk: with it and what follows, the next generation begins."""

    @property
    def bytes_kept(self) -> int:
        """How much the journal occupies on disk."""
        return sum(size for _, _, size in self._segments) + self._size

    def open(self) -> None:
        """Begin the first segment."""
        self._roll()

    def next_sequence(self) -> int:
        """Return the number that the next fact's line will have: a segment that is due takes its own before it."""
        if self._size >= self._full_from + SEGMENT_BYTES and not self._waiting:
            self._roll()
        return self.sequence + 1

    def append(self, fact: Fact) -> Event:
        """Give the fact its sequence number and write it; returns the event."""
        self.next_sequence()
        event = self._event(fact)
        self._put(event.sequence, journal_line.encode(event).encode())
        return event

    def passed(self) -> None:
        """Force to disk what this pass of the loop wrote, if so configured."""
        if self._dirty and self.sync is JournalSync.PASS:
            self._fdatasync()

    def tick(self) -> None:
        """Do what is done once a second: write what waits, force to disk, look whether the file is still there.

        And begin the segment that could not be begun: nothing else would end its error.
        """
        if self._waiting or self._gap is not None or self._fd < 0:
            self._retry()
        elif self._removed():
            self._complain("the journal was removed by somebody; it is begun anew")
            self._roll()
        elif self.error is not None and not self._unsynced and boottime() >= self._roll_at:
            self._roll_again()
        if self._dirty and self.sync is JournalSync.INTERVAL:
            self._fdatasync()

    def acknowledge(self, generation: str, sequence: int) -> None:
        """Remove the segments whose every line is known elsewhere: up to ``sequence`` of ``generation``."""
        ordered = self._segments
        kept: list[tuple[str, int, int]] = []
        for number, (name, first, size) in enumerate(ordered):
            following = ordered[number + 1] if number + 1 < len(ordered) else None
            last = following[1] - 1 if following and following[0] == name else None
            done = name < generation or (name == generation and last is not None and last <= sequence)
            if done and self._needed is not None and (name, first) < self._needed:
                self._unlink(name, first)
            else:
                kept.append((name, first, size))
        self._segments = kept

    def close(self) -> None:
        """Write what can still be written, and close."""
        if self._waiting:
            self._retry()
        self._close_file()

    def _event(self, fact: Fact) -> Event:
        self.sequence += 1
        return Event(self.sequence, round(boottime(), 6), round(time.time(), 6), fact)

    def _put(self, sequence: int, line: bytes) -> None:
        if self._waiting or self._gap is not None or not self._write(line):
            self._wait(sequence, line)

    def _write(self, line: bytes) -> bool:
        if self._fd < 0:
            return False
        try:
            written = os.write(self._fd, line)
            if written != len(line):
                self._cut_off()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as cause:
            self._fail(cause)
            return False
        self._size += written
        self._dirty = True
        return True

    def _cut_off(self) -> None:
        """Remove what was written of a line; where that fails too, nothing more goes into this file."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._close_file()

    def _wait(self, sequence: int, line: bytes) -> None:
        self._waiting.append((sequence, line))
        self._waiting_bytes += len(line)
        while self._waiting_bytes > WAITING_BYTES:
            dropped, gone = self._waiting.popleft()
            self._waiting_bytes -= len(gone)
            self.lost += 1
            self._gap = (self._gap[0] if self._gap else dropped, dropped)

    def _retry(self) -> None:
        if self._fd < 0 and not self._open_file(self._first_waiting()):
            return
        if self._gap is not None and not self._write_gap(*self._gap):
            return
        while self._waiting:
            if not self._write(self._waiting[0][1]):
                return
            _, line = self._waiting.popleft()
            self._waiting_bytes -= len(line)
        if self.error is not None:
            self._complain(f"journal is written again; {self.lost} lines lost in all")
            self.error = None
            self._roll()

    def _first_waiting(self) -> int:
        if self._gap is not None:
            return self._gap[1]
        return self._waiting[0][0] if self._waiting else self.sequence + 1

    def _write_gap(self, first: int, last: int) -> bool:
        gap = Event(last, round(boottime(), 6), round(time.time(), 6), Gap(first, last, last - first + 1))
        if not self._write(journal_line.encode(gap).encode()):
            return False
        self._gap = None
        return True

    def _roll(self) -> None:
        """Begin a new segment with a snapshot; go on in the present one where there can be no new one."""
        if not self._open_file(self.sequence + 1) and self._fd >= 0:
            self._full_from = self._size  # no event tries again, before there is as much
            self._roll_at = boottime() + ROLL_AGAIN_SEC
            return
        opened = self._event(SegmentOpened(self.generation, self._boot_id, self._snapshot()))
        self._put(opened.sequence, journal_line.encode(opened).encode())
        self._full_from = self._size  # a snapshot that is larger than a segment leaves room for lines all the same
        if not self._waiting:
            self._needed = (self.generation, opened.sequence)
            self._bound()

    def _roll_again(self) -> None:
        self._roll()
        if self.error is None:
            self._complain("journal has a new segment again")

    def _open_file(self, first: int) -> bool:
        folder = f"{self.directory}/{self.generation}"
        try:
            os.makedirs(folder, mode=0o750, exist_ok=True)
            fd = _create(f"{folder}/{segment_name(first)}")
        except OSError as cause:
            self._fail(cause, _WAITING if self._fd < 0 else _GOES_ON)
            return False
        self._close_file()
        self._fd = fd
        if self._segments and self._segments[-1][:2] == (self.generation, first):
            self._segments.pop()  # it was begun before, in vain
        self._segments.append((self.generation, first, 0))
        self._full_from = 0
        self._unsynced = False
        if not self._waiting:
            self.error = None
        return True

    def _close_file(self) -> None:
        if self._fd < 0:
            return
        if self._dirty and self.sync is not JournalSync.NONE:
            self._fdatasync()
        try:
            os.close(self._fd)
        except OSError:
            pass
        self._fd = -1
        name, first, _ = self._segments[-1]
        self._segments[-1] = (name, first, self._size)
        self._size = 0

    def _bound(self) -> None:
        while self._needed is not None and self._segments[0][:2] < self._needed and self.bytes_kept > MOST_BYTES:
            name, first, size = self._segments.pop(0)
            self.discarded_bytes += size
            self._unlink(name, first)
            self._complain(f"journal is full: {size} bytes of {name} that nobody acknowledged were discarded")

    def _unlink(self, generation: str, first: int) -> None:
        folder = f"{self.directory}/{generation}"
        try:
            os.unlink(f"{folder}/{segment_name(first)}")
            if generation != self.generation:
                os.rmdir(folder)
        except OSError:
            pass

    def _removed(self) -> bool:
        try:
            return os.fstat(self._fd).st_nlink == 0
        except OSError:
            return False

    def _fdatasync(self) -> None:
        try:
            os.fdatasync(self._fd)
        except OSError as cause:
            self._unsynced = True
            self._fail(cause, "force the journal to the disk: {}")
            return
        self._dirty = False
        if self._unsynced:
            self._unsynced = False
            if not self._waiting:
                self._complain("journal is forced to the disk again")
                self.error = None

    def _fail(self, cause: OSError, what: str = _WAITING) -> None:
        if self.error is None:
            self._complain("cannot " + what.format(cause))
        self.error = str(cause)


def _create(path: str) -> int:
    """Return the descriptor of a new segment; raises OSError.

    A file of its name is of this generation, which is nobody else's, and holds a part of the same first line at most,
    which could not be cut off: the segment begins in it.
    """
    try:
        return os.open(path, _FLAGS, 0o640)
    except FileExistsError:
        return os.open(path, _TAKE_OVER)


def _existing(directory: str) -> Iterable[tuple[str, int, int]]:
    """Yield the segments on disk, oldest first: generation, first sequence, bytes."""
    for generation in generations(directory):
        for first, path in segments(directory, generation):
            try:
                yield generation, first, os.stat(path).st_size
            except OSError:
                continue


def generations(directory: str) -> list[str]:
    """Return the names of the generations on disk, oldest first."""
    try:
        entries = (entry for entry in os.scandir(directory) if entry.name[:GENERATION_DIGITS].isdigit())
        return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def segments(directory: str, generation: str) -> list[tuple[int, str]]:
    """Return the segments of a generation, oldest first: first sequence and path."""
    folder = f"{directory}/{generation}"
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".jsonl") and name[:-6].isdigit())
    except OSError:
        return []
    return [(int(name[:-6]), f"{folder}/{name}") for name in names]
