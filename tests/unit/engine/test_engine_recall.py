"""What a new generation knows of the earlier ones, whatever state they were left in."""

from pathlib import Path

import pytest

from crewd.model import journal_line, record
from crewd.model.facts import (
    Commanded,
    Event,
    Fact,
    GenerationEnded,
    Removed,
    SegmentOpened,
    Spawned,
    Starting,
    Succeeded,
)
from crewd.model.reasons import Cause
from crewd.model.record import Record, Standing
from crewd_supervisord.recall import Recalled, next_generation, recall

BOOT = "boot"
OLD, NEW = "00000004-aaaaaa", "00000005-bbbbbb"
SNAPSHOT = {"w-0": record.to_json(Record(standing=Standing.STOPPED, restart_count=3))}


def opened(generation: str, records: object = None) -> SegmentOpened:
    """Return a snapshot."""
    return SegmentOpened(generation, BOOT, SNAPSHOT if records is None else records)  # type: ignore[arg-type]


def segment(root: Path, generation: str, first: int, *facts: Fact, tail: bytes = b"") -> None:
    """Write a segment; ``tail`` comes behind its lines."""
    folder = root / generation
    folder.mkdir(exist_ok=True)
    lines = [journal_line.encode(Event(first + n, 100.0 + n, 1e9, fact)).encode() for n, fact in enumerate(facts)]
    (folder / f"{first:020d}.jsonl").write_bytes(b"".join(lines) + tail)


def started(number: int) -> tuple[Fact, Fact]:
    """Return the lines of a start."""
    token = f"{OLD}.{number}"
    return Starting("w-0", token, Cause.RESTART), Spawned("w-0", token, 4711, 99)


def test_nothing_is_recalled_from_nothing(tmp_path: Path):
    """No directory, an empty one, an empty generation."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / OLD).mkdir()

    assert recall(str(tmp_path / "missing"), BOOT) == Recalled()
    assert recall(str(tmp_path / "empty"), BOOT) == Recalled()


def test_a_snapshot_is_folded_with_what_follows(tmp_path: Path):
    """Across segments too, from the newest snapshot on."""
    segment(tmp_path, OLD, 1, opened(OLD, {"w-0": {"restart_count": 1}}))
    segment(tmp_path, OLD, 2, opened(OLD), *started(3))
    found = recall(str(tmp_path), BOOT)

    assert found.previous == OLD
    assert found.sequence == 4
    assert not found.clean
    assert found.records["w-0"].pid == 4711
    assert found.records["w-0"].restart_count == 4


def test_a_torn_last_line_is_as_if_it_had_not_been_written(tmp_path: Path):
    """What was to follow it did not happen either: a line is written before the deed."""
    torn = journal_line.encode(Event(5, 1.0, 1.0, Removed("w-0"))).encode()
    for length in (1, 20, len(torn) - 1):
        segment(tmp_path, OLD, 1, opened(OLD), *started(2), tail=torn[:length])
        found = recall(str(tmp_path), BOOT)

        assert found.sequence == 3
        assert found.records["w-0"].pid == 4711


GARBAGE = [b"garbage\n", b'{"v":99}\n', b"\xff\xfe\n", b"\0" * 4096 + b"\n", b"[" * 100_000 + b"\n", b"\n"]
UNKNOWN = journal_line.encode(Event(9, 1.0, 1.0, Succeeded("w-0"))).replace("succeeded", "newer").encode()


@pytest.mark.parametrize("garbage", [*GARBAGE, UNKNOWN])
def test_a_line_that_cannot_be_understood_costs_no_other(tmp_path: Path, garbage: bytes):
    """What is before it counts, and what is behind it: a stop, say. It is counted, and is no end in order."""
    stop = journal_line.encode(Event(10, 1.0, 1.0, Commanded("w-0", "stop", "-", "supervisor"))).encode()
    running = {"w-0": record.to_json(Record(standing=Standing.UP))}
    segment(tmp_path, OLD, 1, opened(OLD, running), *started(2), tail=garbage + stop + garbage)
    found = recall(str(tmp_path), BOOT)

    assert found.records["w-0"].pid == 4711
    assert found.records["w-0"].standing is Standing.STOPPED
    assert (found.sequence, found.skipped, found.clean) == (10, 2, False)


def test_an_end_in_order_is_not_believed_before_a_line_that_cannot_be_understood(tmp_path: Path):
    """Something followed it."""
    segment(tmp_path, OLD, 1, opened(OLD), GenerationEnded("shutdown"), tail=UNKNOWN)

    assert not recall(str(tmp_path), BOOT).clean


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"garbage", UNKNOWN[:-1]])
def test_what_has_no_end_is_no_line(tmp_path: Path, tail: bytes):
    """Torn, whatever it was to be."""
    segment(tmp_path, OLD, 1, opened(OLD), *started(2), tail=tail)
    found = recall(str(tmp_path), BOOT)

    assert found.records["w-0"].pid == 4711
    assert (found.sequence, found.skipped) == (3, 0)


def test_a_process_whose_start_cannot_be_understood_is_known_by_its_spawn(tmp_path: Path):
    """A run is open from either line on."""
    segment(tmp_path, OLD, 1, opened(OLD), started(2)[1])
    found = recall(str(tmp_path), BOOT).records["w-0"]

    assert (found.token, found.pid, found.start_ticks) == (f"{OLD}.2", 4711, 99)


@pytest.mark.parametrize("content", [b"", b"garbage\n", b'{"v":1,"seq":9'])
def test_a_newest_segment_without_a_snapshot_leaves_the_one_before(tmp_path: Path, content: bytes):
    """A kill in the middle of rolling loses nothing."""
    segment(tmp_path, OLD, 1, opened(OLD), *started(2))
    segment(tmp_path, OLD, 4, tail=content)

    assert recall(str(tmp_path), BOOT).records["w-0"].pid == 4711


@pytest.mark.parametrize("content", [None, b"", b"garbage\n"])
def test_a_newest_generation_without_a_snapshot_leaves_the_one_before(tmp_path: Path, content: bytes | None):
    """A kill in the middle of a boot loses nothing."""
    segment(tmp_path, OLD, 1, opened(OLD), *started(2))
    if content is None:
        (tmp_path / NEW).mkdir()
    else:
        segment(tmp_path, NEW, 1, tail=content)
    found = recall(str(tmp_path), BOOT)

    assert found.previous == OLD
    assert found.records["w-0"].pid == 4711


def test_after_a_reboot_no_record_counts(tmp_path: Path):
    """But the generation is still the previous one."""
    segment(tmp_path, OLD, 1, opened(OLD), *started(2))
    found = recall(str(tmp_path), "another boot")

    assert found.previous == OLD
    assert found.records == {}


def test_an_end_in_order_is_known(tmp_path: Path):
    """Only if nothing follows it."""
    segment(tmp_path, OLD, 1, opened(OLD), GenerationEnded("shutdown"))
    clean = recall(str(tmp_path), BOOT).clean
    segment(tmp_path, OLD, 3, opened(OLD), Succeeded("w-0"))

    assert clean
    assert not recall(str(tmp_path), BOOT).clean


def test_who_was_removed_is_forgotten(tmp_path: Path):
    """Also if the snapshot had it."""
    segment(tmp_path, OLD, 1, opened(OLD), Removed("w-0"))

    assert recall(str(tmp_path), BOOT).records == {}


def test_a_record_that_cannot_be_read_costs_no_other(tmp_path: Path):
    """One broken instance in a snapshot."""
    segment(tmp_path, OLD, 1, opened(OLD, {**SNAPSHOT, "w-1": {"standing": "nonsense"}, "w-2": {"starts": 5}}))

    assert recall(str(tmp_path), BOOT).records.keys() == {"w-0"}


def test_generations_are_numbered_on(tmp_path: Path):
    """One higher than any there is, whatever else lies about."""
    first = next_generation(str(tmp_path))
    (tmp_path / NEW).mkdir()
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "00000009-file").write_text("")

    assert first.startswith("00000001-")
    assert next_generation(str(tmp_path)).startswith("00000006-")
