"""The journal across its segments: killed in the middle of rolling, acknowledged away, forced to the disk.

Segments are made small by the saboteur.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewd.model.facts import GenerationBegan, LeftoverEnded, SegmentOpened, Starting
from crewd.model.spec import JournalSync, RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Program, Supervisord, shell, stays, wait_for
from harness.ledger import read_ledger
from harness.processes import alive
from harness.sabotage import PLUGINS, saboteur

POLICY = RestartPolicy(
    restart=RestartMode.ALWAYS, restart_sec=0.0, restart_steps=0, start_limit_burst=0, start_success_sec=0.02
)
SMALL = saboteur({"journal:SEGMENT_BYTES": 4096})
CREW = [Program(name, shell("exec sleep 1000"), POLICY) for name in ("w-0", "w-1", "stopped-0")]


@pytest.fixture(params=ENGINE_EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """A supervisord whose segments are small, with a worker that was stopped."""
    with Supervisord(request.param, CREW, [SMALL], python_path=[PLUGINS]) as server:
        server.wait_state("stopped-0", "RUNNING")
        server.supervisorctl("stop", "stopped-0")
        yield server


def segments(server: Supervisord, generation: str = "*") -> list[str]:
    """Return the segments on disk, oldest first, as ``<generation>/<first sequence>.jsonl``."""
    found = Path(server.home.journal).glob(f"{generation}/*.jsonl")
    return sorted(str(path.relative_to(server.home.journal)) for path in found)


def on_disk(server: Supervisord) -> int:
    """Return how many bytes the segments have."""
    return sum((Path(server.home.journal) / name).stat().st_size for name in segments(server))


def roll(server: Supervisord, times: int) -> None:
    """Kill a worker until so many segments more were begun."""
    wanted = len(segments(server)) + times
    while len(segments(server)) < wanted:
        pid = wait_for(lambda: server.pid_of("w-0"), what="w-0 to live")
        os.kill(pid, signal.SIGKILL)
        server.wait_new_pid("w-0", pid)
    server.wait_state("w-0", "RUNNING")  # and nothing is written any more


def test_a_kill_behind_a_new_segment_loses_nothing(server: Supervisord) -> None:
    """From the snapshot alone: who ran is ended, who was stopped stays so, numbers and counts go on."""
    for _ in range(3):
        roll(server, 2)
        before = {one["instance"]: one for one in server.crewd("status")["instances"]}
        newest = server.journal()[-1].generation
        server.kill()
        server.start()
        server.wait_new_pid("w-1", before["w-1"]["pid"])
        after = {one["instance"]: one for one in server.crewd("status")["instances"]}

        assert len(segments(server, newest)) >= 2
        assert not alive(before["w-1"]["pid"])
        assert after["stopped-0"]["process_state"] == "STOPPED"
        assert after["w-0"]["restart_count"] >= before["w-0"]["restart_count"] > 0
        assert server.facts(GenerationBegan)[-1].previous == newest
    assert len(server.facts(Starting, "stopped-0")) == 1
    assert {fact.instance for fact in server.facts(LeftoverEnded)} == {"w-0", "w-1"}
    assert read_ledger(server.journal()).problems == []


def test_without_its_earlier_segments_the_newest_is_enough(server: Supervisord) -> None:
    """They may have been acknowledged, and are gone."""
    roll(server, 2)
    before = server.standing("w-1")["pid"]
    server.kill()
    for name in segments(server)[:-1]:
        (Path(server.home.journal) / name).unlink()
    first = server.journal()[0]
    server.start()
    server.wait_new_pid("w-1", before)

    assert isinstance(first.event.fact, SegmentOpened)
    assert first.event.sequence > 1
    assert not alive(before)
    assert server.state("stopped-0") == "STOPPED"


def test_what_is_acknowledged_goes(server: Supervisord) -> None:
    """A segment of which all lines are known elsewhere, and whole earlier generations; never the newest segment."""
    roll(server, 3)
    old = segments(server)
    generation = old[0].partition("/")[0]
    second = int(Path(old[1]).stem)
    server.crewd("acknowledge", generation, second - 2)
    too_early = segments(server)
    server.crewd("acknowledge", generation, second - 1)
    first_gone = segments(server)
    server.crewd("acknowledge", generation, 10**6)
    newest_alone = segments(server)
    server.reload()
    server.wait_state("w-0", "RUNNING")
    server.crewd("acknowledge", server.crewd("version")["generation"], 0)

    assert too_early == old
    assert first_gone == old[1:]
    assert newest_alone == old[-1:]
    assert os.listdir(server.home.journal) == [server.crewd("version")["generation"]]
    wait_for(lambda: server.crewd("version")["journal"]["bytes"] == on_disk(server))  # w-1 may still write
    assert server.state("stopped-0") == "STOPPED"


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_a_line_that_an_rpc_noted_is_forced_to_the_disk_in_its_pass(edition: Edition) -> None:
    """With ``journal_sync: pass``, though nothing else is to be done for a long time."""
    crew = [Program("w-0", shell("exec sleep 1000"), POLICY)]
    sections = [saboteur()]
    with Supervisord(edition, crew, sections, python_path=[PLUGINS], journal_sync=JournalSync.PASS) as server:
        server.wait_state("w-0", "RUNNING")
        server.rpc.saboteur.watch("crewd_supervisord.journal:Journal._fdatasync")
        assert stays(lambda: server.rpc.saboteur.calls() == 0, 0.2)
        server.crewd("reset_failed", ["w-0"], "test")
        wait_for(server.rpc.saboteur.calls, 15.0, "the line to be forced to the disk")
