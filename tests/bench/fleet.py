"""One peer with n workers: what is done to it, and how long it takes.

1. A time begins just before the bench acts and ends at the clock that the new worker read at its main (starts), or at
   the end of the last process (stops): how often the bench looks adds nothing.
2. No worker is killed before it ran SETTLED_SEC: runit makes anything younger than a second wait one, crewd by policy.
3. No supervisor is started in the second in which its files were written: runsvdir would wait for that to pass.
4. Supervision is every process below the peer's root that is not a worker: its own, and those of its log writers.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import TimeoutExpired

from bench import proc
from bench.peers import Peer, Site
from bench.stamps import Stamps

SETTLED_SEC = 1.2
PATIENCE_SEC = 120.0
LOOK_SEC = 0.001
LOOK_STORM_SEC = 0.01


class BenchError(RuntimeError):
    """A peer did not do what is being measured."""


@dataclass(frozen=True, slots=True)
class Storm:
    """All workers killed at once."""

    all_back_sec: float
    lost: int
    doubled: int
    rpc_ms: tuple[float, ...]
    """How long RPCs took that began before the last worker was back."""


class Fleet:
    """A peer on a site of its own. The verbs are called in the order start, anything, stop."""

    def __init__(self, peer: type[Peer], site: Site) -> None:
        site.folder.mkdir()
        self.n = site.n
        self.logs = site.logs
        self.stamps = Stamps(site.stamp_file, site.n)
        self.peer = peer(site)
        self.peer.prepare()
        self._prepared = time.monotonic()
        self._victims = random.Random(site.n).sample(range(site.n), site.n)
        self._next = 0
        self._supervision: set[int] | None = None

    @property
    def name(self) -> str:
        """Of the peer."""
        return self.peer.name

    def start(self) -> float:
        """Start all; return the seconds from exec of the supervisor to the last worker's main."""
        _sleep_until(self._prepared + SETTLED_SEC)
        begin = time.monotonic_ns()
        self.process = self.peer.launch()
        self._supervision = None
        self._wait_one_more([0] * self.n)
        missing = self.stamps.counts().count(0)
        if missing:
            raise BenchError(f"{self.name}: {missing} of {self.n} workers did not start: {self.peer.last_words()}")
        return (max(self.stamps.last(slot).ns for slot in range(self.n)) - begin) / 1e9

    def settle(self) -> None:
        """Wait until no worker is young."""
        newest = max(self.stamps.last(slot).ns for slot in range(self.n))
        _sleep_until(newest / 1e9 + SETTLED_SEC)

    def next_victim(self) -> int:
        """Return the slot of a worker that may be killed."""
        slot = self._victims[self._next % self.n]
        self._next += 1
        self.stamps.read()
        _sleep_until(self.stamps.last(slot).ns / 1e9 + SETTLED_SEC)
        return slot

    def kill(self, slot: int) -> int:
        """Kill a worker; return the moment just before, of CLOCK_MONOTONIC in ns."""
        pid = self.stamps.last(slot).pid
        begin = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        return begin

    def crash_one(self) -> float:
        """Kill one worker; return the milliseconds to the main of its successor."""
        slot = self.next_victim()
        old = self.stamps.last(slot)
        begin = self.kill(slot)
        if not self.stamps.wait(lambda: self.stamps.last(slot) != old, PATIENCE_SEC, LOOK_SEC):
            raise BenchError(f"{self.name}: worker {slot} did not come back")
        return (self.stamps.last(slot).ns - begin) / 1e6

    def storm(self, ask: bool) -> Storm:
        """Kill all workers at once and wait until all are back; meanwhile, if so wished, ask one RPC after another."""
        before = self.stamps.counts()
        pids = [self.stamps.last(slot).pid for slot in range(self.n)]
        with self._asking(ask) as asked:
            begin = time.monotonic_ns()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            self._wait_one_more(before)
        end = max(
            starts[count].ns for starts, count in zip(self.stamps.starts, before, strict=True) if len(starts) > count
        )
        self.settle()
        self.stamps.read()
        new = [now - then for now, then in zip(self.stamps.counts(), before, strict=True)]
        rpc = tuple((done - asked_at) / 1e6 for asked_at, done in asked if done > begin and asked_at < end)
        return Storm((end - begin) / 1e9, new.count(0), sum(count > 1 for count in new), rpc)

    def ask_all(self) -> float:
        """Ask for the state of all; return milliseconds."""
        begin = time.perf_counter_ns()
        self.peer.ask_all()
        return (time.perf_counter_ns() - begin) / 1e6

    def supervision(self) -> set[int]:
        """The pids of all that is not a worker."""
        if self._supervision is None:
            workers = {stamp.pid for starts in self.stamps.starts for stamp in starts}
            self._supervision = proc.descendants(self.process.pid) - workers
        return self._supervision

    def stop(self) -> float:
        """End it all; return the seconds until the last process, supervision and workers, has ended."""
        workers = {self.stamps.last(slot).pid for slot in range(self.n)}
        endings = proc.Endings(self.supervision() | workers)
        begin = time.monotonic_ns()
        self.peer.begin_stop(self.process)
        ended = endings.wait(PATIENCE_SEC)
        took = (time.monotonic_ns() - begin) / 1e9
        endings.close()
        if not ended:
            raise BenchError(f"{self.name}: did not stop")
        self.process.wait()
        return took

    def close(self) -> None:
        """Leave nothing running and no stamp file, whatever went before."""
        process = getattr(self, "process", None)
        if process is not None and process.poll() is None:
            self.peer.begin_stop(process)
            try:
                process.wait(20)
            except TimeoutExpired:
                process.kill()
                process.wait()
        self.stamps.close()

    def _wait_one_more(self, before: list[int]) -> None:
        """Wait until each worker was started once more, or patience or the supervisor itself is at its end."""
        starts = self.stamps.starts

        def over() -> bool:
            back = all(len(starts[slot]) > count for slot, count in enumerate(before))
            return back or self.process.poll() is not None

        self.stamps.wait(over, PATIENCE_SEC, LOOK_STORM_SEC)

    @contextmanager
    def _asking(self, ask: bool) -> Iterator[list[tuple[int, int]]]:
        """Ask for one worker again and again from a thread; yields the times at which each call began and ended."""
        asked: list[tuple[int, int]] = []
        over = threading.Event()

        def client() -> None:
            while not over.is_set():
                begin = time.monotonic_ns()
                if not self.peer.ask_one():
                    return
                asked.append((begin, time.monotonic_ns()))
                over.wait(0.002)

        thread = threading.Thread(target=client)
        if ask:
            thread.start()
            over.wait(0.05)
        try:
            yield asked
        finally:
            over.set()
            if ask:
                thread.join()


def _sleep_until(monotonic_sec: float) -> None:
    time.sleep(max(0.0, monotonic_sec - time.monotonic()))
