"""The rule of tests/conftest.py that CI skips nothing, tried on a pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
import pytest

def test_that_skips():
    pytest.skip("no such program here")

@pytest.mark.skipif(True, reason="no such version here")
def test_that_is_skipped():
    pass

@pytest.mark.xfail
def test_that_is_known_to_fail():
    raise AssertionError
"""


def outcome(directory: Path, module: str, **environ: str) -> str:
    """Return what pytest says of the module."""
    (directory / "conftest.py").write_text(CONFTEST.read_text())
    (directory / "test_it.py").write_text(module)
    (directory / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    kept = {key: value for key, value in os.environ.items() if key not in {"CI", "PYTEST_ADDOPTS"}}
    done = subprocess.run(command, cwd=directory, env=kept | environ, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("ci", ["", "false"])
def test_a_developer_may_lack_a_part(tmp_path: Path, ci: str) -> None:
    """Outside of CI a skip is a skip."""
    said = outcome(tmp_path, TESTS, CI=ci)

    assert "2 skipped, 1 xfailed" in said


def test_ci_may_not_lack_a_part(tmp_path: Path) -> None:
    """In CI a skipped test fails, and says why it was skipped."""
    said = outcome(tmp_path, TESTS, CI="true")

    assert "1 failed, 1 xfailed, 1 error" in said
    assert "skipped, which CI does not allow: no such program here" in said
    assert "skipped, which CI does not allow: no such version here" in said


def test_ci_may_not_lack_a_module(tmp_path: Path) -> None:
    """In CI a module that skips itself is an error."""
    said = outcome(tmp_path, "import pytest\npytest.importorskip('no_such_module')\n", CI="true")

    assert "1 error" in said
    assert "which CI does not allow" in said
