"""What the tests of the API share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that every user can enter; pytest closes its own whenever another pytest begins on the machine."""
    folder = Path(tempfile.mkdtemp(prefix="crewd-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
