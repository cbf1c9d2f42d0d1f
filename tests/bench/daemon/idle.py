"""What the daemon has and does while nothing happens: memory, processor time, and what a scrape adds to that."""

import time

from bench import proc
from bench.daemon.crew import Crew
from crewd.model.spec import DaemonSpec

LOOKS = 5
INTERVAL_SEC = DaemonSpec().sample_interval_sec
Found = dict[str, list[float]]


def memory(crew: Crew) -> Found:
    """Return the memory of both, looked at several times over a sample interval."""
    found: Found = {"PSS MiB": [], "private MiB": [], "supervisord's PSS MiB": []}
    for _ in range(LOOKS):
        time.sleep(INTERVAL_SEC / LOOKS)
        found["PSS MiB"].append(proc.pss_mib([crew.daemon]))
        found["private MiB"].append(proc.private_bytes(crew.daemon) / 2**20)
        found["supervisord's PSS MiB"].append(proc.pss_mib([crew.supervisord]))
    return found


def processor(crew: Crew, intervals: int) -> Found:
    """Return their share of a core over whole sample intervals, and what one scrape costs beyond it."""
    began, before = time.monotonic(), crew.cpu_ns()
    time.sleep(intervals * INTERVAL_SEC)
    window_ns, after = (time.monotonic() - began) * 1e9, crew.cpu_ns()
    daemon, supervisord = (100 * (end - start) / window_ns for start, end in zip(before, after, strict=True))
    scrape_ms = _scrape_ms(crew, daemon)
    return {
        "idle CPU %": [daemon + supervisord],
        "idle CPU % of the daemon": [daemon],
        "idle CPU % of supervisord": [supervisord],
        "CPU ms a scrape": [scrape_ms],
        "CPU % of a scrape each 15 s": [100 * scrape_ms / 15_000],
    }


def _scrape_ms(crew: Crew, idle_percent: float) -> float:
    """Scrape once a second for two sample intervals; return the daemon's processor time for each, less the idle one."""
    began, before, scrapes = time.monotonic(), crew.cpu_ns()[0], 0
    while time.monotonic() < began + 2 * INTERVAL_SEC:
        crew.scrape()
        scrapes += 1
        time.sleep(max(0.0, began + scrapes - time.monotonic()))
    passed_ns = (time.monotonic() - began) * 1e9
    return (crew.cpu_ns()[0] - before - idle_percent / 100 * passed_ns) / scrapes / 1e6
