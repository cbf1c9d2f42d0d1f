"""What one look at the resources of all instances costs: the daemon's own sampler, on the crew, in this process."""

import time
from collections.abc import Iterator

from bench.daemon.crew import Crew
from crewd.metrics.proc import seen
from crewd.metrics.resources import PSS_EVERY, ProcSampler

PASSES = 3 * PSS_EVERY


def passes(crew: Crew) -> Iterator[tuple[str, float]]:
    """Yield what each pass took of a processor, in ms: the first one, which looks at the PSS of all, and the others."""
    pids = {crew.peer.worker(slot): crew.stamps.last(slot).pid for slot in range(crew.n)}
    running = {f"{worker}-0": (pid, found.start_ticks) for worker, pid in pids.items() if (found := seen(pid))}
    sampler = ProcSampler()
    for number in range(PASSES + 1):
        begin = time.process_time_ns()
        sampler.sample(running)
        took_ms = (time.process_time_ns() - begin) / 1e6
        yield "CPU ms a sampling" if number else "CPU ms the first sampling", took_ms
