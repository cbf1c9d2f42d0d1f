"""A worker's log file and what it was rotated to: ``web-0.out.log``, ``web-0.out.log.1``, the higher the older.

Rules:

1. Only regular files are read: no link at the end of a path is followed, no FIFO and no device is opened for long. A
   worker may own the folder that it logs to, and whoever reads here may read more than the worker.
2. A file is known by its inode: rotation while it is read neither shows a line twice nor leaves one out.
3. All of this blocks for a moment, on the disk: it is called in threads.
"""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from crewd.reconcile.output import NoOutput
from crewd.supervisord.log_lines import LINE_MOST, Splitter, backwards

BLOCK_BYTES = 256 * 1024
LOST = b"-- crewd: lines were rotated away before they could be read --"


@dataclass(frozen=True, slots=True)
class LogPath:
    """The path, and how many rotated files there may be."""

    path: str
    backups: int

    def numbered(self, number: int) -> str:
        """Return the path of a rotated file; 0 is the one that is written to."""
        return f"{self.path}.{number}" if number else self.path


class Tail:
    """What was written, and what is written from now on.

    ``older`` gives what was there when it was opened, the newest first; ``more`` what came later. With ``whole`` both
    fit together: the line that is being written is left to ``more``. ``older`` passes over files that were written
    last before ``since``, in unix seconds. Raises NoOutput, or FileNotFoundError.

    May be closed while a thread that nobody waits for any more is still in it.
    """

    def __init__(self, log: LogPath, *, whole: bool, since: float | None = None) -> None:
        self._log = log
        self._lines = Splitter()
        self._fd = opened(log.path)
        size = os.fstat(self._fd).st_size
        self._offset = _whole(self._fd, size)
        self._older = backwards(_blocks(log, self._fd, self._offset if whole else size, since))
        self._one_at_a_time = Lock()
        self._closed = False

    def __del__(self) -> None:
        """Let go of files that were opened for somebody who did not wait for them."""
        if not getattr(self, "_closed", True):
            self.close()

    def close(self) -> None:
        """Let go of the files."""
        with self._one_at_a_time:
            self._closed = True
            self._older.close()
            os.close(self._fd)

    def older(self) -> bytes | None:
        """Return lines joined by newlines, right before those that came last time; None where there are no more."""
        with self._one_at_a_time:
            return None if self._closed else next(self._older, None)

    def more(self) -> list[bytes] | None:
        """Return lines that are new; None where nothing was written."""
        with self._one_at_a_time:
            return None if self._closed else self._more()

    def _more(self) -> list[bytes] | None:
        moved = self._moved()  # asked first: once it moved, nothing more is written to what we have
        if data := self._read():
            return self._lines.feed(data)
        return self._go_on() if moved else None

    def _read(self) -> bytes:
        if os.fstat(self._fd).st_size < self._offset:
            self._offset = 0  # somebody emptied it
        data = os.pread(self._fd, BLOCK_BYTES, self._offset)
        self._offset += len(data)
        return data

    def _moved(self) -> bool:
        found = _found(self._log.path)
        return found is not None and found != _identity(self._fd)  # None: it is being rotated, or the folder is gone

    def _go_on(self) -> list[bytes]:
        """Open the file that came after ours."""
        number = self._number()
        try:
            fd = opened(self._log.numbered(max(0, (number or 0) - 1)))
        except FileNotFoundError:
            return []
        os.close(self._fd)
        self._fd, self._offset = fd, 0
        return [LOST] if number is None and self._log.backups else []

    def _number(self) -> int | None:
        """Return which one ours is by now; None where it is gone."""
        ours = _identity(self._fd)
        numbers = range(1, self._log.backups + 1)
        return next((number for number in numbers if _found(self._log.numbered(number)) == ours), None)


def opened(path: str) -> int:
    """Return a descriptor of a regular file; raises NoOutput, or FileNotFoundError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        fd = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as cause:
        why = "it is a symbolic link" if cause.errno == errno.ELOOP else cause.strerror
        raise NoOutput(f"cannot read {path}: {why}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NoOutput(f"cannot read {path}: it is no regular file")
    return fd


def _blocks(log: LogPath, first: int, end: int, since: float | None) -> Generator[bytes]:
    """Yield what stands in the files, the newest block first: of the one that is open up to ``end``, of others all."""
    seen = {_identity(first)}
    if _too_old(first, since):
        return
    yield from _before(first, end)
    for number in range(1, log.backups + 1):
        with _maybe_opened(log.numbered(number)) as fd:
            if fd is None or _too_old(fd, since):
                return
            if _identity(fd) not in seen:  # else it was rotated to here while it was read
                seen.add(_identity(fd))
                yield from _before(fd, os.fstat(fd).st_size)


def _too_old(fd: int, since: float | None) -> bool:
    """Return whether nothing was written to it since; a file that is empty says nothing of those before it."""
    found = os.fstat(fd)
    return since is not None and found.st_size > 0 and found.st_mtime < since


def _before(fd: int, end: int) -> Generator[bytes]:
    while end > 0:
        begin = max(0, end - BLOCK_BYTES)
        yield os.pread(fd, end - begin, begin)
        end = begin


@contextmanager
def _maybe_opened(path: str) -> Generator[int | None]:
    try:
        fd = opened(path)
    except (FileNotFoundError, NoOutput):
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _whole(fd: int, size: int) -> int:
    """Return where the last whole line ends; the end of the file where the line that is being written is too long."""
    begin = max(0, size - LINE_MOST)
    newline = os.pread(fd, size - begin, begin).rfind(b"\n")
    return begin + newline + 1 if newline >= 0 or begin == 0 else size


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _found(path: str) -> tuple[int, int] | None:
    """Return the identity of what the path names now; None where that is nothing."""
    try:
        found = Path(path).lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
