"""Workers' output, read from real files: through rotation, whatever stands in them, and whatever they are."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from crewd.model.home import Home
from crewd.model.spec import LogFile, WorkerSpec
from crewd.reconcile.output import BadPattern, Line, NoOutput, OutputQuery, Stream
from crewd.supervisord import newest, sieve
from crewd.supervisord.log_files import BLOCK_BYTES, LOST
from crewd.supervisord.log_lines import CUT, LINE_MOST
from crewd.supervisord.output import WorkerOutput
from harness.processes import below


class Logs:
    """The log of web-0, written and rotated as supervisord does it."""

    def __init__(self, root: Path) -> None:
        self.home = Home.under(str(root))
        self.path = Path(self.home.worker_logs) / "web-0.out.log"
        self.path.parent.mkdir(parents=True)
        self.output = WorkerOutput(self.home)
        self.worker = WorkerSpec("web", ("true",), stdout=LogFile(backups=3))

    def write(self, *lines: str, ended: bool = True) -> None:
        """Append lines."""
        with self.path.open("ab") as file:
            file.write("\n".join(lines).encode() + (b"\n" if ended else b""))

    def rotate(self) -> None:
        """Do what supervisor's RotatingFileHandler does."""
        for number in (2, 1):
            older = Path(f"{self.path}.{number}")
            if older.exists():
                older.rename(f"{self.path}.{number + 1}")
        self.path.rename(f"{self.path}.1")
        self.path.touch()

    def query(self, tail: int = 100, grep: str | None = None, **given: Any) -> OutputQuery:
        """Ask for web-0's output."""
        return OutputQuery(given.pop("worker", self.worker), "web-0", tail=tail, grep=grep, **given)

    async def last(self, tail: int = 100, grep: str | None = None, **given: Any) -> list[str]:
        """Return the newest lines."""
        found = await self.output.last(self.query(tail, grep, **given))
        return [line.text.decode() for line in found.lines]


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    """Return an empty folder for logs."""
    return Logs(tmp_path)


def numbered(begin: int, end: int) -> list[str]:
    """Return lines that are told apart."""
    return [f"line {number}" for number in range(begin, end)]


async def test_the_newest_lines_come_in_order(logs: Logs) -> None:
    """Also the one that is being written."""
    logs.write(*numbered(0, 10))
    logs.write("half", ended=False)

    assert await logs.last(3) == ["line 8", "line 9", "half"]
    assert await logs.last(0) == []


async def test_rotated_files_are_read_through(logs: Logs) -> None:
    """Newest first, until there are enough; a line that was cut by the rotation is whole."""
    logs.write(*numbered(0, 3))
    logs.rotate()
    logs.write(*numbered(3, 5))
    logs.write("two ha", ended=False)
    logs.rotate()
    logs.write("lves", *numbered(5, 7))

    assert await logs.last(5) == ["line 3", "line 4", "two halves", "line 5", "line 6"][-5:]
    assert await logs.last(100) == [*numbered(0, 5), "two halves", *numbered(5, 7)]


async def test_large_files_are_read_in_blocks(logs: Logs) -> None:
    """No line is lost where blocks meet."""
    lines = [f"{number} " + "x" * (number % 997) for number in range(5 * BLOCK_BYTES // 500)]
    logs.write(*lines)

    assert await logs.last(10_000_000) == lines


async def test_an_empty_file_has_no_lines(logs: Logs) -> None:
    """That is no mistake."""
    logs.path.touch()

    assert await logs.last() == []


async def test_a_pattern_is_searched_for_backwards(logs: Logs) -> None:
    """The newest that match, in the files that were rotated, too; text, not bytes."""
    logs.write("grüße 1", "other", "grüße 2")
    logs.rotate()
    logs.write(*numbered(0, 1000), "GRÜSSE", "grüße 3", "")

    assert await logs.last(2, grep="gr[üu]ße") == ["grüße 2", "grüße 3"]
    assert await logs.last(5, grep="^$") == [""]
    assert await logs.last(5, grep="nothing of the kind") == []


async def test_a_pattern_that_takes_for_ever_is_given_up(logs: Logs) -> None:
    """It is a child that takes so long: the daemon goes on meanwhile."""
    logs.write("a" * 64 + "!")
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    beating = asyncio.create_task(beat())
    with pytest.raises(BadPattern, match="takes too long"):
        await logs.last(grep="(a+)+$")
    beating.cancel()

    assert beats > 3  # none, where it is not a child


@pytest.mark.parametrize("pattern", ["(", "x" * (sieve.PATTERN_MOST + 1), "\udcff"])
async def test_a_pattern_that_is_none_is_refused(logs: Logs, pattern: str) -> None:
    """Before anything is read."""
    logs.write("line")
    with pytest.raises(BadPattern, match="cannot search"):
        await logs.last(grep=pattern)


async def test_no_child_is_left_behind(logs: Logs) -> None:
    """Neither by a search that ended nor by one that was called off."""
    before = {one.pid for one in below(os.getpid())}
    logs.write("line")
    await logs.last(grep="line")
    following = logs.output.follow(logs.query(grep="line"))
    await anext(following)
    await following.aclose()

    assert {one.pid for one in below(os.getpid())} <= before


async def test_what_takes_too_long_or_too_much_is_cut_and_said(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest lines are given; why not all of them is told."""
    logs.write(*numbered(0, 100_000))
    monkeypatch.setattr(newest, "ANSWER_BYTES", 10_000)
    much = await logs.output.last(logs.query(1_000_000))
    monkeypatch.setattr(newest, "SEARCH_SEC", 0.0)
    long = await logs.output.last(logs.query(10, grep="line 0$"))

    assert much.lines[-1].text == b"line 99999"
    assert much.cut.startswith("more than")
    assert (long.lines, long.cut) == ((), "more than 0 s")


async def test_a_binary_is_shown_as_text(logs: Logs) -> None:
    """Bytes that are no UTF-8 are replaced; nothing else is touched."""
    logs.path.write_bytes(b"\x7fELF\xff\xfe\x00\x1b[31m\n\xc3\n")

    assert await logs.last() == ["\x7fELF��\x00\x1b[31m", "�"]


async def test_a_huge_line_is_cut(logs: Logs) -> None:
    """A worker without line ends fills no memory."""
    logs.path.write_bytes(b"x" * (3 * BLOCK_BYTES) + b"\nlast\n")
    huge, last = await logs.last()

    assert len(huge) == LINE_MOST + len(CUT)
    assert last == "last"


# What is no log file


async def test_links_fifos_and_devices_are_not_read(logs: Logs, tmp_path: Path) -> None:
    """A worker that owns its folder could show us anything, or hold us up for ever."""
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    logs.path.symlink_to(secret)
    with pytest.raises(NoOutput, match="symbolic link"):
        await logs.last()

    logs.path.unlink()
    os.mkfifo(logs.path)
    with pytest.raises(NoOutput, match="no regular file"):
        await asyncio.wait_for(logs.last(), 30)

    device = WorkerSpec("web", ("true",), stdout=LogFile("/dev/zero"))
    with pytest.raises(NoOutput, match="no regular file"):
        await asyncio.wait_for(logs.last(worker=device), 30)


async def test_a_link_among_the_rotated_files_ends_the_past(logs: Logs, tmp_path: Path) -> None:
    """It is not followed, and what is newer is shown."""
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    logs.write("line")
    Path(f"{logs.path}.1").symlink_to(secret)

    assert await logs.last() == ["line"]


async def test_why_there_is_no_output_is_said(logs: Logs) -> None:
    """Nothing yet, kept nowhere, or in the other stream."""
    nowhere = WorkerSpec("web", ("true",), stdout=LogFile("none"), redirect_stderr=True)
    with pytest.raises(NoOutput, match="nothing was written yet"):
        await logs.last()
    with pytest.raises(NoOutput, match="stdout_logfile: none"):
        await logs.last(worker=nowhere)
    with pytest.raises(NoOutput, match="redirect_stderr"):
        await logs.last(worker=nowhere, streams=(Stream.STDERR,))


async def test_a_path_of_one_s_own_is_read(logs: Logs, tmp_path: Path) -> None:
    """With the instance's name in it, as it is rendered."""
    (tmp_path / "own-web-0.log").write_text("own\n")
    own = WorkerSpec("web", ("true",), stdout=LogFile(f"{tmp_path}/own-{{instance}}.log"))

    assert await logs.last(worker=own) == ["own"]


# Following


async def some(following: AsyncGenerator[tuple[Line, ...], None], count: int) -> list[str]:
    """Return the next lines, at least so many."""
    lines: list[str] = []
    async with asyncio.timeout(60):
        while len(lines) < count:
            lines += [line.text.decode() for line in await anext(following)]
    return lines


async def test_what_is_written_is_followed(logs: Logs) -> None:
    """A line comes when it is whole, and once."""
    logs.write("old", "newest")
    logs.write("be", ended=False)
    async with aclosing(logs.output.follow(logs.query(1))) as following:
        assert await some(following, 1) == ["newest"]
        logs.write("gun", "next")

        assert await some(following, 2) == ["begun", "next"]


async def test_rotation_is_followed(logs: Logs) -> None:
    """Every line once, in order, through several rotations at once."""
    logs.write("first")
    async with aclosing(logs.output.follow(logs.query())) as following:
        assert await some(following, 1) == ["first"]
        written = numbered(0, 300)
        for number in range(3):
            logs.write(*written[number * 100 : number * 100 + 50])
            logs.rotate()
            logs.write(*written[number * 100 + 50 : number * 100 + 100])

        assert await some(following, 300) == written


async def test_what_was_rotated_away_is_missed_aloud(logs: Logs) -> None:
    """Nobody takes a gap for silence."""
    logs.write("first")
    async with aclosing(logs.output.follow(logs.query())) as following:
        await some(following, 1)
        for number in range(6):
            logs.rotate()
            logs.write(f"line {number}")
        lines = await some(following, 2)

        assert LOST.decode() in lines
        assert lines[-1] == "line 5"


async def test_a_file_that_was_emptied_is_followed(logs: Logs) -> None:
    """As supervisorctl clear does."""
    logs.write(*numbered(0, 100))
    async with aclosing(logs.output.follow(logs.query(1))) as following:
        await some(following, 1)
        logs.path.write_text("")
        logs.write("new")

        assert await some(following, 1) == ["new"]


async def test_only_what_matches_is_followed(logs: Logs) -> None:
    """The pattern holds for the past and for what comes."""
    logs.write("yes 1", "no")
    async with aclosing(logs.output.follow(logs.query(grep="yes"))) as following:
        assert await some(following, 1) == ["yes 1"]
        logs.write("no", "yes 2", "no")

        assert await some(following, 1) == ["yes 2"]


async def test_a_follower_leaves_no_file_open(logs: Logs) -> None:
    """However it is left."""
    logs.write("line")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        async with aclosing(logs.output.follow(logs.query())) as following:
            await some(following, 1)

    assert len(os.listdir("/proc/self/fd")) <= before + 1


# Since a time, and of both streams


def stamped(*seconds: int, text: str = "x") -> list[str]:
    """Return lines that say their time, in seconds of a minute of 2026-01-31."""
    return [f"2026-01-31T09:00:{second:02}Z {text}" for second in seconds]


def since(second: int) -> float:
    """Return that second as unix time."""
    return 1769850000.0 + second


def aged(path: Path, seconds: float) -> None:
    """Let the file be written last so long after nine."""
    os.utime(path, (since(0) + seconds, since(0) + seconds))


async def test_lines_since_a_time_are_found_by_what_they_say(logs: Logs) -> None:
    """Exactly; also through rotation, and together with a pattern."""
    logs.write(*stamped(1, 2), "  of 2")
    logs.rotate()
    logs.write("  of 2 too", *stamped(3), "  of 3", *stamped(4))
    found = await logs.output.last(logs.query(since=since(2)))

    assert [line.text.decode() for line in found.lines] == [
        *stamped(2),
        "  of 2",
        "  of 2 too",
        *stamped(3),
        "  of 3",
        *stamped(4),
    ]
    assert found.dated
    assert await logs.last(since=since(3)) == [*stamped(3), "  of 3", *stamped(4)]
    assert await logs.last(since=since(3), grep="of") == ["  of 3"]
    assert await logs.last(2, since=since(1)) == ["  of 3", *stamped(4)]
    assert await logs.last(since=since(5)) == []


async def test_lines_without_a_time_are_as_old_as_their_file(logs: Logs) -> None:
    """A file that was written last before is left out; of the others it is told that nobody knows."""
    logs.write("oldest")
    logs.rotate()
    logs.write("older")
    logs.rotate()
    logs.write("new")
    aged(Path(f"{logs.path}.2"), 10)
    aged(Path(f"{logs.path}.1"), 20)
    aged(logs.path, 30)
    found = await logs.output.last(logs.query(since=since(15)))

    assert [line.text for line in found.lines] == [b"older", b"new"]
    assert not found.dated
    assert (await logs.output.last(logs.query(since=since(31)))).lines == ()


async def test_an_undated_log_is_not_read_to_its_end(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as there are enough lines that may be wanted."""
    logs.write(*(f"{number} " + "x" * 1000 for number in range(3 * BLOCK_BYTES // 1000)))
    read: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: read.append(size) or pread(fd, size, offset))
    found = await logs.output.last(logs.query(5, since=since(0)))

    assert len(found.lines) == 5
    assert not found.dated
    assert sum(size for size in read if size == BLOCK_BYTES) == BLOCK_BYTES


BOTH = (Stream.STDOUT, Stream.STDERR)


def stderr_of(logs: Logs) -> Path:
    """Return the file of the other stream."""
    return logs.path.with_name("web-0.err.log")


async def test_both_streams_are_merged_by_time(logs: Logs) -> None:
    """Where both say it."""
    logs.write(*stamped(1, 3, text="out"))
    stderr_of(logs).write_text("\n".join([*stamped(2, text="err"), "Traceback", *stamped(4, text="err")]) + "\n")
    found = await logs.output.last(logs.query(streams=BOTH))

    assert [(line.stream.value, line.text.decode()[-9:]) for line in found.lines] == [
        ("stdout", "0:01Z out"),
        ("stderr", "0:02Z err"),
        ("stderr", "Traceback"),
        ("stdout", "0:03Z out"),
        ("stderr", "0:04Z err"),
    ]
    assert found.ordered


async def test_of_both_streams_one_may_be_missing(logs: Logs) -> None:
    """It is passed over, unless there is none; one that goes to the other is not asked for twice."""
    logs.write("out")
    redirected = WorkerSpec("web", ("true",), redirect_stderr=True)
    nowhere = WorkerSpec("web", ("true",), stdout=LogFile("none"), stderr=LogFile("none"))

    assert await logs.last(streams=BOTH) == ["out"]
    assert await logs.last(streams=BOTH, worker=redirected) == ["out"]
    with pytest.raises(NoOutput, match="stdout_logfile: none"):
        await logs.last(streams=BOTH, worker=nowhere)


async def test_both_streams_are_followed(logs: Logs) -> None:
    """Each line with the stream it came from."""
    logs.write("out 1")
    stderr_of(logs).write_text("err 1\n")
    async with aclosing(logs.output.follow(logs.query(streams=BOTH))) as following:
        assert {(line.stream.value, line.text) for line in await anext(following)} == {
            ("stdout", b"out 1"),
            ("stderr", b"err 1"),
        }
        with stderr_of(logs).open("a") as file:
            file.write("err 2\n")
        assert await anext(following) == (Line(Stream.STDERR, b"err 2"),)
        logs.rotate()
        logs.write("out 2")
        assert await anext(following) == (Line(Stream.STDOUT, b"out 2"),)
