"""What real processes use, with all that they start."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crewd.metrics import ProcSampler
from crewd.metrics.proc import seen
from crewd.metrics.resources import PSS_EVERY
from crewd.reconcile.port import Usage
from harness import Nursery, shell, wait_for

MIB = 1024 * 1024
BURN = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done"
"""About a quarter of a second of a core, in any shell."""

TAKES_WHEN_ASKED = """
import os, signal
def take(*_):
    global memory, files
    memory, files = bytearray(os.urandom(1024)) * (64 * 1024), [open("/dev/null") for _ in range(50)]
signal.signal(signal.SIGUSR1, take)
print("ready", flush=True)
while True:
    signal.pause()
"""
LETS_ITS_CHILD_GO = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if not os.fork():
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    print("burnt", flush=True)
    signal.pause()
while True:
    signal.pause()
"""
SAMPLED_BY_ANOTHER_USER = """
import json, os, sys
from dataclasses import asdict
from crewd.metrics import ProcSampler
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
print(json.dumps(asdict(ProcSampler().sample({"web-0": (int(sys.argv[1]), int(sys.argv[2]))})["web-0"])))
"""


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """What is started here ends here."""
    nursery = Nursery()
    yield nursery
    nursery.close()


class Worker:
    """One instance, and a sampler that looks at it."""

    def __init__(self, nursery: Nursery, folder: Path, *argv: str) -> None:
        self._output = folder / "output"
        self.pid = nursery.spawn([*argv], {"PATH": os.environ["PATH"]}, str(folder), str(self._output))
        found = seen(self.pid)
        assert found is not None
        self.start_ticks = found.start_ticks
        self._sampler = ProcSampler()

    def usage(self) -> Usage:
        """Look at it once."""
        return self._sampler.sample({"web-0": (self.pid, self.start_ticks)})["web-0"]

    def seen_anew(self) -> Usage:
        """Look at it as somebody who never did."""
        return ProcSampler().sample({"web-0": (self.pid, self.start_ticks)})["web-0"]

    def says(self, word: str) -> None:
        """Wait until it printed this."""
        wait_for(lambda: self._output.exists() and word in self._output.read_text(), what=word)

    def comes_to_use(self, enough: Callable[[Usage], bool]) -> Usage:
        """Look at it until this holds."""
        last = [self.usage()]

        def look() -> bool:
            last.append(self.usage())
            return enough(last[-1])

        wait_for(look, what=lambda: last[-1])
        return last[-1]


def python(script: str) -> tuple[str, ...]:
    """Return the argv of a small program."""
    return (sys.executable, "-I", "-S", "-c", script)


def test_what_a_child_does_counts_for_the_worker(nursery: Nursery, tmp_path: Path) -> None:
    """A shell that waits for its child does nothing itself."""
    worker = Worker(nursery, tmp_path, *shell("sh -c 'while :; do :; done' & wait"))
    before = worker.comes_to_use(lambda usage: usage.processes == 2)
    wait_for(lambda: worker.seen_anew().cpu_sec > before.cpu_sec + 0.3)
    after = worker.usage()

    assert after.cpu_sec > before.cpu_sec + 0.3
    assert 0.05 < after.cpu_share < 1.2


def test_what_a_child_did_counts_after_its_end(nursery: Nursery, tmp_path: Path) -> None:
    """Whoever compiles all day is busy, though each compiler is gone in no time."""
    worker = Worker(nursery, tmp_path, *shell(f"sh -c '{BURN}'; echo burnt; exec sleep 1000"))
    worker.says("burnt")
    used = worker.comes_to_use(lambda usage: usage.processes == 1)

    assert used.cpu_sec > 0.05


def test_processor_time_never_falls(nursery: Nursery, tmp_path: Path) -> None:
    """Nobody waits for this child, so Linux forgets what it used; Prometheus would take that for a new process."""
    worker = Worker(nursery, tmp_path, *python(LETS_ITS_CHILD_GO))
    worker.says("burnt")
    before = worker.comes_to_use(lambda usage: usage.cpu_sec > 0.2)
    child = next(one.pid for one in nursery.members() if one.parent == worker.pid)
    os.kill(child, signal.SIGKILL)
    after = worker.comes_to_use(lambda usage: usage.processes == 1)

    assert after.cpu_sec >= before.cpu_sec
    assert after.cpu_share >= 0


def test_an_orphan_counts_for_the_worker(nursery: Nursery, tmp_path: Path) -> None:
    """Its parent is gone, but it is still in the worker's process group."""
    worker = Worker(nursery, tmp_path, *shell("(sleep 1000 & sleep 1001 &) ; exec sleep 1002"))

    worker.comes_to_use(lambda usage: usage.processes == 3)


def test_another_process_of_the_same_pid_is_not_looked_at(nursery: Nursery, tmp_path: Path) -> None:
    """Pids are used again."""
    worker = Worker(nursery, tmp_path, "sleep", "1000")

    assert ProcSampler().sample({"web-0": (worker.pid, worker.start_ticks - 1)}) == {}


def test_one_that_ended_is_left_out(nursery: Nursery, tmp_path: Path) -> None:
    """The journal will tell of it soon."""
    worker = Worker(nursery, tmp_path, "sleep", "600")
    os.kill(worker.pid, signal.SIGKILL)
    nursery.wait(worker.pid)

    assert ProcSampler().sample({"web-0": (worker.pid, worker.start_ticks)}) == {}


def test_memory_and_descriptors_grow(nursery: Nursery, tmp_path: Path) -> None:
    """RSS and descriptors with every look; the dear PSS in its turn, and until then it stands."""
    worker = Worker(nursery, tmp_path, *python(TAKES_WHEN_ASKED))
    worker.says("ready")
    before = worker.usage()
    os.kill(worker.pid, signal.SIGUSR1)
    after = worker.comes_to_use(lambda usage: (usage.open_fds or 0) >= (before.open_fds or 0) + 50)
    looks = [worker.usage() for _ in range(PSS_EVERY)]

    assert before.pss_bytes is not None
    assert 0 < before.pss_bytes <= before.rss_bytes
    assert after.rss_bytes > before.rss_bytes + 60 * MIB
    assert (looks[-1].pss_bytes or 0) > before.pss_bytes + 60 * MIB


def test_a_new_run_begins_at_nothing(nursery: Nursery, tmp_path: Path) -> None:
    """What the process before it had used is no part of it."""
    first = Worker(nursery, tmp_path, *shell(f"{BURN}; echo burnt; exec sleep 1000"))
    first.says("burnt")
    second = Worker(nursery, tmp_path, "sleep", "1000")
    sampler = ProcSampler()
    before = sampler.sample({"web-0": (first.pid, first.start_ticks)})["web-0"]
    after = sampler.sample({"web-0": (second.pid, second.start_ticks)})["web-0"]

    assert before.cpu_sec > 0.05
    assert after.cpu_sec < before.cpu_sec
    assert after.cpu_share >= 0


def test_another_user_s_processes_are_looked_at_as_far_as_may_be(nursery: Nursery, tmp_path: Path) -> None:
    """The daemon is not root: its workers' memory maps may be closed to it, their times and sizes are not."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    worker = Worker(nursery, tmp_path, *shell(f"{BURN}; echo burnt; exec sleep 1000"))
    worker.says("burnt")
    argv = [sys.executable, "-c", SAMPLED_BY_ANOTHER_USER, str(worker.pid), str(worker.start_ticks)]
    used = json.loads(subprocess.check_output(argv))

    assert used["cpu_sec"] > 0.05
    assert used["rss_bytes"] > 0
    assert used["pss_bytes"] is None
    assert used["open_fds"] is None or used["open_fds"] >= 3
