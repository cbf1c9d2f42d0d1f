"""The store's part of the bench: 10,000 lines a second into each database, one after the other.

1. The generator, the follower and the database's server are processes of their own; the bench itself only waits.
2. The follower does all that the daemon does with a line: it folds each into the daemon's picture, too.
3. A line is behind from its writing until the transaction that holds it is through, by one clock.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.figures import Figures, Key
from bench.fleet import BenchError
from bench.peers.peer import ENVIRONMENT
from bench.plan import StorePlan
from bench.store.commits import Commit, behind_sec, rate_per_sec, rows
from bench.targets import DATABASES
from crewd.store.store import SQLITE
from harness.postgres import Postgres, programs

SQLITE_NAME, POSTGRESQL_NAME = DATABASES
TESTS = Path(__file__).parents[2]
PATIENCE_SEC = 300.0


def measure_store(
    folder: Path, plan: StorePlan, figures: Figures, step: Callable[[str, Callable[[], object]], None]
) -> None:
    """Measure; each by a step of its own."""
    with ExitStack() as stack:
        databases: dict[str, Callable[[], str]] = {SQLITE_NAME: lambda: SQLITE}
        if programs() is not None:
            databases[POSTGRESQL_NAME] = stack.enter_context(Postgres()).make
        else:
            step(POSTGRESQL_NAME, _missing)
        for name, database in databases.items():
            step(name, partial(_measure, folder / f"store-{name}", name, database, plan, figures))


def _missing() -> None:
    raise BenchError("PostgreSQL is not installed: see .ci/debian-packages")


def _measure(site: Path, peer: str, database: Callable[[], str], plan: StorePlan, figures: Figures) -> None:
    site.mkdir()
    (site / "journal").mkdir()
    follower = _python("follower", site / "journal", database(), site)
    with follower:
        try:
            if follower.stdout.readline() != "open\n":
                raise BenchError(f"{peer}: the follower ended")
            told = _write(site / "journal", plan)
            output, _ = follower.communicate(f"{told['lines']}\n", PATIENCE_SEC)
        finally:
            follower.kill()
    answer = json.loads(output)
    _add(peer, plan, told, answer, figures)
    if answer["trouble"] or sum(row[3] for row in answer["commits"]) < told["lines"]:
        raise BenchError(f"{peer}: not all was recorded: {answer['trouble']}")


def _write(journal: Path, plan: StorePlan) -> dict[str, float]:
    with _python("writer", journal, plan.workers, plan.rate_per_sec, plan.seconds) as writer:
        output, _ = writer.communicate(timeout=PATIENCE_SEC)
    return json.loads(output)


def _add(peer: str, plan: StorePlan, told: dict[str, float], answer: dict, figures: Figures) -> None:
    commits = [Commit(*members) for members in answer["commits"]]
    found = {
        "behind s": behind_sec(commits),
        "events/s": [rate_per_sec(commits)],
        "rows in a transaction": [float(commit.rows) for commit in commits],
        "CPU µs an event": [1e6 * answer["cpu_sec"] / rows(commits)],
        "the writer's own delay s": [told["late_sec"]],
    }
    for what, samples in found.items():
        figures.add(Key(what, plan.workers, peer, logs=False), *samples)


def _python(module: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", f"bench.store.{module}", *map(str, arguments)],
        cwd=TESTS,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
