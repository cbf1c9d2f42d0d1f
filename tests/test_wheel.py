"""The wheel: what is installed from it needs nothing of the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGING = ROOT / "packaging"
CARRIED = ("completions", "man", "systemd", "prometheus", "grafana")
"""Folders of ``packaging`` that an installation needs; what makes them is left out."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of a wheel that was just built."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = directory.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_all_code_is_in_the_wheel(wheel: dict[str, bytes]) -> None:
    """Of the three packages, and the template that supervisord's configuration is made of."""
    for tree, package in (("daemon", "crewd"), ("plugins", "crewd_supervisord"), ("plugins", "crewd_plugins")):
        for file in (ROOT / tree / package).rglob("*.py"):
            assert wheel[str(file.relative_to(ROOT / tree))] == file.read_bytes()
    template = "supervisord.conf.j2"
    assert wheel[f"crewd/supervisord/{template}"] == (ROOT / template).read_bytes()


@pytest.mark.parametrize("folder", [name for name in CARRIED if (PACKAGING / name).is_dir()])
def test_what_an_installation_needs_is_in_the_wheel(wheel: dict[str, bytes], folder: str) -> None:
    """Each file as it is, whatever its name is there."""
    carried = set(wheel.values())
    files = [one for one in (PACKAGING / folder).rglob("*") if one.is_file() and one.suffix not in {".py", ".pyc"}]

    assert files
    assert not [str(one.relative_to(ROOT)) for one in files if one.read_bytes() not in carried]


@pytest.mark.parametrize("page", sorted((PACKAGING / "man").iterdir()), ids=lambda page: page.name)
def test_man_finds_its_pages(wheel: dict[str, bytes], page: Path) -> None:
    """In the folder of their section, below the prefix."""
    (place,) = (name for name in wheel if name.endswith(f"/{page.name}"))

    assert place.endswith(f".data/data/share/man/man{page.suffix[1:]}/{page.name}")
