"""A configuration written to a file and loaded, as an operator would."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from crewd.config import Loaded, load
from crewd.config.accounts import Self
from crewd.errors import ConfigError, Problem

ROOT = Self(0, 0)
_numbers = count()


def told(problems: tuple[Problem, ...], folder: Path) -> list[str]:
    """Return the problems as printed, file names without the folder."""
    return [str(problem).replace(f"{folder}/", "") for problem in problems]


@pytest.fixture(scope="session")
def _texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@pytest.fixture
def folder(_texts: Path) -> Path:
    """An empty folder; cheaper than ``tmp_path``, of which hundreds of tests would notice."""
    folder = _texts / str(next(_numbers))
    folder.mkdir()
    return folder


@pytest.fixture
def crew(folder: Path) -> Callable[..., Loaded]:
    """Load a text that is right, as root would; more files by name."""

    def loaded(text: str, reader: Self = ROOT, **files: str) -> Loaded:
        return load(str(_written(folder, text, files)), reader)

    return loaded


@pytest.fixture
def refused(folder: Path) -> Callable[..., list[str]]:
    """Load a text that is wrong; return what is said about it."""

    def problems(text: str | bytes, reader: Self = ROOT, **files: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(str(_written(folder, text, files)), reader)
        return told(caught.value.problems, folder)

    return problems


@pytest.fixture
def warned(folder: Path) -> Callable[..., list[str]]:
    """Load a text that is right; return the warnings."""

    def warnings(text: str, **files: str) -> list[str]:
        return told(load(str(_written(folder, text, files)), ROOT).warnings, folder)

    return warnings


def _written(folder: Path, text: str | bytes, files: dict[str, str]) -> Path:
    main = folder / "crewd.yaml"
    main.write_bytes(text.encode() if isinstance(text, str) else text)
    for name, content in files.items():
        (folder / "conf.d").mkdir(exist_ok=True)
        (folder / "conf.d" / f"{name}.yaml").write_text(content)
    return main
