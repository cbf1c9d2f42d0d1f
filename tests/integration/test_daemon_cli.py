"""The command line: check, render, schema, and how quick it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crewd import __version__
from crewd.model.home import Home

COMMAND = (sys.executable, "-c", "from crewd.cli import main; main()")
CREW = "workers:\n  web: {command: [sleep, '1'], instances: 3}\n  job: {command: [sleep, '1']}\n"
LIMIT_THAT_NEVER_FIRES = """
workers:
  web: {command: [sleep, '1'], restart_sec: 60s, restart_max_delay_sec: 300s, start_limit_interval_sec: 10s}
"""


def crewd(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run crewd with its home under ``root``."""
    environ = {"PATH": os.environ["PATH"], "CREWD_HOME": str(root)}
    return subprocess.run([*COMMAND, *arguments], env=environ, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A home with a crew."""
    (tmp_path / "etc").mkdir()
    Path(Home.under(str(tmp_path)).config).write_text(CREW)
    return tmp_path


def test_check_counts(root: Path) -> None:
    """Workers and instances; and it touches nothing."""
    ran = crewd(root, "check")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "2 workers, 4 instances: ok\n", "")
    assert sorted(os.listdir(root)) == ["etc"]


def test_check_tells_every_mistake(root: Path) -> None:
    """One line each on standard error, exit 78."""
    path = root / "other.yaml"
    path.write_text("workers:\n  web: {command: [true], instances: many}\n  job: {comand: [true]}\n")
    ran = crewd(root, "check", "-c", "other.yaml")

    assert ran.returncode == 78
    assert ran.stdout == ""
    assert all(line.startswith("other.yaml:") for line in ran.stderr.splitlines())
    assert {line.split(":")[1] for line in ran.stderr.splitlines()} == {"2", "3"}


def test_check_warns(root: Path) -> None:
    """A warning is shown, and it is no mistake."""
    (root / "other.yaml").write_text(LIMIT_THAT_NEVER_FIRES)
    ran = crewd(root, "check", "-c", "other.yaml")

    assert ran.returncode == 0
    assert ran.stdout.startswith("warning: other.yaml:3:")
    assert ran.stdout.endswith("1 worker, 1 instance: ok\n")


@pytest.mark.parametrize("command", ["run", "check", "render"])
def test_a_home_that_cannot_be_is_a_wrong_configuration(root: Path, command: str) -> None:
    """Its path leaves no room for the sockets: 78, and one line that says so."""
    deep = root / ("x" * 100)
    deep.mkdir()
    ran = crewd(deep, command)

    assert ran.returncode == 78
    assert "too long" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_render_prints_the_configuration(root: Path) -> None:
    """A section for each instance; and it touches nothing."""
    ran = crewd(root, "render")

    assert ran.returncode == 0
    sections = [line for line in ran.stdout.splitlines() if line.startswith("[program:")]
    assert sections == ["[program:web-0]", "[program:web-1]", "[program:web-2]", "[program:job-0]"]
    assert sorted(os.listdir(root)) == ["etc"]


def test_the_schema_is_json_and_the_sample_passes_the_check(root: Path) -> None:
    """Both come from the one model."""
    assert json.loads(crewd(root, "schema").stdout)["properties"].keys() >= {"workers", "crewd", "defaults"}

    (root / "sample.yaml").write_text(crewd(root, "schema", "--sample").stdout)
    ran = crewd(root, "check", "-c", "sample.yaml")
    assert ran.returncode == 0, ran.stderr


def test_the_version_is_told_quickly(root: Path) -> None:
    """Without loading what only the other commands need."""
    ran = crewd(root, "--version")
    assert ran.stdout == f"crewd, version {__version__}\n"

    loads = "import sys; import crewd.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "yaml", "jinja2", "structlog", "asyncio", "supervisor"} & set(loaded)


def test_the_daemon_does_not_load_what_only_others_need(root: Path) -> None:
    """It stays small: rendering and verifying are crewd-apply's, in a process of its own."""
    loads = "import sys; import crewd.app.daemon; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout.split()

    assert not {"jinja2", "supervisor", "crewd.apply", "crewd.supervisord.render"} & set(loaded)
