"""Set-up: which packages of the system are installed, by a dpkg and an apt-get that say what they were asked."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.builds import CHECKOUT

PROGRAMS = {
    "dpkg-query": '[ "$4" = curl ] && echo "install ok installed"',
    "id": "echo 0",
    "apt-get": 'echo "$@" >>"$ASKED"',
}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with curl, where everybody is root."""
    (tmp_path / "bin").mkdir()
    for name, script in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def installed(machine: Path, *packages: str) -> list[str]:
    """Return what apt-get is asked to install where these are wanted."""
    variables = {"PATH": f"{machine}/bin:{os.environ['PATH']}", "ASKED": f"{machine}/asked"}
    command = [CHECKOUT / ".ci/system-packages", *packages]
    subprocess.run(command, env=variables, check=True, capture_output=True, timeout=60)
    if not (machine / "asked").exists():
        return []
    update, install = (machine / "asked").read_text().splitlines()
    assert update.startswith("update")
    return [word for word in install.split()[1:] if not word.startswith("-")]


def test_all_that_the_tests_need_is_installed(machine: Path) -> None:
    """As .ci/debian-packages lists it, but what is there already."""
    lines = (CHECKOUT / ".ci/debian-packages").read_text().splitlines()
    listed = [words[0] for line in lines if (words := line.partition("#")[0].split())]

    assert "postgresql" in listed
    assert installed(machine) == [name for name in listed if name != "curl"]


def test_who_names_packages_gets_these_alone(machine: Path) -> None:
    """No server comes to a machine where only the package is built."""
    assert installed(machine, "debhelper", "curl") == ["debhelper"]


def test_nothing_is_asked_for_where_nothing_is_missing(machine: Path) -> None:
    """Not even the lists are fetched."""
    assert installed(machine, "curl") == []


def test_the_package_is_built_with_little() -> None:
    """Whoever builds it as root does not want the tests' servers."""
    recipe = re.search(r"^deb:.*\n((?:\t.*\n)+)", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)

    assert recipe is not None
    assert "@.ci/system-packages debhelper python3\n" in recipe[1]
