"""How soon a change is shown: from just before the kill to the end of the first answer that tells of it.

1. The answers come one after the other, without a pause between scrapes and LOOK_SEC between requests of the API: what
   is measured is up to one answer longer than what it took until the next would have told.
2. The API has shown it once the killed process is no longer the instance's; the metrics once all three have moved: the
   counter of exits, the counter of restarts, and the state or, where the worker runs again already, its start time.
"""

import json
import time
from collections.abc import Callable

from bench.daemon.crew import Crew
from bench.fleet import BenchError

LOOK_SEC = 0.001
PATIENCE_SEC = 10.0
_STATE, _START = "crewd_worker_state", "crewd_worker_start_time_seconds"
_COUNTERS = ("crewd_worker_exits_total", "crewd_worker_restarts_total")


def seen_by_api_ms(crew: Crew) -> float:
    """Kill a worker; return how long the API took to show it."""
    slot = crew.next_victim()
    path, old = f"/api/v1/workers/{crew.peer.worker(slot)}/status", crew.stamps.last(slot).pid

    def shows(answer: bytes) -> bool:
        (instance,) = json.loads(answer)["data"]["instances"]
        return instance["pid"] != old

    return _seen_ms(crew, slot, lambda: crew.api(path), shows, LOOK_SEC)


def seen_by_metrics_ms(crew: Crew) -> float:
    """Kill a worker; return how long the metrics took to show all of it."""
    slot = crew.next_victim()
    worker = crew.peer.worker(slot)
    before = told(crew.scrape(), worker)
    return _seen_ms(crew, slot, crew.scrape, lambda page: moved(before, told(page, worker)), 0.0)


def told(page: bytes, worker: str) -> dict[str, float]:
    """Return what the page says of a worker: exits by a signal, restarts after them, whether it runs, since when."""
    wanted = [f'{name}{{worker="{worker}",reason="Signal"}}' for name in _COUNTERS]
    wanted += [f'{_STATE}{{worker="{worker}",instance="{worker}-0",state="RUNNING"}}']
    wanted += [f'{_START}{{worker="{worker}",instance="{worker}-0"}}']
    found = {name.partition("{")[0]: _value(page, name) for name in wanted}
    return {name: value for name, value in found.items() if value is not None}


def moved(before: dict[str, float], after: dict[str, float]) -> bool:
    """Return whether all that one restart changes has changed."""
    counted = all(after[name] > before[name] for name in _COUNTERS)
    return counted and (after[_STATE] != before[_STATE] or after.get(_START) != before.get(_START))


def _seen_ms(
    crew: Crew, slot: int, ask: Callable[[], bytes], shows: Callable[[bytes], bool], pause_sec: float
) -> float:
    begin = crew.kill(slot)
    while True:
        answer, took_ms = ask(), (time.monotonic_ns() - begin) / 1e6
        if shows(answer):
            crew.stamps.read()
            return took_ms
        if took_ms > PATIENCE_SEC * 1e3:
            raise BenchError(f"the end of {crew.peer.worker(slot)} is not shown")
        time.sleep(pause_sec)


def _value(page: bytes, series: str) -> float | None:
    """A search for bytes: it takes a hundredth of what a regular expression takes, on a page of megabytes."""
    line = b"\n" + series.encode() + b" "
    at = page.find(line)
    return None if at < 0 else float(page[at + len(line) : page.index(b"\n", at + len(line))])
