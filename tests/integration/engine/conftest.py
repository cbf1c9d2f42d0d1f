"""The workers that the hard tests kill."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "workers" / "crasher.c"


@pytest.fixture(scope="session")
def crasher(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program of ``workers/crasher.c``, compiled once."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    target = tmp_path_factory.mktemp("crasher") / "crasher"
    subprocess.run([compiler, "-O2", "-static", "-o", target, SOURCE], check=True)
    return str(target)
