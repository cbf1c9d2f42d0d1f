"""crewd as pip installs it: the wheel alone, in an environment of the system's Python, with no checkout in sight."""

import os
import subprocess
from pathlib import Path

import pytest

from crewd import __version__
from crewd.man import PAGES
from harness import installation
from harness.builds import CHECKOUT
from harness.installation import PYTHON

PACKAGING = CHECKOUT / "packaging"
CARRIED = ("completions", "man", "systemd", "prometheus", "grafana")
"""Folders of ``packaging`` that an installation needs; what makes them is left out."""
CREW = "workers: {web: {command: [sleep, '1000'], instances: 2}}\n"
pytestmark = pytest.mark.skipif(not os.access(PYTHON, os.X_OK), reason="the system has no python3 of its own")


@pytest.fixture(scope="module")
def environment() -> Path:
    """A virtual environment with what pip made of the checkout in it: a wheel, and what it asks for."""
    return installation.built()


def crewd(environment: Path, *arguments: str, home: Path) -> str:
    """Run a command far from the checkout, and return what it prints."""
    variables = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "CREWD_HOME": str(home)}
    command = [str(environment / "bin/python"), str(environment / "bin/crewd"), *arguments]
    return subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=True).stdout


def test_supervisorctl_is_for_the_home_that_is_meant(environment: Path, tmp_path: Path) -> None:
    """It asks no other supervisord where there is none of crewd's, and says which file it misses."""
    command = [str(environment / "bin/python"), str(environment / "bin/crewd-supervisorctl"), "status"]
    variables = {"PATH": "/usr/bin:/bin", "CREWD_HOME": str(tmp_path)}
    asked = subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=False)

    assert asked.returncode == 2
    assert f"{tmp_path}/engine/supervisorctl.conf" in asked.stderr


def test_it_holds_all_that_it_needs(environment: Path, tmp_path: Path) -> None:
    """Template, schema, migrations and units come with it; a crew is checked and rendered."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/crewd.yaml").write_text(CREW)

    assert crewd(environment, "--version", home=tmp_path) == f"crewd, version {__version__}\n"
    assert "restart_sec" in crewd(environment, "schema", home=tmp_path)
    assert crewd(environment, "check", home=tmp_path).endswith("2 instances: ok\n")
    assert "[program:web-1]" in crewd(environment, "render", home=tmp_path)
    assert [file for file in environment.rglob("*.pth") if str(CHECKOUT) in file.read_text()] == []


def test_all_code_comes_with_it(environment: Path) -> None:
    """Of the three packages, and the template that supervisord's configuration is made of."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    for tree, package in (("daemon", "crewd"), ("plugins", "crewd_supervisord"), ("plugins", "crewd_plugins")):
        for file in (CHECKOUT / tree / package).rglob("*.py"):
            assert (packages / file.relative_to(CHECKOUT / tree)).read_bytes() == file.read_bytes()
    template = "supervisord.conf.j2"
    assert (packages / "crewd/supervisord" / template).read_bytes() == (CHECKOUT / template).read_bytes()


@pytest.mark.parametrize("folder", CARRIED)
def test_what_else_an_installation_needs_comes_with_it(environment: Path, folder: str) -> None:
    """Each file as it is, whatever its name is there."""
    places = (environment / "share", *environment.glob("lib/python3*/site-packages/crewd"))
    carried = {one.read_bytes() for place in places for one in place.rglob("*") if one.is_file()}
    files = [one for one in (PACKAGING / folder).rglob("*") if one.is_file() and one.suffix not in {".py", ".pyc"}]

    assert files
    assert not [str(one) for one in files if one.read_bytes() not in carried]


@pytest.mark.parametrize("page", PAGES)
def test_man_finds_its_pages(environment: Path, page: str) -> None:
    """In the folder of their section, below the prefix."""
    assert (environment / f"share/man/man{page[-1]}/{page}").is_file()


def test_its_units_run_the_environment_that_it_is_in(environment: Path, tmp_path: Path) -> None:
    """Written by one command, with nothing left to fill in."""
    units = tmp_path / "systemd/system"
    crewd(environment, "install-units", "--destination", str(units), home=tmp_path)
    texts = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]

    assert f"ExecStart={environment}/bin/crewd run" in (units / "crewd.service").read_text()
    assert (tmp_path / "sysusers.d/crewd.conf").is_file()
    assert (tmp_path / "tmpfiles.d/crewd.conf").is_file()
    assert not [text for text in texts if "@BIN@" in text]
