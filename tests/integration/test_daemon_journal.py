"""The follower of the journal: on real files, written as the engine writes them."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from structlog.testing import capture_logs

from crewd.model import journal_line
from crewd.model.facts import Event, Fact, Removed, SegmentOpened
from crewd.reconcile.port import Batch, Position
from crewd.supervisord.journal import Journal

FIRST, SECOND = "00000001-abcdef", "00000002-abcdef"
PATIENCE_SEC = 60.0


class Writer:
    """Writes a journal."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "journal"
        self.sequence = 0
        self._segment = self.directory

    def open(self, generation: str, *, fresh: bool = False) -> None:
        """Begin a segment with its snapshot; ``fresh`` begins the numbering anew."""
        self.sequence = 0 if fresh else self.sequence
        folder = self.directory / generation
        folder.mkdir(parents=True, exist_ok=True)
        self._segment = folder / f"{self.sequence + 1:020d}.jsonl"
        self.write(SegmentOpened(generation, "b", {}))

    def line(self, fact: Fact) -> str:
        """Return the next line."""
        self.sequence += 1
        return journal_line.encode(Event(self.sequence, 1.0, 1.0, fact))

    def write(self, *facts: Fact) -> None:
        """Append whole lines."""
        self.raw("".join(self.line(fact) for fact in facts))

    def raw(self, text: str) -> None:
        """Append anything."""
        with self._segment.open("a") as file:
            file.write(text)

    @property
    def size(self) -> int:
        """Of the segment being written, in bytes."""
        return self._segment.stat().st_size

    def cut(self, size: int) -> None:
        """Cut it off there."""
        os.truncate(self._segment, size)


class Reader:
    """What the follower has yielded so far."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self._came = asyncio.Event()

    def take(self, batch: Batch) -> None:
        """Remember a batch."""
        self.batches.append(batch)
        self._came.set()

    @property
    def events(self) -> list[tuple[str, int]]:
        """Generation and sequence of every event."""
        return [(batch.generation, event.sequence) for batch in self.batches for event in batch.events]

    async def until(self, *events: tuple[str, int]) -> None:
        """Wait until exactly these have come."""
        await self._until(lambda: self.events == list(events))

    async def caught_up(self) -> None:
        """Wait until the follower says so."""
        await self._until(lambda: any(not batch.history for batch in self.batches))

    async def breathe(self) -> None:
        """Let the follower look a few times."""
        await asyncio.sleep(0.1)

    async def _until(self, predicate: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SEC):
            while not predicate():
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def following(writer: Writer, after: Position | None = None) -> AsyncIterator[Reader]:
    """Follow for the time of a test."""
    reader = Reader()

    async def follow() -> None:
        async for batch in Journal(str(writer.directory)).follow(after):
            reader.take(batch)

    task = asyncio.create_task(follow())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def events(generation: str, *sequences: int) -> list[tuple[str, int]]:
    """Return what the reader is to have."""
    return [(generation, sequence) for sequence in sequences]


async def test_what_is_there_is_history_and_what_comes_is_not(tmp_path: Path) -> None:
    """In between an empty batch says that the follower has caught up."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    writer.write(Removed("a-0"))
    async with following(writer) as reader:
        await reader.caught_up()
        writer.write(Removed("b-0"))
        await reader.until(*events(FIRST, 1, 2, 3))

    assert [(len(batch.events), batch.history) for batch in reader.batches] == [(2, True), (0, False), (1, False)]


async def test_it_begins_at_the_newest_snapshot(tmp_path: Path) -> None:
    """Of the newest generation; what was before is in the snapshot."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    writer.open(SECOND, fresh=True)
    writer.write(Removed("a-0"))
    writer.open(SECOND)
    async with following(writer) as reader:
        await reader.until((SECOND, 3))


async def test_a_newest_segment_without_a_whole_snapshot_is_not_begun_at(tmp_path: Path) -> None:
    """The one before is, and then the newest once its line is whole."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    folder = writer.directory / SECOND
    folder.mkdir()
    line = journal_line.encode(Event(1, 1.0, 1.0, SegmentOpened(SECOND, "b", {})))
    (folder / f"{1:020d}.jsonl").write_text(line[:20])
    async with following(writer) as reader:
        await reader.until((FIRST, 1))
        with (folder / f"{1:020d}.jsonl").open("a") as file:
            file.write(line[20:])
        await reader.until((FIRST, 1), (SECOND, 1))


async def test_it_waits_for_a_journal_that_is_not_there_yet(tmp_path: Path) -> None:
    """Folder by folder."""
    writer = Writer(tmp_path / "deep" / "er")
    async with following(writer) as reader:
        await asyncio.sleep(0.02)
        writer.open(FIRST)
        await reader.until((FIRST, 1))


async def test_a_torn_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """Never half, never twice."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    line = writer.line(Removed("a-0"))
    async with following(writer) as reader:
        await reader.until((FIRST, 1))
        for piece in (line[:1], line[1:30], line[30:-1]):
            writer.raw(piece)
            await asyncio.sleep(0.01)
        assert reader.events == [(FIRST, 1)]
        writer.raw(line[-1:])
        await reader.until(*events(FIRST, 1, 2))


async def test_a_torn_line_of_a_dead_generation_is_left_out(tmp_path: Path) -> None:
    """It was never finished and never will be; that is logged."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    with capture_logs() as logs:
        async with following(writer) as reader:
            await reader.caught_up()
            writer.raw(writer.line(Removed("a-0"))[:-5])
            writer.open(SECOND, fresh=True)
            await reader.until((FIRST, 1), (SECOND, 1))

    assert [line["event"] for line in logs] == ["journal line torn"]


async def test_nothing_is_missed_between_segments(tmp_path: Path) -> None:
    """The last line of one and the first of the next may come in one breath, in either kind of change."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    wanted = [(FIRST, 1)]
    async with following(writer) as reader:
        await reader.caught_up()
        for round_ in range(50):
            writer.write(Removed("a-0"))
            writer.open(FIRST)
            wanted += events(FIRST, writer.sequence - 1, writer.sequence)
            if round_ % 3 == 0:
                await asyncio.sleep(0)
        await reader.until(*wanted)


async def test_nothing_is_missed_between_generations(tmp_path: Path) -> None:
    """A supervisord that dies again and again."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    wanted = [(FIRST, 1)]
    async with following(writer) as reader:
        await reader.caught_up()
        for number in range(2, 40):
            generation = f"{number:08d}-abcdef"
            writer.write(Removed("a-0"))
            wanted.append((f"{number - 1:08d}-abcdef", writer.sequence))
            writer.open(generation, fresh=True)
            wanted.append((generation, 1))
            await asyncio.sleep(0)
        await reader.until(*wanted)


async def test_a_line_longer_than_a_chunk_is_one_event(tmp_path: Path) -> None:
    """A snapshot of thousands is."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    writer.write(Removed("x" * 1_000_000), Removed("b-0"))
    async with following(writer) as reader:
        await reader.until(*events(FIRST, 1, 2, 3))


async def test_a_line_of_a_newer_engine_is_skipped(tmp_path: Path) -> None:
    """And said; the others are read."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    with capture_logs() as logs:
        async with following(writer) as reader:
            writer.sequence += 1
            writer.raw('{"v":1,"seq":2,"boottime":1,"at":1,"type":"from_the_future"}\n')
            writer.write(Removed("a-0"))
            await reader.until(*events(FIRST, 1, 3))

    assert "from_the_future" in logs[0]["error"]


async def test_what_was_acknowledged_may_vanish(tmp_path: Path) -> None:
    """Old generations are removed under the follower's eyes."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    async with following(writer) as reader:
        await reader.caught_up()
        writer.open(SECOND, fresh=True)
        await reader.until((FIRST, 1), (SECOND, 1))
        shutil.rmtree(writer.directory / FIRST)
        writer.write(Removed("a-0"))
        await reader.until((FIRST, 1), (SECOND, 1), (SECOND, 2))


async def test_it_begins_behind_the_place_that_it_is_told(tmp_path: Path) -> None:
    """Each line once, from whichever segment and generation holds the next."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    writer.write(Removed("a-0"))
    writer.open(FIRST)
    writer.write(Removed("b-0"))
    writer.open(SECOND, fresh=True)
    everything = [*events(FIRST, 1, 2, 3, 4), (SECOND, 1)]
    for number in range(len(everything) + 1):
        place = Position(*everything[number - 1]) if number else Position()
        async with following(writer, place) as reader:
            await reader.until(*everything[number:])


async def test_it_goes_on_behind_what_was_removed(tmp_path: Path) -> None:
    """A place whose generation is gone, or whose next lines are: the next that there are."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    writer.write(Removed("a-0"))
    writer.open(FIRST)
    (writer.directory / FIRST / f"{1:020d}.jsonl").unlink()
    for place in (Position(), Position(FIRST, 1), Position("00000000-abcdef", 7)):
        async with following(writer, place) as reader:
            await reader.until((FIRST, 3))


async def test_a_line_comes_with_its_text(tmp_path: Path) -> None:
    """As it was written, without its newline."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    text = writer.line(Removed("a-0"))
    writer.raw(text)
    async with following(writer) as reader:
        await reader.until(*events(FIRST, 1, 2))

    assert reader.batches[0].lines[1] == text.rstrip().encode()


async def test_what_was_cut_off_is_forgotten(tmp_path: Path) -> None:
    """A writer on a full disk cuts off the part of a line, and later writes other lines there."""
    writer = Writer(tmp_path)
    writer.open(FIRST)
    async with following(writer) as reader:
        await reader.until((FIRST, 1))
        whole = writer.size
        writer.raw(writer.line(Removed("a-0"))[:-5])
        await reader.breathe()
        writer.cut(whole)
        writer.write(Removed("b-0"), Removed("c-0"))
        await reader.until(*events(FIRST, 1, 3, 4))
