"""A home for crewctl, and a server in it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.canned_api import Api


@pytest.fixture
def root() -> Iterator[Path]:
    """A home, short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="crewd-") as directory:
        yield Path(directory)


@pytest.fixture
def api(root: Path) -> Iterator[Api]:
    """A server in the home."""
    with Api(root) as api:
        yield api
