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
from harness.ports import free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial/first-crew.md"
PRELUDE = (
    'export CREWD_HOME="$PWD/.crewd"',
    """alias crewctl="'$PWD/.venv/bin/crewctl'\"""",
    """alias supervisorctl="'$PWD/.venv/bin/crewd-supervisorctl'\"""",
)
"""What the page has typed once, and what holds for all commands after it."""
LISTEN = "127.0.0.1:3000"
"""Where the page finds the metrics; the test listens elsewhere, for another crew may run on this machine."""
INSTALL_SEC = 240.0
COMES_SEC = 60.0

STORY = [
    (PRELUDE[0], ""),
    (PRELUDE[1], ""),
    ("crewctl status", r"broken-0 +\S error(.|\n)*primes-3 +\S running(.|\n)*steady-0 +\S running"),
    (PRELUDE[2], ""),
    ("supervisorctl status", r"broken-0 +FATAL(.|\n)*steady-0 +RUNNING"),
    ("kill -KILL $(supervisorctl pid primes-2)", ""),
    ("crewctl status primes-2", r"running +[1-9]\d* .* 1 +- +.*SIGKILL \(Signal\)"),
    ("crewctl events primes-2 -n 5", r"started: pid \d+, \S+ ms after it was due(.|\n)*the start succeeded"),
    ("kill -TERM $(supervisorctl pid steady-0)", ""),
    ("crewctl status steady", r"steady-0 +\S stopped .*SIGTERM \(CleanExit\)"),
    ("crewctl start steady", r"steady-0 +started"),
    ("crewctl why broken", r"`reset-failed broken-0`(.|\n)*ExitCode(.|\n)*StartLimitHit"),
    ("crewctl logs broken --stderr -n 1", "cannot read settings"),
    ("crewctl stop primes-3", r"primes-3 +stopped"),
    ("crewctl status primes", r"primes-3 +\S stopped"),
    ("crewctl start primes-3", r"primes-3 +started"),
    (
        f"curl -s http://{LISTEN}/metrics | grep '^crewd_worker_exits_total.*primes'",
        r'worker="primes",reason="Signal"} 1\b',
    ),
    ("sed -i 's/instances: 4/instances: 6/' examples/crew.yaml", ""),
    ("crewctl reload", r"added: primes-4, primes-5\nkept: 8"),
    ("crewctl status primes", r"primes-5 +\S running"),
    ("sed -i 's/instances: 6/instances: many/' examples/crew.yaml", ""),
    ("crewctl check -c examples/crew.yaml", r"^examples/crew.yaml:\d+:\d+: workers.primes.instances: "),
    ("crewctl reload", r"/examples/crew.yaml:\d+:\d+: (.|\n)*nothing was changed"),
    ("git checkout examples/crew.yaml", ""),
    ("crewctl reload", r"removed: primes-4, primes-5\nkept: 8"),
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
        environ["CREWD_LISTEN"] = self.listen = f"127.0.0.1:{free_port()}"
        self.pid = nursery.spawn(["make", "run"], environ, str(checkout), str(output))

    def text(self) -> str:
        """Return all that it shows."""
        return self.output.read_text()

    def reads(self, pattern: str, timeout: float = COMES_SEC) -> None:
        """Wait until it shows something."""
        wait_for(lambda: re.search(pattern, self.text()), timeout, lambda: f"{pattern} in {self.text()}")

    def interrupt(self) -> None:
        """Press Ctrl-C, and see that nothing is left behind."""
        os.killpg(self.pid, signal.SIGINT)
        self.nursery.wait(self.pid, COMES_SEC)

        assert self.nursery.left() == []


def commands() -> list[str]:
    """Return what the page has typed at the second terminal."""
    return [line for line in re.findall(r"^\$ (.*)", PAGE.read_text(), re.MULTILINE) if line != "make run"]


def type_in(checkout: Path, command: str) -> tuple[int, str]:
    """Run a command of the page; return its status, and what it said."""
    script = "\n".join((*PRELUDE, command))
    done = subprocess.run(
        ["bash", "-O", "expand_aliases", "-c", script], cwd=checkout, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def walk(checkout: Path, terminal: Terminal, story: list[tuple[str, str]]) -> None:
    """Type in each command and wait for what it comes to say."""
    for command, pattern in story:
        typed = command.replace(LISTEN, terminal.listen)
        if pattern:
            wait_for(lambda: re.search(pattern, type_in(checkout, typed)[1]), COMES_SEC, command)  # noqa: B023 - used at once
        else:
            assert type_in(checkout, typed)[0] == 0, command


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
    first.reads(r'removed="primes-4 primes-5" kept=8')
    first.interrupt()
    walk(checkout, first, STORY[-1:])
    second = Terminal(nursery, checkout, tmp_path / "second")
    second.reads(r"\bready\b")

    assert "set-up" not in second.text()
    walk(checkout, second, [("crewctl status", r"broken-0 +\S error")])

    second.interrupt()
