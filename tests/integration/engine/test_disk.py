"""The disk under the journal and the logs is full, read-only, or gone: supervision goes on, and the gap is told.

The disk is a small tmpfs, which takes root to mount.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crewd.model.facts import Gap, GenerationBegan, SegmentOpened, Starting
from crewd.model.record import Record
from crewd.model.spec import RestartMode, RestartPolicy
from crewd.policy.fold import fold
from crewd_supervisord.recall import records_of
from harness import ENGINE_EDITIONS, Program, Supervisord, shell, stays, wait_for
from harness.journal import Entry
from harness.ledger import read_ledger
from harness.processes import alive
from harness.sabotage import PLUGINS, saboteur

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")

DISK_BYTES = 1 << 20
POLICY = RestartPolicy(
    restart=RestartMode.ALWAYS, restart_sec=0.02, restart_steps=0, start_limit_burst=0, start_success_sec=0.05
)


@pytest.fixture(params=ENGINE_EDITIONS)
def server(request: Any) -> Generator[Supervisord]:
    """A supervisord, not yet started, whose journal and logs lie on a small disk."""
    with Supervisord(request.param, start=False, python_path=[PLUGINS]) as server:
        server.healthy = False
        os.makedirs(server.home.journal)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "crewd", server.home.journal], check=True)
        server.settings["logfile"] = f"{server.home.journal}/supervisord.log"
        try:
            yield server
        finally:
            subprocess.run(["umount", "-l", server.home.journal], check=True)


def crew(server: Supervisord) -> list[Program]:
    """A worker that is killed, and one that fills its log."""
    talk = shell("while :; do echo talking talking talking; sleep 0.05; done")
    return [
        Program("quiet-0", shell("exec sleep 1000"), POLICY),
        Program("loud-0", talk, POLICY, stdout=f"{server.home.journal}/loud.log"),
    ]


def kill(server: Supervisord, times: int) -> None:
    """Kill the quiet worker, see it come back, again and again."""
    for _ in range(times):
        pid = wait_for(lambda: server.pid_of("quiet-0"), what="quiet-0 to live")
        os.kill(pid, signal.SIGKILL)
        server.wait_new_pid("quiet-0", pid)


def state(server: Supervisord) -> dict[str, Any]:
    """Return what the engine says of its journal."""
    return server.crewd("version")["journal"]


@contextlib.contextmanager
def full(server: Supervisord) -> Iterator[None]:
    """Leave no byte free, until the block ends."""
    filler = Path(server.home.journal) / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    yield
    filler.unlink()
    wait_for(lambda: state(server)["error"] is None, what="the journal to be written again")


def folded(entries: Iterable[Entry]) -> dict[str, Record]:
    """Return what a reader knows who reads all that is there."""
    found: dict[str, Record] = {}
    for entry in entries:
        fact = entry.event.fact
        if isinstance(fact, SegmentOpened):
            found = records_of(fact.records)
        elif (name := getattr(fact, "instance", None)) is not None:
            found[name] = fold(found.get(name, Record()), entry.event)
    return found


def agrees(server: Supervisord) -> bool:
    """Return whether the journal says what the engine says."""
    found = folded(server.journal())
    return {
        one["instance"]: (one["process_state"], one["pid"], one["restart_count"], one["standing"])
        for one in server.crewd("status")["instances"]
    } == {
        name: (record.process_state.name, record.pid, record.restart_count, record.standing.value)
        for name, record in found.items()
    }


def test_on_a_full_disk_events_wait(server: Supervisord) -> None:
    """Workers restart as ever; what happened meanwhile is in the journal once there is room, complete."""
    server.boot(crew(server))
    kill(server, 2)
    with full(server):
        wait_for(lambda: kill(server, 1) or state(server)["error"], 60, "the journal to fail")
        before = state(server)["sequence"]
        kill(server, 5)
        told = state(server)

        assert "No space left" in told["error"]
        assert told["lost"] == 0
        assert told["sequence"] > before + 20
    kill(server, 2)

    assert read_ledger(server.journal()).problems == []
    assert sum(isinstance(entry.event.fact, SegmentOpened) for entry in server.journal()) >= 2
    assert server.facts(Gap) == []
    wait_for(lambda: agrees(server), what="the journal to agree with the engine")


def test_a_disk_that_stays_full_costs_events_and_says_how_many(server: Supervisord) -> None:
    """Memory is bounded: the oldest go, a gap says which, and a snapshot behind it makes the journal whole."""
    server.boot(crew(server), [saboteur({"journal:WAITING_BYTES": 4096})])
    kill(server, 2)
    with full(server):
        wait_for(lambda: kill(server, 1) or state(server)["lost"], 60, "events to be lost")
        kill(server, 5)
    kill(server, 2)
    gaps = server.facts(Gap)

    assert sum(gap.lost for gap in gaps) == state(server)["lost"] > 0
    assert all(gap.lost == gap.last - gap.first + 1 for gap in gaps)
    behind = server.journal()[[type(one.event.fact) for one in server.journal()].index(Gap) + 1 :]
    assert any(isinstance(entry.event.fact, SegmentOpened) for entry in behind)
    assert not [one for one in read_ledger(server.journal()).problems if "was due" in one]
    wait_for(lambda: agrees(server), what="the journal to agree with the engine")


def test_supervisord_starts_on_a_disk_that_cannot_be_written(server: Supervisord) -> None:
    """A read-only journal directory stops nobody; all since the first event is there once it can be written."""
    server.settings.pop("logfile")
    subprocess.run(["mount", "-o", "remount,ro", server.home.journal], check=True)
    server.boot(crew(server)[:1])
    kill(server, 3)

    assert "Read-only" in state(server)["error"]
    assert "cannot write journal" in server.log()
    subprocess.run(["mount", "-o", "remount,rw", server.home.journal], check=True)
    wait_for(lambda: state(server)["error"] is None, what="the journal to be written")
    kill(server, 1)
    assert read_ledger(server.journal()).problems == []
    assert len(server.facts(GenerationBegan)) == 1
    wait_for(lambda: agrees(server), what="the journal to agree with the engine")


def test_a_journal_that_somebody_removed_is_begun_anew(server: Supervisord) -> None:
    """The next segment, which opens with a snapshot, comes within seconds."""
    server.settings.pop("logfile")
    server.boot(crew(server)[:1])
    kill(server, 2)
    for folder in Path(server.home.journal).iterdir():
        shutil.rmtree(folder)
    wait_for(server.journal, what="a new segment")
    kill(server, 2)

    first = server.journal()[0].event.fact
    assert isinstance(first, SegmentOpened)
    assert "quiet-0" in first.records
    assert len(server.facts(Starting)) >= 2
    wait_for(lambda: agrees(server), what="the journal to agree with the engine")


def test_what_follows_a_kill_on_a_full_disk_is_dealt_with(server: Supervisord) -> None:
    """A supervisord killed while events waited leaves processes that the journal does not know by pid: they end."""
    server.boot(crew(server))
    with full(server):
        wait_for(lambda: kill(server, 1) or state(server)["error"], 60, "the journal to fail")
        kill(server, 2)
        server.kill()
        left = {member.pid for member in server.workers_left()}
        server.start()
        server.wait_state("quiet-0", "RUNNING")
        still = left & {member.pid for member in server.workers_left()}

        assert server.running
    assert left
    assert not still


def started_anew_without_a_trace(server: Supervisord) -> None:
    """Kill a supervisord whose generation is not on disk; assert that the next ends its worker before its own."""
    old = wait_for(lambda: server.pid_of("quiet-0"), what="quiet-0 to live")
    server.kill()
    server.start()

    assert server.wait_new_pid("quiet-0", old)
    assert not alive(old)


def test_a_generation_that_wrote_nothing_leaves_no_worker_behind(server: Supervisord) -> None:
    """On a read-only disk, on which there never was a journal."""
    server.settings.pop("logfile")
    subprocess.run(["mount", "-o", "remount,ro", server.home.journal], check=True)
    server.boot(crew(server)[:1])
    started_anew_without_a_trace(server)
    started_anew_without_a_trace(server)

    assert os.listdir(server.home.journal) == []


def test_a_generation_begun_on_a_full_disk_leaves_no_worker_behind(server: Supervisord) -> None:
    """The one before it, which was written, had ended in order: nobody would be looked for by its word."""
    server.settings.pop("logfile")
    server.boot(crew(server)[:1])
    wait_for(lambda: server.pid_of("quiet-0"), what="quiet-0 to live")
    with full(server):
        assert server.stop() == 0
        server.start()
        assert "No space left" in state(server)["error"]
        started_anew_without_a_trace(server)
        started_anew_without_a_trace(server)


def test_a_worker_whose_log_is_on_a_full_disk_restarts(server: Supervisord) -> None:
    """What it says is lost, not itself: it lives, is restarted when it dies, and its log goes on when there is room."""
    server.boot(crew(server))
    log = Path(server.home.journal) / "loud.log"
    wait_for(lambda: log.exists() and log.stat().st_size, what="loud-0 to talk")
    with full(server):
        kept = log.stat().st_size
        for _ in range(3):
            pid = wait_for(lambda: server.pid_of("loud-0"), what="loud-0 to live")
            os.kill(pid, signal.SIGKILL)
            server.wait_new_pid("loud-0", pid)
        pid = server.wait_state("loud-0", "RUNNING")["pid"]
        lives = stays(lambda: server.pid_of("loud-0") == pid, 0.5)
        full_size = log.stat().st_size
    wait_for(lambda: log.stat().st_size > full_size + 1000, what="the log to go on")

    assert lives
    assert full_size < kept + 4096
    assert server.pid_of("loud-0") == pid
    assert server.crewd("version")["faults"] == 0
