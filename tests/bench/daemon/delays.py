"""Whether a scrape delays anything: turns without and with somebody who scrapes without pause, which nobody does."""

import time
from collections.abc import Iterator
from contextlib import nullcontext

from bench.daemon.crew import Crew
from bench.plan import DaemonPlan

PAUSE_SEC = 0.004


def turns(crew: Crew, plan: DaemonPlan) -> Iterator[tuple[bool, str, float]]:
    """Yield whether it was scraped meanwhile, what was measured, and the sample."""
    for _ in range(plan.rounds):
        for scraped in (False, True):
            with crew.scraped() if scraped else nullcontext():
                for _ in range(plan.health_checks):
                    yield scraped, "GET /healthz ms", asked_ms(crew, "/healthz")
                    time.sleep(PAUSE_SEC)
                for _ in range(plan.crashes):
                    yield scraped, "crash ms", crew.crash_one()
                    time.sleep(PAUSE_SEC)


def asked_ms(crew: Crew, path: str) -> float:
    """Return how long the API took to answer."""
    begin = time.perf_counter_ns()
    crew.api(path)
    return (time.perf_counter_ns() - begin) / 1e6
