"""``kill -9`` of the daemon, and of supervisord below it, at seeded moments under a hundred crashing workers.

A killed daemon is started again and takes over the supervisord that went on; a killed supervisord is started again by
the daemon. The journal, of which nothing was acknowledged, must agree with what the workers wrote themselves.
"""

import contextlib
import os
import random
import signal
import time

import pytest

from crewd.errors import TargetError
from harness import journal, wait_for
from harness.daemon import Daemon
from harness.ledger import compare, live_tokens, read_ledger, read_stamps

KILLS = 30
DAEMON_SHARE = 0.7
WORKERS = 100
MOST_SEC = 0.6
PATIENCE_SEC = 60.0


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_nothing_is_lost_or_doubled_when_the_daemon_is_killed(crasher: str, soak: int) -> None:
    """Every start is in the journal, each has one end, and no instance ever has two processes."""
    dice = random.Random("kills of the daemon")
    with Daemon() as daemon:
        stamps = f"{daemon.root}/stamps"
        daemon.write({f"crash{slot}": _worker(crasher, stamps, slot) for slot in range(WORKERS)})
        daemon.start()
        for _ in range(KILLS * soak):
            time.sleep(dice.random() * MOST_SEC)
            _kill_daemon(daemon) if dice.random() < DAEMON_SHARE else _kill_supervisord(daemon)
        daemon.start(ready=False) if daemon.nursery.status(daemon.pid) is not None else None
        wait_for(lambda: _generation(daemon), PATIENCE_SEC, daemon.log)
        _end(daemon)
        entries = journal.read(daemon.home.journal)
        ledger = read_ledger(entries)

        assert ledger.problems == []
        assert ledger.open == {}
        assert compare(ledger, read_stamps(stamps)) == []
        assert live_tokens(entries[-1].generation) == {}
        assert len({entry.generation for entry in entries}) > 1


def _worker(crasher: str, stamps: str, slot: int) -> dict[str, object]:
    limits = {"restart": "always", "restart_sec": 0, "restart_steps": 0, "start_limit_burst": 0}
    return {"command": [crasher, stamps, str(slot)], "start_success_sec": "30ms", **limits}


def _kill_daemon(daemon: Daemon) -> None:
    """Kill it, ready or not; the next one takes over what it left."""
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.nursery.wait(daemon.pid)
    daemon.start(ready=False)


def _kill_supervisord(daemon: Daemon) -> None:
    """Kill it, if there is one that answers; the daemon starts the next."""
    with contextlib.suppress(TargetError, ProcessLookupError):
        os.kill(daemon.client.version().pid, signal.SIGKILL)


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
