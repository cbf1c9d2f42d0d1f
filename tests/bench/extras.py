"""What only crewd has: a worker that dies at once, and what that costs."""

import time
from pathlib import Path

from bench import proc
from bench.figures import Figures, Key
from bench.fleet import BenchError
from bench.peers import Site
from bench.peers.crewd import Crewd, CrewdDying, CrewdDyingForever

WINDOW_SEC = 10.0
ANSWER_SEC = 20.0


def measure_dying(folder: Path, stamper: Path, figures: Figures) -> None:
    """Start a worker that dies at once; add supervision's share of a core, its dead children's included."""
    for number, peer in enumerate((CrewdDying, CrewdDyingForever)):
        site = Site(folder / f"dying-{number}", 1, False, stamper, folder / f"dying-{number}.stamps")
        site.folder.mkdir()
        site.stamp_file.touch()
        figures.add(Key("dies at once CPU %", 1, peer.name, False), _cost_percent(peer(site)))
        figures.add(Key("dies at once starts", 1, peer.name, False), site.stamp_file.stat().st_size / 16)


def _cost_percent(peer: Crewd) -> float:
    peer.prepare()
    process = peer.launch()
    try:
        _await_answer(peer)
        before, began = _cpu_sec(process.pid), time.monotonic()
        peer.rpc.crewd.start([peer.site.worker(0)], "bench")
        time.sleep(WINDOW_SEC)
        return 100 * (_cpu_sec(process.pid) - before) / (time.monotonic() - began)
    finally:
        process.terminate()
        process.wait()


def _cpu_sec(pid: int) -> float:
    return proc.cpu_ns([pid]) / 1e9 + proc.children_cpu_sec(pid)


def _await_answer(peer: Crewd) -> None:
    end = time.monotonic() + ANSWER_SEC
    while not peer.listens():
        if time.monotonic() > end:
            raise BenchError(f"{peer.name}: does not listen: {peer.last_words()}")
        time.sleep(0.05)
    time.sleep(1.0)
