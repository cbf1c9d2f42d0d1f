"""``kill -9`` of the daemon, and of supervisord below it, at seeded moments under a hundred crashing workers.

A killed daemon is started again and takes over the supervisord that went on; a killed supervisord is started again by
the daemon. The journal, the database and what the workers wrote themselves must agree exactly: every line is stored
once, the totals are those of all lines, every start is in the journal.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping

import pytest

from crewd.errors import TargetError
from crewd.model.facts import GenerationEnded
from crewd.model.journal_line import decode
from crewd.reconcile.port import Position
from crewd.store import store_of
from harness import wait_for
from harness.daemon import Daemon
from harness.journal import Entry
from harness.kept_journal import KeptJournal
from harness.ledger import compare, live_tokens, read_ledger, read_stamps
from harness.postgres import Postgres, postgres
from harness.stored import accounted, everything

__all__ = ["postgres"]

KILLS = 100
"""With each database: two hundred in all."""
DAEMON_SHARE = 0.5
WORKERS = 100
MOST_SEC = 1.5
PATIENCE_SEC = 60.0
STORM_WORKERS = 1000
STORM_SEC = 8.0
KEEPING_UP_SEC = 20.0
SAME_SEC = 1e-6
"""A sum of seconds depends, far behind the point, on the order of its parts; the journal's times are microseconds."""


def addresses(database: str, server: Postgres) -> Mapping[str, str]:
    """Return the variables that name the database to the daemon."""
    return {} if database == "sqlite" else {"CREWD_DATABASE_URL": server.make()}


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_nothing_is_lost_or_doubled_when_the_daemon_is_killed(
    database: str, postgres: Postgres, crasher: str, soak: int
) -> None:
    """Store, journal and the workers' own stamps agree exactly."""
    dice = random.Random(f"kills of the daemon, {database}")
    environ = addresses(database, postgres)
    killed: Counter[str] = Counter()
    with Daemon() as daemon, KeptJournal(daemon.home.journal, f"{daemon.root}/kept") as kept:
        stamps = f"{daemon.root}/stamps"
        daemon.write({f"crash{slot}": _worker(crasher, stamps, slot) for slot in range(WORKERS)})
        daemon.start(environ=environ)
        while killed.total() < KILLS * soak:
            time.sleep(dice.random() * MOST_SEC)
            if dice.random() < DAEMON_SHARE:
                _kill_daemon(daemon, environ)
                killed["daemon"] += 1
            else:
                _kill_some_supervisord(daemon, environ, dice, answering=killed["supervisord"] % 2 == 1)
                killed["supervisord"] += 1
        await _calm(daemon, environ)
        _end(daemon)
        kept.keep()
        lines = kept.lines()
        entries = [Entry(generation, decode(line)) for generation, line in lines]
        ledger = read_ledger(entries)
        known, stored = await everything(_database(environ), daemon.home)
        totals, attempts = accounted(line for _, line in lines[: len(stored)])

        assert ledger.problems == []
        assert ledger.open == {}
        assert compare(ledger, read_stamps(stamps)) == []
        assert live_tokens(entries[-1].generation) == {}
        assert [(event.row.generation, event.row.line.encode()) for event in stored] == lines[: len(stored)]
        assert all(isinstance(entry.event.fact, GenerationEnded) for entry in entries[len(stored) :])
        assert known.totals == pytest.approx(totals, rel=0, abs=SAME_SEC)
        assert known.attempts == attempts
        assert killed["supervisord"] > 25 * soak
        assert len({entry.generation for entry in entries}) > 10 * soak


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_a_storm_is_written_in_batches_and_keeps_up(database: str, postgres: Postgres) -> None:
    """A thousand workers that die at once: what is not stored yet is little, and soon nothing."""
    environ = addresses(database, postgres)
    dies = {"command": ["/bin/false"], "restart": "always", "restart_sec": 0, "restart_steps": 0}
    with Daemon({"dies": {**dies, "start_limit_burst": 0, "instances": STORM_WORKERS}}) as daemon:
        daemon.start(environ=environ)
        time.sleep(STORM_SEC)
        began = time.monotonic()
        place = await _calm(daemon, environ)
        _, stored = await everything(_database(environ), daemon.home)

        assert time.monotonic() - began < KEEPING_UP_SEC
        assert [event.row.sequence for event in stored] == list(range(1, place.sequence + 1))
        assert len(stored) > STORM_SEC * 400


def _database(environ: Mapping[str, str]) -> str:
    return environ.get("CREWD_DATABASE_URL", "sqlite")


async def _calm(daemon: Daemon, environ: Mapping[str, str]) -> Position:
    """Stop all workers, and wait until the database has all that the journal says; return how far that is."""
    wait_for(lambda: _living(daemon, environ), PATIENCE_SEC, daemon.log)
    wait_for(lambda: _stopped(daemon), PATIENCE_SEC, daemon.log)
    end = daemon.client.version()
    deadline = time.monotonic() + PATIENCE_SEC
    while (place := await _place(daemon, environ)) < Position(end.generation, end.sequence):
        assert time.monotonic() < deadline, f"{place} is recorded, of {end}\n{daemon.log()[-3000:]}"
    return place


def _stopped(daemon: Daemon) -> bool:
    """Stop whatever is not; return whether all are."""
    try:
        daemon.client.stop(sorted({name.rpartition("-")[0] for name in daemon.states()}), "test")
    except TargetError:
        return False
    return set(daemon.states().values()) == {"STOPPED"}


async def _place(daemon: Daemon, environ: Mapping[str, str]) -> Position:
    """Return how far the database is."""
    store = store_of(_database(environ), daemon.home)
    try:
        return (await store.open()).position
    finally:
        await store.close()


def _worker(crasher: str, stamps: str, slot: int) -> dict[str, object]:
    limits = {"restart": "always", "restart_sec": 0, "restart_steps": 0, "start_limit_burst": 0}
    return {"command": [crasher, stamps, str(slot)], "start_success_sec": "30ms", **limits}


def _kill_daemon(daemon: Daemon, environ: Mapping[str, str]) -> None:
    """Kill it, ready or not; the next one takes over what it left."""
    with contextlib.suppress(ProcessLookupError):  # it ends by itself where its first supervisord dies in the cradle
        os.kill(daemon.pid, signal.SIGKILL)
    daemon.nursery.wait(daemon.pid)
    daemon.start(ready=False, environ=environ)


def _kill_supervisord(daemon: Daemon) -> bool:
    """Kill it, if there is one, whether it answers yet or not; the daemon starts the next."""
    running = [one.pid for one in daemon.nursery.members() if "crewd_supervisord.launch" in one.command]
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(running)


def _kill_some_supervisord(daemon: Daemon, environ: Mapping[str, str], dice: random.Random, *, answering: bool) -> None:
    """Kill one as soon as there is one: on a busy machine, few are there by themselves before the daemon is killed."""

    def is_killed() -> bool:
        if (_living(daemon, environ) or not answering) and _kill_supervisord(daemon):
            return True
        time.sleep(dice.random() * MOST_SEC)
        return False

    wait_for(is_killed, PATIENCE_SEC, daemon.log)


def _living(daemon: Daemon, environ: Mapping[str, str]) -> str:
    """Start the daemon again if it ended by itself; return which supervisord answers, if one does."""
    if daemon.nursery.status(daemon.pid) is not None:
        daemon.start(ready=False, environ=environ)
    return _generation(daemon)


def _generation(daemon: Daemon) -> str:
    try:
        return daemon.client.version().generation
    except TargetError:
        return ""


def _end(daemon: Daemon) -> None:
    """Stop the daemon, and the supervisord which it keeps where it took it over."""
    os.kill(daemon.pid, signal.SIGTERM)
    daemon.wait(timeout=PATIENCE_SEC)
    with contextlib.suppress(TargetError, ProcessLookupError):
        os.kill(daemon.client.version().pid, signal.SIGTERM)
    wait_for(lambda: not _generation(daemon), PATIENCE_SEC, daemon.supervisord_log)
