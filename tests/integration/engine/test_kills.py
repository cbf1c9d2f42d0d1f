"""``kill -9`` of supervisord at seeded moments, under a hundred workers that crash all the time.

The journal of all generations, of which nothing was acknowledged, is compared with what the workers wrote themselves.
"""

import random
import time

import pytest

from crewd.model.facts import LeftoverEnded, Lost
from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Program, Supervisord, wait_for
from harness.ledger import compare, live_tokens, read_ledger, read_stamps

KILLS = 50
"""For each edition: two hundred in all."""
WORKERS = 100
BOOT_SHARE = 0.3
"""How many of the kills come at any time since exec, so also before there is an engine; the others while it works."""
MOST_SEC = 0.4

POLICY = RestartPolicy(
    restart=RestartMode.ALWAYS, restart_sec=0.0, restart_steps=0, start_limit_burst=0, start_success_sec=0.03
)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_nothing_is_lost_or_doubled_when_supervisord_is_killed(edition: Edition, crasher: str, soak: int) -> None:
    """Every start is in the journal, each has one end, and no instance ever has two processes."""
    dice = random.Random(f"kills of {edition}")
    with Supervisord(edition, start=False) as server:
        stamps = server.path("stamps")
        server.boot(Program(f"crash-{slot}", (crasher, stamps, str(slot)), POLICY) for slot in range(WORKERS))
        for _ in range(KILLS * soak):
            _kill(server, dice)
        server.wait_ready()
        _left_from_before_is_gone(server)
        server.check_health()
        assert server.stop() == 0
        entries = server.journal()
        ledger = read_ledger(entries)
        facts = [entry.event.fact for entry in entries]

        assert ledger.problems == []
        assert ledger.open == {}
        assert compare(ledger, read_stamps(stamps)) == []
        assert live_tokens(entries[-1].generation) == {}
        # the storm was one: the kills caught workers in the middle of their lives, and left many of them behind
        assert sum(isinstance(fact, Lost) for fact in facts) > KILLS * soak
        assert sum(isinstance(fact, LeftoverEnded) for fact in facts) > 0


def _kill(server: Supervisord, dice: random.Random) -> None:
    """Let supervisord live for a moment, kill it, start it again at once."""
    if dice.random() >= BOOT_SHARE:
        server.wait_ready()
        _left_from_before_is_gone(server)
    time.sleep(dice.random() * MOST_SEC)
    server.kill()
    server.start(ready=False)


def _left_from_before_is_gone(server: Supervisord) -> None:
    """Assert that of what the last kill left behind nothing lives, now that there is an engine again."""
    generation = server.crewd("version")["generation"]

    def left() -> dict[int, str]:
        return {
            pid: token
            for pid, token in live_tokens().items()
            if token.partition(".")[0] < generation and server.owns(pid)
        }

    wait_for(lambda: not left(), 15.0, lambda: f"the end of {left()}")
