"""The journal's writer, on a real directory. A full disk is /dev/full in the file's place."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from crewd.model import journal_line, record
from crewd.model.facts import Event, Gap, SegmentOpened, Succeeded
from crewd.model.record import Record
from crewd.model.spec import JournalSync
from crewd_supervisord import journal as writer
from crewd_supervisord.journal import Journal, generations, segments

GENERATION = "00000002-abcdef"
RECORDS = {"w-0": record.to_json(Record(restart_count=7))}


class Desk:
    """A journal, and what it complained of."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.complaints: list[str] = []
        self.journal = self.begin(GENERATION)

    def begin(self, generation: str) -> Journal:
        """Begin a generation."""
        self.journal = Journal(
            str(self.root), generation, "boot", lambda: RECORDS, self.complaints.append, JournalSync.NONE
        )
        self.journal.open()
        return self.journal

    def write(self, count: int = 1) -> None:
        """Write so many lines."""
        for _ in range(count):
            self.journal.append(Succeeded("w-0"))

    def events(self) -> list[Event]:
        """Read back what is on disk of this generation."""
        paths = [path for _, path in segments(str(self.root), self.journal.generation)]
        return [journal_line.decode(line) for path in paths for line in Path(path).read_bytes().splitlines()]

    def sequences(self) -> list[int]:
        """Return the sequence numbers on disk."""
        return [event.sequence for event in self.events()]

    def fill_disk(self) -> Callable[[], None]:
        """Let every write fail; returns what ends that."""
        kept = os.dup(self.journal._fd)
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, self.journal._fd)
        os.close(full)

        def end() -> None:
            os.dup2(kept, self.journal._fd)
            os.close(kept)

        return end


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A journal in an empty directory."""
    return Desk(tmp_path)


def test_a_segment_opens_with_a_snapshot(desk: Desk):
    """Line 1 holds the records of all instances."""
    desk.write(2)

    assert desk.events()[0].fact == SegmentOpened(GENERATION, "boot", RECORDS)
    assert desk.sequences() == [1, 2, 3]


def test_a_segment_that_is_full_is_followed_by_the_next(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """It is named after its first sequence number, and opens with a snapshot too."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1000)
    desk.write(50)
    found = segments(str(desk.root), GENERATION)

    assert len(found) > 3
    assert desk.sequences() == list(range(1, len(desk.events()) + 1))
    for first, path in found:
        opened = journal_line.decode(Path(path).read_bytes().splitlines()[0])
        assert opened.sequence == first
        assert isinstance(opened.fact, SegmentOpened)


def test_the_number_of_the_next_line_is_known_before_it(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Also where a segment begins in between, whose opening line has a number, too: tokens are made of it."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1000)
    foretold = [(desk.journal.next_sequence(), desk.journal.append(Succeeded("w-0")).sequence) for _ in range(50)]

    assert len(segments(str(desk.root), GENERATION)) > 3
    assert all(before == after for before, after in foretold)


def test_what_cannot_be_written_waits(desk: Desk):
    """Once there is room everything comes, in order, and a new segment behind it."""
    desk.write(2)
    end = desk.fill_disk()
    desk.write(5)
    error = desk.journal.error
    desk.journal.tick()
    end()
    desk.journal.tick()
    desk.write()

    assert "No space left" in str(error)
    assert desk.journal.error is None
    assert desk.journal.lost == 0
    assert desk.sequences() == list(range(1, 11))
    assert isinstance(desk.events()[8].fact, SegmentOpened)
    assert len(desk.complaints) == 2


def test_what_waits_is_bounded_and_the_gap_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """The oldest go; one line, with the last dropped number, says how many."""
    monkeypatch.setattr(writer, "WAITING_BYTES", 1000)
    end = desk.fill_disk()
    desk.write(100)
    waiting = desk.journal._waiting_bytes
    end()
    desk.journal.tick()
    gap = desk.events()[1].fact

    assert waiting <= 1000
    assert isinstance(gap, Gap)
    assert gap.lost == desk.journal.lost == gap.last - gap.first + 1
    assert gap.first == 2
    assert desk.sequences()[1:] == list(range(gap.last, desk.journal.sequence + 1))


def test_a_line_written_in_part_is_cut_off(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """What comes later does not stick to it."""
    desk.write()
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
    desk.write()
    monkeypatch.undo()
    desk.journal.tick()

    assert desk.sequences() == [1, 2, 3, 4]


def test_a_first_line_that_cannot_even_be_cut_off_is_written_over(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """The segment has its name already; no line is lost over it, and it goes when it is acknowledged, no sooner."""
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        patch.setattr(os, "ftruncate", lambda fd, _length: refuse(fd))
        desk.begin("00000003-abcdef")
    desk.write()
    desk.journal.tick()
    desk.write()
    desk.journal.acknowledge("00000003-abcdef", 0)

    assert desk.journal.error is None
    assert desk.journal.lost == 0
    assert desk.sequences() == [1, 2, 3, 4]


def test_only_what_is_acknowledged_whole_goes(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """A segment goes when its last line is known elsewhere; the current one never."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1000)
    desk.write(50)
    firsts = [first for first, _ in segments(str(desk.root), GENERATION)]
    desk.journal.acknowledge(GENERATION, firsts[2] - 2)
    before_last_line = [first for first, _ in segments(str(desk.root), GENERATION)]
    desk.journal.acknowledge(GENERATION, firsts[2] - 1)
    after = [first for first, _ in segments(str(desk.root), GENERATION)]
    desk.journal.acknowledge(GENERATION, 10**9)

    assert before_last_line == firsts[1:]
    assert after == firsts[2:]
    assert [first for first, _ in segments(str(desk.root), GENERATION)] == firsts[-1:]


def test_earlier_generations_go_with_a_later_acknowledgement(desk: Desk):
    """Folders too; the last segment of an earlier generation stays until its own generation is left behind."""
    desk.write(3)
    desk.begin("00000003-abcdef")
    desk.journal.acknowledge(GENERATION, 4)
    kept = generations(str(desk.root))
    desk.journal.acknowledge("00000003-abcdef", 1)

    assert kept == [GENERATION, "00000003-abcdef"]
    assert generations(str(desk.root)) == ["00000003-abcdef"]


def test_the_journal_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Beyond MOST_BYTES the oldest segments go, counted and said aloud."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1000)
    monkeypatch.setattr(writer, "MOST_BYTES", 5000)
    desk.write(200)
    on_disk = sum(path.stat().st_size for path in desk.root.rglob("*.jsonl"))

    assert on_disk <= 5000 + 1500
    assert desk.journal.bytes_kept == on_disk
    assert desk.journal.discarded_bytes > 0
    assert "discarded" in desk.complaints[0]


def test_a_segment_that_was_removed_is_begun_anew(desk: Desk):
    """Within a second of the removal."""
    desk.write(3)
    Path(segments(str(desk.root), GENERATION)[0][1]).unlink()
    desk.journal.tick()
    desk.write()

    assert desk.sequences() == [5, 6]
    assert isinstance(desk.events()[0].fact, SegmentOpened)


def test_nothing_raises_without_a_directory(tmp_path: Path):
    """A file in the directory's place: lines wait, and come when there is a directory."""
    blocked = tmp_path / "journal"
    blocked.write_text("in the way")
    desk = Desk(blocked)
    desk.write(3)
    assert desk.journal.error
    blocked.unlink()
    desk.journal.tick()
    desk.write()
    desk.journal.close()

    assert desk.sequences() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("sync", JournalSync)
def test_every_way_of_forcing_to_disk_works(tmp_path: Path, sync: JournalSync):
    """None, once a second, once per pass: nothing fails, everything is there."""
    journal = Journal(str(tmp_path), GENERATION, "boot", lambda: RECORDS, print, sync)
    journal.open()
    journal.append(Succeeded("w-0"))
    journal.passed()
    journal.tick()
    journal.close()

    assert journal.error is None
    assert len(Path(segments(str(tmp_path), GENERATION)[0][1]).read_bytes().splitlines()) == 2


def test_the_last_snapshot_is_never_acknowledged_away(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """The disk filled up just when a segment was begun: what has no snapshot cannot replace the one before."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1000)
    opened = desk.journal._open_file
    ends: list[Callable[[], None]] = []

    def open_on_a_full_disk(first: int) -> bool:
        done = opened(first)
        ends.append(desk.fill_disk())
        return done

    monkeypatch.setattr(desk.journal, "_open_file", open_on_a_full_disk)
    while not ends:
        desk.write()
    desk.journal.acknowledge(GENERATION, desk.journal.sequence)

    assert isinstance(desk.events()[0].fact, SegmentOpened)


def test_a_segment_that_cannot_be_begun_costs_no_snapshot_a_line(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """It goes on in the present one, and is tried again after as much."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1000)
    monkeypatch.setattr(desk.journal, "_open_file", lambda _first: False)
    desk.write(60)

    assert sum(isinstance(event.fact, SegmentOpened) for event in desk.events()) == 1
    assert desk.sequences() == list(range(1, 62))


def test_a_segment_that_could_not_be_begun_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Not after as many lines: until it is there, the journal is said to fail. Not with each tick either."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1000)
    now, tried = [100.0], list[str]()
    monkeypatch.setattr(writer, "boottime", lambda: now[0])

    def create(path: str) -> int:
        tried.append(path)
        return refuse(-1)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_create", create)
        while not tried:
            desk.write()
        patch.setattr(writer, "SEGMENT_BYTES", 1_000_000)
        desk.journal.tick()
        told, ticked = desk.journal.error, len(tried)
        now[0] += writer.ROLL_AGAIN_SEC
        desk.journal.tick()
        later = len(tried)
    now[0] += writer.ROLL_AGAIN_SEC
    desk.journal.tick()

    assert "Input/output error" in str(told)
    assert (ticked, later) == (1, 2)
    assert desk.journal.error is None
    assert isinstance(desk.events()[-1].fact, SegmentOpened)
    assert [complaint.partition(":")[0] for complaint in desk.complaints] == [
        "cannot begin a segment of the journal",
        "journal has a new segment again",
    ]


def test_a_snapshot_larger_than_a_segment_leaves_room_for_lines(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """A large crew's: the lines behind it fill a segment, not the snapshot."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1000)
    large = {f"w-{slot}": record.to_json(Record(restart_count=slot + 1)) for slot in range(100)}
    monkeypatch.setattr(desk.journal, "_snapshot", lambda: large)
    desk.write(40)
    found = [Path(path).read_bytes().splitlines() for _, path in segments(str(desk.root), GENERATION)]

    assert len(found[1][0]) > 1000
    assert 2 < len(found) < 8
    assert all(sum(len(line) + 1 for line in lines[1:]) >= 1000 for lines in found[1:-1])


def refuse(fd: int) -> int:
    """A disk that forces nothing."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_an_error_of_forcing_to_disk_is_over_when_it_works_again(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Until then it stands, said once."""
    desk.journal.sync = JournalSync.PASS
    monkeypatch.setattr(os, "fdatasync", refuse)
    for _ in range(2):
        desk.write()
        desk.journal.passed()
    error = desk.journal.error
    monkeypatch.undo()
    desk.journal.passed()

    assert "Input/output error" in str(error)
    assert desk.journal.error is None
    assert len(desk.complaints) == 2


def test_forcing_to_disk_ends_no_other_error(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Lines still wait."""
    desk.journal.sync = JournalSync.PASS
    desk.write()
    monkeypatch.setattr(os, "fdatasync", refuse)
    desk.journal.passed()
    end = desk.fill_disk()
    desk.write()
    monkeypatch.undo()
    end()
    desk.journal.passed()

    assert "No space left" in str(desk.journal.error)
    desk.journal.tick()
    assert desk.journal.error is None
