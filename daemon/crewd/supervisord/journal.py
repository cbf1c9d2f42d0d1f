"""The reader of the engine's journal: ``<directory>/<generation>/<first sequence>.jsonl``.

Rules:

1. The follower begins at the newest segment whose first line is whole, a snapshot of all records, or behind the place
   that it is told, and then reads every line there is, in order, across segments and generations.
2. Watches are set before anything is read, so nothing falls between reading and waiting.
3. A torn last line is read again when it grew. Where a later segment exists it never will: it is left out.
4. A line that cannot be understood (a newer engine's) is skipped and logged; it never stops the rest.
5. Nothing here writes.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import structlog
from asyncinotify import Inotify, Mask, Watch

from crewd.errors import TargetError
from crewd.model.facts import Event, SegmentOpened
from crewd.model.journal_line import JournalLineError, decode
from crewd.reconcile.port import Batch, Position

CHUNK_BYTES = 256 * 1024
"""So much is read at once, unless one line is longer."""
PAUSE_SEC = 0.02
"""After reading: a single line is read at once, those of a storm together, fifty times a second."""

_APPEARS = Mask.CREATE | Mask.MOVED_TO
_GROWS = _APPEARS | Mask.MODIFY
_SEQUENCE = re.compile(rb'\{"v":\d+,"seq":(\d+),')

_log: Any = structlog.get_logger("crewd")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of the journal; sorted as they were written."""

    generation: str
    first: int

    def path(self, directory: str) -> Path:
        """Return where it lies."""
        return Path(directory) / self.generation / f"{self.first:020d}.jsonl"


def segments(directory: str) -> list[Segment]:
    """Return all segments, oldest first."""
    found: list[Segment] = []
    for generation in _names(directory):
        for name in _names(f"{directory}/{generation}"):
            stem, dot, suffix = name.partition(".")
            if dot and suffix == "jsonl" and stem.isdigit():
                found.append(Segment(generation, int(stem)))
    return sorted(found)


class Journal:
    """The follower. Implements ``reconcile.port.Journal``."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    async def follow(self, after: Position | None = None) -> AsyncGenerator[Batch, None]:
        """Yield all lines from the newest snapshot, or from behind ``after``, on; then whatever is appended."""
        with Inotify() as inotify:
            watches = _Watches(inotify, self._directory)
            reading: _Reading | None = None
            history = True
            while True:
                watches.renew()
                reading = reading or self._find(after)
                while reading is not None:
                    # looked for before reading: what was appended before it was created is read first
                    later = reading.later()
                    if lines := reading.lines():
                        events = tuple(event for event, _ in lines)
                        generation = reading.segment.generation
                        after = None if after is None else Position(generation, events[-1].sequence)
                        yield Batch(generation, events, history, tuple(line for _, line in lines))
                    elif later is None:
                        break
                    else:
                        reading = reading.leave(later) or self._find(after)
                if history:
                    history = False
                    yield Batch("" if reading is None else reading.segment.generation, ())
                await asyncio.sleep(PAUSE_SEC)
                await _readable(inotify.fd)

    def _find(self, after: Position | None) -> "_Reading | None":
        return _newest(self._directory) if after is None else _behind(self._directory, after)


class _Reading:
    """One segment being read; lines up to the sequence number ``beyond`` are passed over."""

    def __init__(self, directory: str, segment: Segment, beyond: int = 0) -> None:
        self._fd = -1
        self._beyond = beyond
        self.segment = segment
        self._directory = directory
        self._fd = os.open(segment.path(directory), os.O_RDONLY | os.O_CLOEXEC)
        self._offset = 0

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def lines(self) -> list[tuple[Event, bytes]]:
        """Return the next lines and their events; empty where there is no whole line left that can be understood.

        Read from the end of the last whole line each time: what stands behind it may be cut off and written anew.
        """
        size = CHUNK_BYTES
        while data := os.pread(self._fd, size, self._offset):
            whole = data.rfind(b"\n") + 1
            if not whole and len(data) < size:
                break
            self._offset += whole
            size = CHUNK_BYTES if whole else size * 2
            lines = data[:whole].split(b"\n")[:-1]
            if self._beyond:
                lines = [line for line in lines if _sequence(line) > self._beyond]
            if found := _decoded(lines, self.segment):
                return found
        return []

    def later(self) -> Segment | None:
        """Return the next segment; where there is one, nothing will be appended to this one."""
        return next((segment for segment in segments(self._directory) if segment > self.segment), None)

    def leave(self, later: Segment) -> "_Reading | None":
        """Go on to the next segment."""
        if torn := os.fstat(self._fd).st_size - self._offset:
            _log.warning("journal line torn", segment=str(self.segment.path(self._directory)), bytes=torn)
        self.close()
        return _open(self._directory, later)


class _Watches:
    """Watches on the journal's folder and on the newest generation's; on the nearest parent where there is none."""

    def __init__(self, inotify: Inotify, directory: str) -> None:
        self._inotify = inotify
        self._directory = directory
        self._watched: dict[str, Watch] = {}

    def renew(self) -> None:
        """Watch what is there by now. A generation may come while we look: its folder's own watch tells."""
        root = self._root()
        wanted = {root}
        self._add(root, _APPEARS)
        generations = _names(root) if root == self._directory else []
        for generation in generations[-2:]:
            path = f"{root}/{generation}"
            wanted.add(path)
            self._add(path, _GROWS | Mask.ONLYDIR)
        for path in self._watched.keys() - wanted:
            self._drop(path)

    def _root(self) -> str:
        root = Path(self._directory)
        while not root.is_dir() and root != root.parent:
            root = root.parent
        return str(root)

    def _add(self, path: str, mask: Mask) -> None:
        try:
            self._watched[path] = cast("Any", self._inotify).add_watch(path, mask)
        except (FileNotFoundError, NotADirectoryError):
            pass  # gone meanwhile, or not the journal's
        except OSError as cause:
            raise TargetError(f"cannot watch {path}: {cause.strerror}", retryable=True) from None

    def _drop(self, path: str) -> None:
        watch = self._watched.pop(path)
        try:
            self._inotify.rm_watch(watch)
        except OSError:
            pass  # the folder was removed, and its watch with it


def _behind(directory: str, after: Position) -> "_Reading | None":
    """Open the segment that holds the line behind ``after``, or the first that came later."""
    holding: Segment | None = None
    for segment in segments(directory):
        if segment.generation == after.generation and segment.first <= after.sequence + 1:
            holding = segment
        elif (segment.generation, segment.first) > (after.generation, after.sequence):
            holding = holding or segment
            break
    if holding is None:
        return None
    return _open(directory, holding, after.sequence if holding.generation == after.generation else 0)


def _newest(directory: str) -> "_Reading | None":
    """Open the newest segment that begins with a whole snapshot."""
    for segment in reversed(segments(directory)):
        try:
            with segment.path(directory).open("rb") as lines:
                first = lines.readline()
        except OSError:
            continue
        if first.endswith(b"\n") and _is_snapshot(first):
            return _open(directory, segment)
    return None


def _open(directory: str, segment: Segment, beyond: int = 0) -> "_Reading | None":
    try:
        return _Reading(directory, segment, beyond)
    except FileNotFoundError:
        return None  # removed under our eyes


def _sequence(line: bytes) -> int:
    """Return the line's sequence number, or a large one where it cannot be seen at a glance."""
    found = _SEQUENCE.match(line)
    return int(found[1]) if found else sys.maxsize


def _is_snapshot(line: bytes) -> bool:
    try:
        return isinstance(decode(line).fact, SegmentOpened)
    except JournalLineError:
        return False


def _decoded(lines: list[bytes], segment: Segment) -> list[tuple[Event, bytes]]:
    found: list[tuple[Event, bytes]] = []
    for line in lines:
        try:
            found.append((decode(line), line))
        except JournalLineError as error:
            _log.warning("journal line skipped", generation=segment.generation, error=str(error))
    return found


async def _readable(fd: int) -> None:
    """Wait for inotify events and throw them away: that there are some is all that matters."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(fd, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
        os.read(fd, CHUNK_BYTES)
    finally:
        loop.remove_reader(fd)


def _names(directory: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
