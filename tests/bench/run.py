"""The measuring: peers take turns, so that whatever else the machine does hits all alike."""

import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from subprocess import run as run_program
from xmlrpc.client import Fault

from bench import proc
from bench.api.part import measure_api
from bench.daemon.part import measure_daemon
from bench.extras import measure_dying
from bench.figures import Figures, Key
from bench.fleet import BenchError, Fleet
from bench.peers import PEERS, Peer, Site
from bench.peers.crewd import CrewdRun
from bench.plan import Plan, Size
from bench.store.part import measure_store

ENGINE, DAEMON, API, STORE = PARTS = ("engine", "daemon", "api", "store")
ASKS = 10


@dataclass(slots=True)
class Bench:
    """One run: where it works, whom it measures, what it found."""

    folder: Path
    shared_memory: Path
    stamper: Path
    peers: tuple[str, ...]
    figures: Figures
    log_modes: tuple[bool, ...] = (False, True)
    failures: list[str] = field(default_factory=list[str])
    count: int = 0

    def attempt(self, what: str, work: Callable[[], object]) -> None:
        """Do it; where it cannot be done, write down why and go on."""
        try:
            work()
        except (BenchError, OSError, RuntimeError, AssertionError, Fault, HTTPException) as cause:
            self.failures.append(f"{what}: {cause!r}")
            say(f"  failed: {cause!r}")

    def step(self, what: str, work: Callable[[], object]) -> None:
        """Attempt it, and say so before."""
        say(f"  {what}")
        self.attempt(what, work)

    def measure_engine(self, sizes: Iterable[Size]) -> None:
        """Measure the sizes, and what crewd has no peer for."""
        for size in sizes:
            self.measure(size)
        if "crewd" in self.peers:
            self.attempt("a worker that dies at once", lambda: measure_dying(self.folder, self.stamper, self.figures))

    def measure_daemon(self, plan: Plan) -> None:
        """Measure what the daemon costs and shows."""
        say(f"crewd run, n = {plan.daemon.workers}")
        site = Site(self.folder / "crew", plan.daemon.workers, False, self.stamper, self.shared_memory / "crew.stamps")
        self.attempt("crewd run", lambda: measure_daemon(site, plan.daemon, self.figures, self.step))

    def measure_api(self, plan: Plan) -> None:
        """Measure what the API takes."""
        say(f"the API, n = {plan.api.workers}")
        site = Site(self.folder / "api", plan.api.workers, False, self.stamper, self.shared_memory / "api.stamps")
        self.attempt("the API", lambda: measure_api(site, plan.api, self.figures, self.step))

    def measure_store(self, plan: Plan) -> None:
        """Measure whether the store keeps up."""
        say(f"the store, {plan.store.rate_per_sec} events/s for {plan.store.seconds} s")
        self.attempt("the store", lambda: measure_store(self.folder, plan.store, self.figures, self.step))

    def measure(self, size: Size) -> None:
        """Measure one size, cycle by cycle."""
        for cycle in range(size.cycles):
            say(f"n = {size.n}, cycle {cycle + 1} of {size.cycles}")
            names = [name for name in self.peers if PEERS[name].most >= size.n]
            kinds = [(PEERS[name], logs) for logs in self.log_modes for name in names]
            for group in [kinds] if size.together else [[kind] for kind in kinds]:
                self.attempt(_title(size, group), partial(self._with_fleets, size, group))
            if size.cold and "crewd" in self.peers:
                for logs in self.log_modes:
                    self.attempt("cold start", partial(self._cold, size, logs))

    def _with_fleets(self, size: Size, kinds: list[tuple[type[Peer], bool]]) -> None:
        with ExitStack() as stack:
            fleets: list[Fleet] = []
            for peer, logs in kinds:
                fleets.append(self._fleet(peer, size.n, logs))
                stack.callback(fleets[-1].close)
            self._measure_group(fleets, size)

    def _cold(self, size: Size, logs: bool) -> None:
        with closing(self._fleet(CrewdRun, size.n, logs)) as fleet:
            self._start(fleet)
            self._add(fleet, "PSS MiB", proc.pss_mib(fleet.supervision()))
            self._add(fleet, "stop all s", fleet.stop())

    def _measure_group(self, fleets: list[Fleet], size: Size) -> None:
        for fleet in fleets:
            self._start(fleet)
        for fleet in fleets:
            fleet.settle()
        self._crash(fleets, size)
        self._idle(fleets, size.idle_sec)
        for fleet in fleets:
            self._ask(fleet)
            self._storms(fleet, size)
        for fleet in fleets:
            self._add(fleet, "stop all s", fleet.stop())

    def _start(self, fleet: Fleet) -> None:
        say(f"  {fleet.name}{', logs' if fleet.logs else ''}")
        self._add(fleet, "start all s", fleet.start())

    def _crash(self, fleets: list[Fleet], size: Size) -> None:
        for turn in range(size.crashes):
            for fleet in fleets:
                if turn < size.slow_crashes or not fleet.peer.slow:
                    self._add(fleet, "crash ms", fleet.crash_one())
                    time.sleep(0.005)

    def _idle(self, fleets: list[Fleet], window_sec: float) -> None:
        time.sleep(1.0)
        began = time.monotonic()
        before = [proc.cpu_ns(fleet.supervision()) for fleet in fleets]
        time.sleep(window_sec)
        after = [proc.cpu_ns(fleet.supervision()) for fleet in fleets]
        window_ns = (time.monotonic() - began) * 1e9
        for fleet, start, end in zip(fleets, before, after, strict=True):
            self._add(fleet, "idle CPU %", 100 * (end - start) / window_ns)
            self._add(fleet, "PSS MiB", proc.pss_mib(fleet.supervision()))
            self._add(fleet, "descriptors", proc.descriptors(fleet.supervision()))

    def _ask(self, fleet: Fleet) -> None:
        self._add(fleet, "status of all ms", *(fleet.ask_all() for _ in range(3 if fleet.peer.slow else ASKS)))

    def _storms(self, fleet: Fleet, size: Size) -> None:
        for ask in [False] * (1 if fleet.peer.slow else size.storms) + [True]:
            storm = fleet.storm(ask)
            if not ask:
                self._add(fleet, "all killed, all back s", storm.all_back_sec)
            self._add(fleet, "lost", storm.lost)
            self._add(fleet, "twice", storm.doubled)
            self._add(fleet, "RPC in the storm ms", *storm.rpc_ms)

    def _fleet(self, peer: type[Peer], n: int, logs: bool) -> Fleet:
        self.count += 1
        stamps = self.shared_memory / f"{self.count}.stamps"
        return Fleet(peer, Site(self.folder / str(self.count), n, logs, self.stamper, stamps))

    def _add(self, fleet: Fleet, what: str, *samples: float) -> None:
        if samples:
            self.figures.add(Key(what, fleet.n, fleet.name, fleet.logs), *samples)


def measure_all(
    plan: Plan, parts: Container[str], peers: tuple[str, ...], log_modes: tuple[bool, ...]
) -> tuple[Figures, list[str]]:
    """Measure; return the figures and a sentence on each thing that could not be measured."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="crewd-bench-", ignore_cleanup_errors=True))
        )
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        shared_memory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crewd-bench-", dir=memory)))
        bench = Bench(folder, shared_memory, _compiled(folder), peers, Figures(), log_modes)
        if ENGINE in parts:
            bench.measure_engine(plan.sizes)
        if DAEMON in parts:
            bench.measure_daemon(plan)
        if API in parts:
            bench.measure_api(plan)
        if STORE in parts:
            bench.measure_store(plan)
        return bench.figures, bench.failures


def say(line: str) -> None:
    """Tell the one who waits."""
    print(line, file=sys.stderr, flush=True)


def _title(size: Size, kinds: list[tuple[type[Peer], bool]]) -> str:
    return f"n = {size.n}, " + " and ".join(f"{peer.name}{', logs' if logs else ''}" for peer, logs in kinds)


def _compiled(folder: Path) -> Path:
    target = folder / "stamper"
    run_program(["gcc", "-static", "-O2", "-o", target, Path(__file__).with_name("stamper.c")], check=True)
    return target
