"""`crewctl top` on a terminal and through a pipe."""

import json
import signal
import time
from pathlib import Path

import pytest

from harness.canned_api import Api, data
from harness.crewctl import Terminal, crewctl
from harness.crewctl_answers import crew, instance, worker
from harness.waiting import wait_for

MIB = 1024**2
CREW = crew(
    worker(instance("web-0", cpu_usage=12.5, memory_usage=50 * MIB), instance("web-1", cpu_usage=80.0)),
    worker(instance("mail-0", "error", restart_count=7)),
)
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?25h\x1b[?1049l"


@pytest.fixture(autouse=True)
def crewd(api: Api) -> Api:
    """Answers with three instances."""
    api.serve("GET /workers", data(CREW))
    return api


def names(frame: list[str]) -> list[str]:
    """Return the instances of a frame, in their order."""
    head = next(at for at, line in enumerate(frame) if line.startswith("INSTANCE"))
    return [line.split()[0] for line in frame[head + 1 : -1] if line]


def test_a_pipe_gets_one_table(root: Path, crewd: Api) -> None:
    """Nothing hangs without a terminal; one request, which asks for figures that are fresh."""
    ran = crewctl(root, "top")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert [line.split()[0] for line in ran.stdout.splitlines()[5:]] == ["web-1", "web-0", "mail-0"]
    assert "\x1b" not in ran.stdout
    assert [(one.what, one.query) for one in crewd.asked] == [("GET /api/v1/workers", (("fresh", "2s"),))]


def test_so_many_tables_come_one_below_the_other(root: Path, crewd: Api) -> None:
    """Each a request, so many seconds apart."""
    begun = time.monotonic()
    ran = crewctl(root, "top", "-n", "2", "-d", "1", "--sort", "name", "web")

    assert time.monotonic() - begun >= 1
    assert ran.stdout.count("INSTANCE") == 2
    assert [one.query for one in crewd.asked] == [(("worker", "web"), ("fresh", "1s"))] * 2


def test_as_json_each_look_is_a_line(root: Path) -> None:
    """The API's members, in order."""
    ran = crewctl(root, "top", "-o", "json", "-n", "2", "-d", "1", "--sort", "restarts")
    looks = [json.loads(line) for line in ran.stdout.splitlines()]

    assert len(looks) == 2
    assert [one["instance"] for one in looks[0]["instances"]] == ["mail-0", "web-0", "web-1"]
    assert looks[0]["summary"]["instances"] == 3


def test_what_makes_no_sense_is_refused(root: Path) -> None:
    """With what is understood."""
    for arguments in (("-d", "0.1"), ("-n", "0"), ("--sort", "beauty"), ("web", "--all")):
        assert crewctl(root, "top", *arguments).returncode == 2


def test_without_a_daemon_it_ends_at_once(tmp_path: Path) -> None:
    """As every command that shows."""
    ran = crewctl(tmp_path, "top")

    assert (ran.returncode, ran.stdout) == (4, "")
    assert "cannot reach crewd at" in ran.stderr


def test_on_a_terminal_it_is_drawn_in_place(root: Path) -> None:
    """On the alternate screen, as many lines as rows; keys sort, and q ends and leaves no trace."""
    with Terminal(root, "top", width=100, rows=20) as terminal:
        terminal.reads("web-1")
        assert names(terminal.frames()[0]) == ["web-1", "web-0", "mail-0"]
        assert {len(frame) for frame in terminal.frames()} == {20}
        for key, first in (("m", "web-0"), ("r", "mail-0"), ("c", "web-1"), ("n", "web-0")):
            terminal.types(key)
            wait_for(lambda first=first: names(terminal.frames()[-1])[0] == first)
        terminal.types("q")

        assert terminal.ends() == 0
        assert terminal.raw().startswith(ENTERED)
        assert terminal.raw().endswith(LEFT)
        assert terminal.modes() == terminal.modes_before


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
def test_whatever_ends_it_the_terminal_is_as_it_was(root: Path, number: int, code: int) -> None:
    """The cursor, the screen, and how keys are read."""
    with Terminal(root, "top") as terminal:
        terminal.reads("web-1")
        assert terminal.modes() != terminal.modes_before
        terminal.signals(number)

        assert terminal.ends() == code
        assert terminal.raw().endswith(LEFT)
        assert terminal.modes() == terminal.modes_before


def test_ctrl_c_ends_it(root: Path) -> None:
    """Typed, not sent."""
    with Terminal(root, "top") as terminal:
        terminal.reads("web-1")
        terminal.types("\x03")

        assert terminal.ends() == 130
        assert terminal.raw().endswith(LEFT)


def test_ctrl_z_gives_the_terminal_back_meanwhile(root: Path) -> None:
    """And it goes on afterwards."""
    with Terminal(root, "top", "-d", "1") as terminal:
        terminal.reads("web-1")
        terminal.signals(signal.SIGTSTP)
        wait_for(lambda: terminal.raw().endswith(LEFT))
        wait_for(lambda: terminal.modes() == terminal.modes_before)
        drawn = len(terminal.frames())
        terminal.signals(signal.SIGCONT)

        wait_for(lambda: len(terminal.frames()) > drawn)
        assert terminal.raw().count(ENTERED) == 2
        terminal.types("q")
        assert terminal.ends() == 0


def test_another_size_is_drawn_at_once(root: Path, crewd: Api) -> None:
    """Without another request, and without waiting for the next look."""
    with Terminal(root, "top", "-d", "3600", width=100, rows=20) as terminal:
        terminal.reads("web-1")
        terminal.resizes(60, 12)
        wait_for(lambda: len(terminal.frames()[-1]) == 12)

        assert max(map(len, terminal.frames()[-1])) <= 60
        assert len(crewd.asked) == 1


def test_a_daemon_that_goes_away_is_said_and_asked_again(root: Path, crewd: Api) -> None:
    """What was last seen stays."""
    with Terminal(root, "top", "-d", "1", width=160) as terminal:
        terminal.reads("web-1")
        crewd.shutdown()
        crewd.socket.close()
        terminal.reads("▲ cannot reach crewd at")

        assert names(terminal.frames()[-1]) == ["web-1", "web-0", "mail-0"]
        (root / "run/crewd.sock").unlink()
        with Api(root) as again:
            again.serve("GET /workers", data(crew(worker(instance("back-0")))))
            terminal.reads("back-0")
            assert "cannot reach" not in "\n".join(terminal.frames()[-1])
            terminal.types("q")
            assert terminal.ends() == 0
        (root / "run/crewd.sock").touch()


def test_it_asks_once_for_each_look(root: Path, crewd: Api) -> None:
    """Keys ask nothing."""
    with Terminal(root, "top", "-d", "1"):
        wait_for(lambda: len(crewd.asked) >= 3)
    with Terminal(root, "top", "-d", "3600") as terminal:
        terminal.reads("web-1")
        asked, drawn = len(crewd.asked), len(terminal.frames())
        terminal.types("mcrn")
        wait_for(lambda: len(terminal.frames()) > drawn)

        assert len(crewd.asked) == asked
