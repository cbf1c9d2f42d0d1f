"""The reader of the engine's journal: ``<directory>/<generation>/<first sequence>.jsonl``.

Rules:

1. The follower begins at the newest segment whose first line is whole, a snapshot of all records, and then reads every
   line there is, in order, across segments and generations.
2. Watches are set before anything is read, so nothing falls between reading and waiting.
3. A torn last line is read again when it grew. Where a later segment exists it never will: it is left out.
4. A line that cannot be understood (a newer engine's) is skipped and logged; it never stops the rest.
5. Nothing here writes.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import structlog
from asyncinotify import Inotify, Mask, Watch

from crewd.errors import TargetError
from crewd.model.facts import Event, SegmentOpened
from crewd.model.journal_line import JournalLineError, decode
from crewd.reconcile.port import Batch

CHUNK_BYTES = 256 * 1024
"""So much is read at once, unless one line is longer."""
PAUSE_SEC = 0.02
"""After reading: a single line is read at once, those of a storm together, fifty times a second."""
KEPT_BYTES = 64 * 1024 * 1024
"""So much of the journal is kept although nobody needs it."""

_APPEARS = Mask.CREATE | Mask.MOVED_TO
_GROWS = _APPEARS | Mask.MODIFY

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


def read_all(directory: str) -> list[tuple[str, Event]]:
    """Return every event of every segment with its generation, oldest first; torn lines are left out."""
    return [
        (segment.generation, event)
        for segment in segments(directory)
        for event in _decoded(segment.path(directory).read_bytes().split(b"\n")[:-1], segment)
    ]


def surplus(directory: str, kept_bytes: int = KEPT_BYTES) -> tuple[str, int] | None:
    """Return the last line of the newest segment that is followed by ``kept_bytes`` of others; None: there is none.

    As generation and sequence, for ``acknowledge``. The segment being written is never surplus.
    """
    after = 0
    later: Segment | None = None
    for segment in reversed(segments(directory)):
        if later is not None and after >= kept_bytes:
            return _last(directory, segment, later)
        after += _size(segment.path(directory))
        later = segment
    return None


def _last(directory: str, segment: Segment, later: Segment) -> tuple[str, int] | None:
    if later.generation == segment.generation:
        return segment.generation, later.first - 1
    events = _decoded(segment.path(directory).read_bytes().split(b"\n")[-3:-1], segment)
    return (segment.generation, events[-1].sequence) if events else None


class Journal:
    """The follower. Implements ``reconcile.port.Journal``."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def surplus(self) -> tuple[str, int] | None:
        """Return the last line that nobody needs any more."""
        return surplus(self._directory)

    async def follow(self) -> AsyncGenerator[Batch, None]:
        """Yield all lines from the newest snapshot on, then whatever is appended, for ever."""
        with Inotify() as inotify:
            watches = _Watches(inotify, self._directory)
            reading: _Reading | None = None
            history = True
            while True:
                watches.renew()
                reading = reading or _newest(self._directory)
                while reading is not None:
                    # looked for before reading: what was appended before it was created is read first
                    later = reading.later()
                    if events := reading.events():
                        yield Batch(reading.segment.generation, events, history)
                    elif later is None:
                        break
                    else:
                        reading = reading.leave(later)
                if history:
                    history = False
                    yield Batch("" if reading is None else reading.segment.generation, ())
                await asyncio.sleep(PAUSE_SEC)
                await _readable(inotify.fd)


class _Reading:
    """One segment being read."""

    def __init__(self, directory: str, segment: Segment) -> None:
        self._fd = -1
        self.segment = segment
        self._directory = directory
        self._fd = os.open(segment.path(directory), os.O_RDONLY | os.O_CLOEXEC)
        self._torn = b""

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def events(self) -> tuple[Event, ...]:
        """Return the events of the next lines; empty where there is no whole line left that can be understood."""
        while data := os.read(self._fd, CHUNK_BYTES):
            *lines, self._torn = (self._torn + data).split(b"\n")
            if events := tuple(_decoded(lines, self.segment)):
                return events
        return ()

    def later(self) -> Segment | None:
        """Return the next segment; where there is one, nothing will be appended to this one."""
        return next((segment for segment in segments(self._directory) if segment > self.segment), None)

    def leave(self, later: Segment) -> "_Reading | None":
        """Go on to the next segment."""
        if self._torn:
            _log.warning("journal line torn", segment=str(self.segment.path(self._directory)), bytes=len(self._torn))
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


def _open(directory: str, segment: Segment) -> "_Reading | None":
    try:
        return _Reading(directory, segment)
    except FileNotFoundError:
        return _newest(directory)  # acknowledged and removed under our eyes


def _is_snapshot(line: bytes) -> bool:
    try:
        return isinstance(decode(line).fact, SegmentOpened)
    except JournalLineError:
        return False


def _decoded(lines: list[bytes], segment: Segment) -> list[Event]:
    found: list[Event] = []
    for line in lines:
        try:
            found.append(decode(line))
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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
