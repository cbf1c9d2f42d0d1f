"""The API's part of the bench: how often one can be asked for, what listeners delay, and how long a batch takes."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from bench.daemon.asking import UnixConnection, get, program_ms
from bench.daemon.crew import Crew
from bench.daemon.delays import asked_ms
from bench.figures import Figures, Key
from bench.fleet import BenchError, Fleet
from bench.peers import Site
from bench.peers.stock import Stock
from bench.plan import ApiPlan
from bench.targets import CREWCTL, LISTENED, SUPERVISORCTL_STOCK

TESTS = Path(__file__).parents[2]
PATIENCE_SEC, LOOK_SEC, PAUSE_SEC = 20.0, 0.001, 0.05
ASKERS = 2
"""Programs that ask at the same time: one alone would be measured, too."""
Step = Callable[[str, Callable[[], object]], None]


def measure_api(site: Site, plan: ApiPlan, figures: Figures, step: Step) -> None:
    """Measure; each by a step of its own."""
    with closing(Crew(site)) as crew:
        desk = _Desk(crew, plan, figures)
        crew.start()
        crew.settle()
        crew.make_ready()
        step("lists", desk.lists)
        step("the status of one", desk.status)
        step("restarts with and without listeners", desk.listeners)
        step("a batch beside supervisorctl", desk.batch)


class _Desk:
    """What is measured, and where it is written down."""

    def __init__(self, crew: Crew, plan: ApiPlan, figures: Figures) -> None:
        self._crew = crew
        self._plan = plan
        self._figures = figures
        self._socket = f"{crew.peer.home.run}/crewd.sock"

    def lists(self) -> None:
        """All of them, one request after the other."""
        for _ in range(self._plan.lists):
            self._add("GET /api/v1/workers ms", asked_ms(self._crew, "/api/v1/workers"))

    def status(self) -> None:
        """One of them, as often as can be."""
        target = f"/api/v1/workers/{self._crew.peer.worker(self._crew.n // 2)}/status"
        command = [sys.executable, "-m", "bench.api.asker", self._socket, target, str(self._plan.status_sec)]
        for _ in range(self._plan.rounds):
            askers = [subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True) for _ in range(ASKERS)]
            counts = [asker.communicate()[0].strip() for asker in askers]
            if not all(count.isdecimal() for count in counts):
                raise BenchError(f"cannot ask: {counts}")
            self._add("status of one per s", sum(map(int, counts)) / self._plan.status_sec)

    def listeners(self) -> None:
        """A restart that is asked for, with nobody and with many who listen to what happens."""
        for _ in range(self._plan.rounds):
            for peer, listening in (("", nullcontext()), (LISTENED, self._listening())):
                with listening:
                    for _ in range(self._plan.restarts):
                        self._add("POST restart → new process ms", self._restarted_ms(), peer=peer)
                        time.sleep(PAUSE_SEC)

    def batch(self) -> None:
        """The same number of workers, by the program of each, turn by turn."""
        for who, took_ms in self._batches():
            self._figures.add(Key("restart of many, as a program ms", self._plan.batch, who, logs=False), took_ms)

    def _batches(self) -> Iterator[tuple[str, float]]:
        site, count = self._crew.peer.site, self._plan.batch
        folder, stamps = site.folder.with_name("stock-batch"), site.stamp_file.with_name("stock-batch.stamps")
        ours = [self._crew.peer.worker(slot) for slot in range(count)]
        with closing(Fleet(Stock, replace(site, n=count, folder=folder, stamp_file=stamps))) as stock:
            stock.start()
            stock.settle()
            theirs = [stock.peer.site.worker(slot) for slot in range(count)]
            programs = Path(sys.executable).parent
            commands = {
                CREWCTL: [str(programs / "crewctl"), "restart", *ours],
                SUPERVISORCTL_STOCK: [
                    *(str(programs / "supervisorctl"), "-c", f"{folder}/supervisord.conf", "restart"),
                    *theirs,
                ],
            }
            for _ in range(self._plan.batches):
                for who, command in commands.items():
                    yield who, program_ms(command, str(site.folder), count)
            stock.stop()

    def _restarted_ms(self) -> float:
        crew = self._crew
        slot = crew.next_victim()
        old, worker = crew.stamps.last(slot), crew.peer.worker(slot)
        begin = time.monotonic_ns()
        get(UnixConnection(self._socket), f"/api/v1/workers/{worker}/restart", method="POST")
        if not crew.stamps.wait(lambda: crew.stamps.last(slot) != old, PATIENCE_SEC, LOOK_SEC):
            raise BenchError(f"{worker} did not come back")
        return (crew.stamps.last(slot).ns - begin) / 1e6

    @contextmanager
    def _listening(self) -> Iterator[None]:
        command = [sys.executable, "-m", "bench.api.readers", self._socket, str(self._plan.readers)]
        with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as readers:
            try:
                if readers.stdout is None or readers.stdout.readline() != b"listening\n":
                    raise BenchError(f"cannot listen: {readers.communicate()[1].decode(errors='replace')[-300:]}")
                yield
                if readers.poll() is not None:
                    raise BenchError("the listeners ended")
            finally:
                readers.kill()

    def _add(self, what: str, *samples: float, peer: str = "") -> None:
        self._figures.add(Key(what, self._crew.n, peer or self._crew.name, logs=False), *samples)
