"""docs/tutorial/first-crew.md, walked through as it stands, in a fresh checkout whose path has a space."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Nursery, wait_for

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial/first-crew.md"
CTL = "alias ctl='.venv/bin/supervisorctl -c .crewd/engine/supervisorctl.conf'"
INSTALL_SEC = 240.0
ANSWERED = "applied|nothing was changed"
"""What the daemon says to SIGHUP."""

STORY = [
    (CTL, ""),
    ("ctl status", r"broken-0 +FATAL(.|\n)*primes-3 +RUNNING(.|\n)*steady-0 +RUNNING"),
    ("ctl pid primes-2", r"^[1-9]\d*$"),
    ("kill -KILL $(ctl pid primes-2)", ""),
    ("ctl pid primes-2", r"^[1-9]\d*$"),
    ("kill -TERM $(ctl pid steady-0)", ""),
    ("ctl status steady-0", "EXITED"),
    ("ctl start steady-0", "started"),
    ("ctl why broken-0", "ExitCode(.|\n)*StartLimitHit"),
    ("tail -n 1 .crewd/log/workers/broken-0.err.log", "cannot read settings"),
    ("sed -i 's/instances: 4/instances: 6/' examples/crew.yaml", ""),
    ("kill -HUP $(cat .crewd/lib/crewd.lock)", ""),
    ("ctl status", r"primes-5 +RUNNING"),
    ("sed -i 's/instances: 6/instances: many/' examples/crew.yaml", ""),
    (".venv/bin/crewd check -c examples/crew.yaml", r"examples/crew.yaml:\d+:\d+: workers.primes.instances: "),
    ("kill -HUP $(cat .crewd/lib/crewd.lock)", ""),
    ("git checkout examples/crew.yaml", ""),
    ("kill -HUP $(cat .crewd/lib/crewd.lock)", ""),
    ("tail -n 3 .crewd/engine/journal/*/*.jsonl", '"type":"generation_ended"'),
]
"""Each command of the page after `make run`, and what it comes to say; one without a pattern succeeds at once."""


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A fresh checkout of what lies here, committed or not."""
    top = Path(tempfile.mkdtemp(prefix="crewd-"))
    directory = top / "a checkout"
    names = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "a checkout"]):
        subprocess.run([*git, *command], cwd=directory, check=True)
    yield directory
    shutil.rmtree(top)


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """What is started here ends here."""
    nursery = Nursery()
    yield nursery
    nursery.close()


class Terminal:
    """The tutorial's first terminal: `make run`."""

    def __init__(self, nursery: Nursery, checkout: Path, output: Path) -> None:
        self.nursery, self.output = nursery, output
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("CREWD_", "MAKE"))}
        self.pid = nursery.spawn(["make", "run"], environ, str(checkout), str(output))

    def text(self) -> str:
        """Return all that it shows."""
        return self.output.read_text()

    def reads(self, pattern: str, times: int = 1, timeout: float = 20.0) -> None:
        """Wait until it shows something so many times."""
        wait_for(lambda: len(re.findall(pattern, self.text())) >= times, timeout, lambda: f"{pattern} in {self.text()}")

    def interrupt(self) -> None:
        """Press Ctrl-C, and see that nothing is left behind."""
        os.killpg(self.pid, signal.SIGINT)
        self.nursery.wait(self.pid, 30.0)

        assert not self.nursery.members()


def commands() -> list[str]:
    """Return what the page has typed at the second terminal."""
    return [line for line in re.findall(r"^\$ (.*)", PAGE.read_text(), re.MULTILINE) if line != "make run"]


def type_in(checkout: Path, command: str) -> tuple[int, str]:
    """Run a command of the page; return its status, and what it said."""
    script = f"{CTL}\n{command}"
    done = subprocess.run(
        ["bash", "-O", "expand_aliases", "-c", script], cwd=checkout, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def walk(checkout: Path, terminal: Terminal, story: list[tuple[str, str]]) -> None:
    """Type in each command and wait for what it comes to say."""
    for command, pattern in story:
        said = terminal.text()
        if pattern:
            wait_for(lambda: re.search(pattern, type_in(checkout, command)[1]), 20.0, command)  # noqa: B023 - used at once
        else:
            assert type_in(checkout, command)[0] == 0, command
        if "-HUP" in command:
            terminal.reads(ANSWERED, len(re.findall(ANSWERED, said)) + 1)


def test_the_page_and_this_story_have_the_same_commands() -> None:
    """A command that is added to the page is tried here, too."""
    assert commands() == [command for command, _ in STORY]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_first_crew_lives_as_the_tutorial_says(checkout: Path, nursery: Nursery, tmp_path: Path) -> None:
    """From a fresh checkout to a running crew by one command, and by Ctrl-C to nothing; the second time at once."""
    first = Terminal(nursery, checkout, tmp_path / "first")
    first.reads(r"\bready\b", timeout=INSTALL_SEC)
    walk(checkout, first, STORY[:-1])
    first.reads(r'removed="primes-4 primes-5" kept=7')
    first.interrupt()
    walk(checkout, first, STORY[-1:])
    second = Terminal(nursery, checkout, tmp_path / "second")
    second.reads(r"\bready\b")

    assert "set-up" not in second.text()
    assert re.search(r"broken-0 +FATAL", type_in(checkout, "ctl status")[1])

    second.interrupt()
