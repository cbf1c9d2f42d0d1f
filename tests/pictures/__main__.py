"""``python -m pictures``: let the example crew live under a Prometheus for a while, then draw each dashboard."""

import argparse
import os
import random
import signal
import time
from pathlib import Path

from harness import grafana
from harness.crewctl import crewctl
from harness.example import ExampleCrew
from harness.grafana import DASHBOARDS, Window
from harness.ports import free_port
from harness.prometheus import Prometheus
from harness.waiting import wait_for
from pictures.asked import Asked
from pictures.drawing import drawn

IMAGES = Path(__file__).parents[2] / "docs/images"
SCRAPE_SEC = 5.0
EVENT_SEC = (15.0, 40.0)
NEXT_TRY = "min(crewd_worker_next_restart_timestamp_seconds) - time()"
"""What is drawn has one that is still to come."""


def main() -> None:
    """Live, then draw."""
    parser = argparse.ArgumentParser(prog="pictures", description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="how long the crew lives (8)")
    minutes = parser.parse_args().minutes
    port = free_port()
    with ExampleCrew() as crew, Prometheus(f"http://127.0.0.1:{port}/metrics", SCRAPE_SEC) as prometheus:
        crew.listen(port)
        started = time.time()
        live(crew, started + minutes * 60)
        wait_for(lambda: (prometheus.value(NEXT_TRY) or 0) > SCRAPE_SEC / 2, 180)
        window = Window(started, time.time(), SCRAPE_SEC)
        IMAGES.mkdir(exist_ok=True)
        for path in DASHBOARDS:
            dashboard = grafana.load(path)
            (IMAGES / f"{path.stem}.svg").write_text(drawn(dashboard, Asked(dashboard, prometheus, window)))


def live(crew: ExampleCrew, until: float) -> None:
    """Do now and then what happens to crews: a process is killed, a worker is started again, or reset."""
    chance = random.Random(1)
    while time.time() < until:
        time.sleep(min(chance.uniform(*EVENT_SEC), max(0.0, until - time.time())))
        happening = chance.choice((kill, kill, start_again, reset))
        happening(crew, chance)


def kill(crew: ExampleCrew, chance: random.Random) -> None:
    """Kill any process."""
    os.kill(chance.choice(list(crew.pids().values())), signal.SIGKILL)


def start_again(crew: ExampleCrew, _: random.Random) -> None:
    """Start what was given up, in vain."""
    if crew.states()["broken-0"] == "FATAL":
        crew.client.start(["broken-0"], "a picture")


def reset(crew: ExampleCrew, _: random.Random) -> None:
    """Restart a worker with its reset."""
    crewctl(Path(crew.root), "reset", "primes")


if __name__ == "__main__":
    main()
