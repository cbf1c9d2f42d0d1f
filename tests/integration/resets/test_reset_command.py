"""Resets of type command: real programs."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from crewd.model.spec import ResetAction
from crewd.plugin import Occasion, Step
from crewd.reconcile.clearing import cleared
from crewd_plugins.resets.command import OUTPUT_BYTES, CommandOptions
from harness.waiting import wait_for

RUNS = Occasion("ingest", ("ingest-0", "ingest-1"))


async def reset(*argv: str, **options: Any) -> Step:
    """Carry one out; return its only step."""
    [step] = await cleared(ResetAction("command", CommandOptions(argv=argv, **options)), RUNS)
    return step


async def python(program: str, *arguments: str, **options: Any) -> Step:
    """Run a program in Python."""
    return await reset(sys.executable, "-c", program, *arguments, **options)


async def test_a_program_that_ends_well_is_a_success() -> None:
    """With its exit code."""
    step = await reset("/bin/true")

    assert step == Step("run_command", "/bin/true", details={"exit_code": 0})


async def test_a_program_that_fails_says_why() -> None:
    """Its exit code and its last line, from either stream."""
    step = await python("import sys; print('one', flush=True); print('the lock hangs', file=sys.stderr); sys.exit(3)")

    assert step.error == f"cannot run {sys.executable}: it ended with exit code 3: the lock hangs"
    assert step.details == {"exit_code": 3}
    killed = await python("import os; os.kill(os.getpid(), 9)")
    assert killed.error.endswith("it ended with signal 9")


async def test_no_shell_looks_at_the_arguments(tmp_path: Path) -> None:
    """They reach the program as they stand."""
    file = tmp_path / "seen"
    hostile = ("$(touch x)", "; rm -rf /", "a b", "*", "")

    await python("import sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))", str(file), *hostile)

    assert file.read_text() == repr(list(hostile))


async def test_the_daemon_s_environment_is_not_the_program_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows the worker, its instances, and where programs lie."""
    monkeypatch.setenv("CREWD_DATABASE_URL", "postgresql://user:s3cret@host/db")
    file = tmp_path / "seen"

    await python("import os, sys; open(sys.argv[1], 'w').write(repr(sorted(os.environ.items())))", str(file))

    seen = dict(eval(file.read_text()))
    assert set(seen) - {"LC_CTYPE"} <= {"PATH", "LANG", "TZ", "CREWD_WORKER_ID", "CREWD_INSTANCES"}
    assert (seen["CREWD_WORKER_ID"], seen["CREWD_INSTANCES"]) == ("ingest", "ingest-0 ingest-1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as somebody else")
async def test_it_runs_as_the_user_that_is_named(tmp_path: Path) -> None:
    """With that user's groups and home, and nothing of root's."""
    tmp_path.chmod(0o777)
    os.chmod(tmp_path.parent, 0o755)
    told = "/usr/bin/id -u; /usr/bin/id -G; echo $HOME; echo $USER"

    step = await reset("/bin/sh", "-c", f"({told}) >&2; exit 1", user="nobody")
    groups = await reset("/bin/sh", "-c", "/usr/bin/id -G; exit 1", user="nobody")

    assert step.error.endswith(": nobody")
    assert groups.error.endswith(": 65534")


async def test_a_program_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    """At the deadline; nothing of it is left."""
    file = tmp_path / "pids"
    program = (
        "import os, sys, time\n"
        "child = os.fork()\n"
        "if child: open(sys.argv[1], 'w').write(f'{os.getpid()} {child}')\n"
        "time.sleep(60)\n"
    )
    begun = time.monotonic()

    step = await python(program, str(file), deadline_sec=5.0)

    assert step.error == "not done within 5 s"
    assert time.monotonic() - begun < 30.0
    pids = [int(pid) for pid in file.read_text().split()]
    assert len(pids) == 2
    wait_for(lambda: not any(alive(pid) for pid in pids), 30.0, lambda: f"{pids} live")


def alive(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_what_a_program_leaves_behind_is_ended_and_not_waited_for() -> None:
    """A child that still holds its output."""
    begun = time.monotonic()

    step = await reset("/bin/sh", "-c", "sleep 60 & exit 0", deadline_sec=30.0)

    assert step.success
    assert time.monotonic() - begun < 25.0


async def test_a_program_that_says_much_fills_no_memory() -> None:
    """The end of it is kept."""
    program = f"import sys; sys.stdout.write('x' * {OUTPUT_BYTES * 40}); print(); print('the end'); sys.exit(1)"

    step = await python(program)

    assert step.error.endswith(": the end")


@pytest.mark.parametrize("argv", [("/none/such",), ("crewd-no-such-program",), ("/etc/passwd",)])
async def test_a_program_that_is_none_is_told(argv: tuple[str, ...]) -> None:
    """Not there, or not to be executed."""
    step = await reset(*argv)

    assert step.error.startswith(f"cannot run {argv[0]}: ")
    assert not step.success
