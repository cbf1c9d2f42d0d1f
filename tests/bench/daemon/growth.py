"""What restarts leave behind in the memory of the daemon and of supervisord.

1. RESTARTS of the same WORKERS in each round, the first to fill what has a bound: the exits that are remembered of
   each, SQLite's cache, the buffers of threads.
2. Python takes its memory a MiB at a time, which is 500 bytes for each of 2,000 restarts: two looks say nothing. So
   there are several rounds, and the growth is the median slope between all pairs of them (Theil and Sen). What
   malloc happens to hold differs by some MiB from look to look on a busy machine: a short run there tells little.
3. After a round all is recorded, then private memory is looked at LOOKS times over two seconds: the median counts.
"""

import os
import signal
import time
from collections.abc import Iterator
from statistics import median

from bench import proc
from bench.daemon.crew import Crew
from bench.fleet import BenchError

RESTARTS = 2000
WORKERS = 100
SUCCEEDED_SEC = 0.1
"""More than start_success_sec: each restart is one that succeeds."""
LOOKS = 5
LOOK_SEC = 0.4
PATIENCE_SEC = 60.0


def rounds(crew: Crew, count: int) -> Iterator[tuple[float, float]]:
    """Yield the private bytes of daemon and supervisord: after the warm-up, and after each round."""
    for _ in range(count + 1):
        for _ in range(RESTARTS // WORKERS):
            _restart_some(crew)
        _await_recorded(crew)
        looks = [_look(crew) for _ in range(LOOKS)]
        yield median(daemon for daemon, _ in looks), median(supervisord for _, supervisord in looks)


def _restart_some(crew: Crew) -> None:
    before = crew.stamps.counts()[:WORKERS]
    for slot in range(WORKERS):
        os.kill(crew.stamps.last(slot).pid, signal.SIGKILL)
    if not crew.stamps.wait(lambda: all(map(int.__gt__, crew.stamps.counts(), before)), PATIENCE_SEC, LOOK_SEC / 40):
        raise BenchError("not all came back")
    time.sleep(SUCCEEDED_SEC)


def _await_recorded(crew: Crew) -> None:
    end = time.monotonic() + PATIENCE_SEC
    while b"\ncrewd_journal_lag_events 0.0\n" not in crew.scrape():
        if time.monotonic() > end:
            raise BenchError("not all was recorded")
        time.sleep(LOOK_SEC)


def _look(crew: Crew) -> tuple[float, float]:
    time.sleep(LOOK_SEC)
    return proc.private_bytes(crew.daemon), proc.private_bytes(crew.supervisord)
