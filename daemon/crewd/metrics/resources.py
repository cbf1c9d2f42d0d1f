"""What the instances use: processor time, memory, open files, each with all processes that descend from it.

Rules:

1. One flat pass over /proc, whatever the number of instances; it gives up the interpreter at every file that it reads.
2. Processor time never falls: a counter that did would be taken for one that began anew. So what a child had used that
   ended without being waited for is not taken back, and what the others use next hides in it.
3. The proportional share of memory is dear (the kernel walks all page tables): it is looked at when an instance is new,
   and then in one pass of PSS_EVERY, in turns; between them the last one stands.
4. A sum of which a part may not be read is None. CPU and RSS may always be read, PSS only by the same user or root,
   the number of open files by all since Linux 6.2.
"""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

from crewd.metrics.proc import PAGE_BYTES, TICKS_PER_SEC, Seen, processes, trees_of
from crewd.reconcile.port import Usage

PSS_EVERY = 4


@dataclass(frozen=True, slots=True)
class _Before:
    """What the last pass saw of a process, in CLOCK_BOOTTIME seconds; of a new one, what it was when it started."""

    run: tuple[int, int]
    at: float
    cpu_sec: float = 0.0
    pss_bytes: int | None = None
    new: bool = True


class ProcSampler:
    """Implements ``reconcile.port.Sampler``. One pass at a time."""

    def __init__(self) -> None:
        self._before: dict[str, _Before] = {}
        self._passes = 0

    def sample(self, running: Mapping[str, tuple[int, int]]) -> Mapping[str, Usage]:
        """Return what these use, by instance; those that are gone are left out."""
        self._passes += 1
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        trees = trees_of(running, processes())
        before = {instance: self._last(instance, running[instance]) for instance in trees}
        used = {instance: self._usage(tree, before[instance], now) for instance, tree in trees.items()}
        self._before = {
            instance: _Before(running[instance], now, usage.cpu_sec, usage.pss_bytes, new=False)
            for instance, usage in used.items()
        }
        return used

    def _last(self, instance: str, run: tuple[int, int]) -> _Before:
        last = self._before.get(instance)
        return last if last is not None and last.run == run else _Before(run, run[1] / TICKS_PER_SEC)

    def _usage(self, tree: list[Seen], before: _Before, now: float) -> Usage:
        cpu_sec = max(before.cpu_sec, sum(process.cpu_ticks for process in tree) / TICKS_PER_SEC)
        passed_sec = max(1 / TICKS_PER_SEC, now - before.at)
        alive = [process.pid for process in tree if not process.zombie]
        is_turn = before.new or (before.run[0] + self._passes) % PSS_EVERY == 0
        return Usage(
            cpu_sec=cpu_sec,
            cpu_share=(cpu_sec - before.cpu_sec) / passed_sec,
            rss_bytes=sum(process.rss_pages for process in tree) * PAGE_BYTES,
            pss_bytes=_pss_bytes(alive) if is_turn else before.pss_bytes,
            open_fds=_open_fds(alive),
            processes=len(tree),
        )


def _pss_bytes(pids: Iterable[int]) -> int | None:
    total = 0
    for pid in pids:
        try:
            total += int(psutil.Process(pid).memory_full_info().pss)
        except psutil.AccessDenied:
            return None
        except (psutil.Error, OSError):
            pass  # it ended meanwhile
    return total


def _open_fds(pids: Iterable[int]) -> int | None:
    total = 0
    for pid in pids:
        try:
            # since 6.2 Linux says the number as the directory's size, without a list of what may be 100,000 names
            directory = f"/proc/{pid}/fd"  # pathlib would keep every pid there ever was, as a part of a path
            total += os.stat(directory).st_size or len(os.listdir(directory))  # noqa: PTH116, PTH208 - as above
        except PermissionError:
            return None
        except OSError:
            pass  # it ended meanwhile
    return total
