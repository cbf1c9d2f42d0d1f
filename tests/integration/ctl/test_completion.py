"""Completion in real shells: commands, options, and names asked of the daemon."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.canned_api import Api, data
from harness.crewctl import Terminal, environ
from harness.crewctl_answers import crew, instance, many, worker
from harness.waiting import wait_for

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
FILES = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish"}
MOST_SEC = 0.15
SILENT_SEC = 5.0
CREW = crew(
    worker(instance("ingest-0"), instance("ingest-1"), labels={"tier": "front", "odd": "$(reboot) x"}),
    worker(instance("mail-0"), labels={"tier": "back"}),
)


def file(shell: str, program: str) -> Path:
    """Return where the script lies."""
    return ROOT / "packaging/completions" / FILES[shell].format(program)


def shell_environ(root: Path) -> dict[str, str]:
    """Return the environment of somebody who has both programs."""
    return environ(root) | {"PATH": f"{BIN}:{environ(root)['PATH']}", "HOME": str(root)}


def bash(root: Path, *words: str, program: str = "crewctl") -> list[str]:
    """Return what bash is given for these words, broken as bash breaks them; the last one is typed."""
    quoted = " ".join(f"'{word}'" for word in (program, *words))
    script = f"""compopt() {{ :; }}
        source '{file("bash", program)}'
        COMP_WORDS=({quoted}) COMP_CWORD={len(words)}
        _{program}_completion {program}
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    command = ["bash", "--norc", "-c", script]
    done = subprocess.run(command, env=shell_environ(root), capture_output=True, text=True, check=False, timeout=90)
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if line]


@pytest.fixture(autouse=True)
def crewd(api: Api) -> Api:
    """Answers with two workers."""
    api.serve("GET /workers", data(CREW))
    return api


@pytest.mark.parametrize("shell", FILES)
@pytest.mark.parametrize("program", ["crewd", "crewctl"])
def test_the_scripts_that_are_shipped_are_those_that_are_printed(root: Path, shell: str, program: str) -> None:
    """After a change: `crewctl completion bash > packaging/completions/crewctl.bash`, and so on."""
    command = [BIN / program, "completion", shell]
    printed = subprocess.run(command, env=shell_environ(root), capture_output=True, text=True, check=True).stdout

    assert file(shell, program).read_text() == printed


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("sta",), ["status", "stats", "start"]),
        (("top", "--so"), ["--sort"]),
        (("top", "--sort", "c"), ["cpu"]),
        (("top", "--sort", "=", "c"), ["cpu"]),
        (("batch", "re"), ["restart", "reset-failed"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("events", "--type", "spawn"), ["spawned", "spawn_failed"]),
        (("status", ""), ["ingest", "mail", "tier=back", "tier=front"]),
        (("status", "ing"), ["ingest"]),
        (("restart", "ingest"), ["ingest", "ingest-0", "ingest-1"]),
        (("restart", "ingest-0", "ingest-"), ["ingest-1"]),
        (("logs", "-f", "ma"), ["mail"]),
        (("stop", "tier"), ["tier=back", "tier=front"]),
        (("stop", "tier", "=", "fr"), ["front"]),
        (("stop", "tier", "="), ["back", "front"]),
        (("stop", "nobody"), []),
    ],
)
def test_bash_is_given_what_may_follow(root: Path, words: Sequence[str], found: list[str]) -> None:
    """Commands, options, their values, and names: also those that bash breaks at their signs."""
    wait_for(lambda: bash(root, *words) == found, what=lambda: bash(root, *words))  # it waits no longer than 0.1 s


def test_crewd_is_completed_too(root: Path) -> None:
    """Its commands and options."""
    assert bash(root, "ch", program="crewd") == ["check"]
    assert bash(root, "run", "--log-f", program="crewd") == ["--log-format"]
    assert bash(root, "run", "--log-level", "w", program="crewd") == ["warning"]


def test_the_daemon_is_asked_that_the_options_name(root: Path, tmp_path: Path, api: Api) -> None:
    """Not the one of the home."""
    (tmp_path / "run").mkdir()
    assert bash(tmp_path, "status", "ing") == []
    wait_for(lambda: bash(tmp_path, "--socket", api.path, "status", "ing") == ["ingest"])


def test_without_a_daemon_it_is_silent(tmp_path: Path) -> None:
    """Whatever is wrong: nobody there, nobody who answers, nonsense on the command line."""
    assert bash(tmp_path, "status", "") == []
    assert bash(tmp_path, "--host", "http", ":", "//elsewhere", ":", "1", "status", "") == []
    assert bash(tmp_path, "sta") == ["status", "stats", "start"]


def took(root: Path, words: str) -> tuple[float, float]:
    """Return the seconds of one completion, and of a processor, which do not depend on what others do meanwhile."""
    variables = shell_environ(root) | {"_CREWCTL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
    begun = time.monotonic()
    process = subprocess.Popen([BIN / "crewctl"], env=variables, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.monotonic() - begun, used.ru_utime + used.ru_stime


def test_it_is_quick(root: Path, crewd: Api) -> None:
    """With a thousand workers."""
    crewd.serve("GET /workers", data(many(1000)))

    assert min(took(root, "crewctl status web00")[1] for _ in range(5)) < MOST_SEC


def test_a_daemon_that_does_not_answer_holds_nobody_up(root: Path, crewd: Api) -> None:
    """Its patience is a tenth of a second, for the answer to begin and for each part."""
    crewd.serve("GET /workers", lambda _: time.sleep(SILENT_SEC) or data(CREW))

    assert min(took(root, "crewctl status web")[0] for _ in range(3)) < SILENT_SEC / 2


START = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}
PREPARE = {
    "bash": "PS1='ready$ '; source {}\n",
    "zsh": "PS1='ready$ '; autoload -U compinit; compinit -D -u; source {}\n",
    "fish": "function fish_prompt; echo -n 'ready$ '; end; source {}\n",
}


def completes(terminal: Terminal, typed: str, completed: str) -> None:
    """Type it with TAB behind, and take it away again; anew where the answer was not there in a tenth of a second."""
    for _ in range(10):
        terminal.types(f"{typed}\t")
        with contextlib.suppress(AssertionError):
            wait_for(lambda: completed in terminal.text(), 5.0, terminal.text)
        terminal.types("\x15")
        if completed in terminal.text():
            return
    raise AssertionError(terminal.text())


@pytest.mark.parametrize("shell", START)
def test_a_shell_completes_what_is_typed(root: Path, shell: str) -> None:
    """In a terminal, by TAB: a command, a worker, a label."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    path = shell_environ(root)["PATH"]
    with Terminal(root, f"PATH={path}", f"HOME={root}", *START[shell], program=("env",)) as terminal:
        terminal.types(PREPARE[shell].format(file(shell, "crewctl")))
        terminal.reads("ready$ ")
        completes(terminal, "crewctl shutd", "crewctl shutdown")
        completes(terminal, "crewctl status ing", "crewctl status ingest")
        completes(terminal, "crewctl stop tier=fr", "tier=front")
        terminal.types("exit\n")
        terminal.ends()
