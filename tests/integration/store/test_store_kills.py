"""kill -9 of a process that records, at any moment: what is stored is whole recordings, each once."""

import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from crewd.model.home import Home
from crewd.store import store_of
from harness.postgres import Postgres
from harness.recordings import assert_whole
from harness.waiting import wait_for

KILLS = 8
TESTS = Path(__file__).parents[2]


def killed_while_recording(address: str, directory: Path, after_sec: float) -> int:
    """Let a process record, kill it that long after its first recording; return the last place that it said."""
    with subprocess.Popen(
        [sys.executable, "-m", "harness.recordings", address, str(directory)],
        stdout=subprocess.PIPE,
        cwd=TESTS,
    ) as writer:
        assert writer.stdout is not None
        said = writer.stdout.readline()
        killing = threading.Timer(after_sec, writer.kill)
        killing.start()
        said += writer.stdout.read()
    lines = said.splitlines(keepends=True)
    return int([line for line in lines if line.endswith(b"\n")][-1])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_whatever_was_said_to_be_written_is_there_and_all_of_it(
    kind: str, request: Any, tmp_path: Path, soak: int
) -> None:
    """Place, events, total and attempts agree after each kill, and no recording that was confirmed is missing."""
    address = request.getfixturevalue("postgres").make() if kind == "postgresql" else "sqlite"
    random = Random(1101)
    store = store_of(address, Home.under(str(tmp_path)))
    for _ in range(KILLS * soak):
        confirmed = killed_while_recording(address, tmp_path, random.uniform(0.0, 0.1))
        if kind == "postgresql":  # the server may be about to write what the dead one sent last
            wait_for(lambda: not sessions(request.getfixturevalue("postgres"), address), what="its end in the server")
        known = await store.open()

        assert known.position.sequence in {confirmed, confirmed + 20}
        await assert_whole(store, known)
        await store.close()


def sessions(server: Postgres, url: str) -> list[tuple[Any, ...]]:
    """Return who uses the database."""
    return server.sql(f"SELECT pid FROM pg_stat_activity WHERE datname = '{url.rpartition('/')[2]}'")
