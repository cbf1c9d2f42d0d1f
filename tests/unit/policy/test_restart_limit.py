"""The start limit, the floor and the new history after a good run."""

from dataclasses import replace
from math import inf

import pytest

from crewd.model.reasons import Reason, Verdict
from crewd.model.spec import RestartMode, RestartPolicy
from crewd.policy.restart import FLOOR_SEC, Ending, GiveUp, History, Leave, Restart, budget, decide

CRASH = Ending(code=1, ran_sec=0.01)
PROMPT = RestartPolicy(restart_sec=0, start_limit_burst=3, start_limit_interval_sec=10)


def test_each_restart_of_a_history_takes_the_next_step() -> None:
    """The first waits restart_sec, the next the next step of the formula."""
    policy = RestartPolicy(restart_sec=1, restart_max_delay_sec=16, restart_steps=4, start_limit_burst=0)
    waited = [decide(policy, History((), done), CRASH, 0.0, 0.0) for done in range(6)]

    assert waited == [Restart(after, Reason.EXIT_CODE) for after in (1, 2, 4, 8, 16, 16)]


def test_the_first_start_counts_towards_the_burst() -> None:
    """A burst of 3 is the first start and two restarts, as in systemd."""
    assert isinstance(decide(PROMPT, History((0.0,)), CRASH, 0.01, 0.0), Restart)
    assert isinstance(decide(PROMPT, History((0.0, 0.11), 1), CRASH, 0.12, 0.0), Restart)
    assert decide(PROMPT, History((0.0, 0.11, 0.22), 2), CRASH, 0.23, 0.0) == GiveUp(Reason.EXIT_CODE)


def test_a_burst_of_one_restarts_nothing() -> None:
    """The one start that the limit allows has been made."""
    decision = decide(replace(PROMPT, start_limit_burst=1), History((0.0,)), CRASH, 0.01, 0.0)

    assert decision.verdict is Verdict.START_LIMIT_HIT


def test_old_starts_slide_out_of_the_window() -> None:
    """A start exactly one interval old no longer counts; one a moment younger does."""
    starts = (0.0, 5.0, 6.0)

    assert budget(PROMPT, History(starts), 10.0) == 1
    assert budget(PROMPT, History(starts), 9.999) == 0


def test_the_window_is_judged_at_the_time_of_the_start_to_come() -> None:
    """A delay that carries the next start past the window's edge saves the worker."""
    patient = replace(PROMPT, restart_sec=2.0)
    history = History((0.0, 5.0, 8.0), 2)

    assert isinstance(decide(PROMPT, history, CRASH, 8.1, 0.0), GiveUp)
    assert isinstance(decide(patient, history, CRASH, 8.1, 0.0), Restart)


def test_a_sliding_window_lets_no_double_burst_through() -> None:
    """Where systemd's fixed window would begin anew at 10 s, the starts just before it still count."""
    assert isinstance(decide(PROMPT, History((0.0, 9.8, 9.9), 2), CRASH, 9.95, 0.0), Restart)
    assert isinstance(decide(PROMPT, History((0.0, 9.8, 9.9, 10.05), 3), CRASH, 10.1, 0.0), GiveUp)


@pytest.mark.parametrize("off", [{"start_limit_burst": 0}, {"start_limit_interval_sec": 0.0}])
def test_a_zero_switches_the_limit_off(off: dict[str, float]) -> None:
    """A burst or an interval of 0 means no limit, as in systemd."""
    policy = replace(PROMPT, **off)
    history = History(tuple(n / 10 for n in range(500)), 499)

    assert isinstance(decide(policy, history, CRASH, 50.0, 0.0), Restart)
    assert budget(policy, history, 50.0) == inf


def test_an_infinite_interval_counts_for_ever() -> None:
    """No start is ever forgotten, however long ago."""
    policy = replace(PROMPT, start_limit_interval_sec=inf)

    assert isinstance(decide(policy, History((0.0, 1e6, 2e6), 2), CRASH, 1e9, 0.0), GiveUp)


def test_a_run_shorter_than_success_waits_for_the_floor() -> None:
    """With no delay at all, a worker that dies at once still waits FLOOR_SEC; one that ran well does not."""
    short = decide(PROMPT, History((0.0,)), Ending(code=1, ran_sec=0.999), 1.0, 0.0)
    long = decide(PROMPT, History((0.0,)), Ending(code=1, ran_sec=1.0), 1.0, 0.0)

    assert short == Restart(FLOOR_SEC, Reason.EXIT_CODE)
    assert long == Restart(0.0, Reason.EXIT_CODE)


def test_the_floor_adds_nothing_to_a_longer_delay() -> None:
    """It is a least delay, not an extra one."""
    assert decide(replace(PROMPT, restart_sec=0.5), History((0.0,)), CRASH, 0.01, 0.0) == Restart(0.5, Reason.EXIT_CODE)


def test_a_failed_spawn_waits_for_the_floor_whatever_counts_as_success() -> None:
    """With start_success_sec 0 every run succeeds, but a failed spawn is no run."""
    policy = replace(PROMPT, start_success_sec=0)

    assert decide(policy, History((0.0,)), Ending(spawn_failed=True), 0.0, 0.0) == Restart(
        FLOOR_SEC, Reason.SPAWN_FAILED
    )


def test_a_run_of_restart_reset_sec_begins_a_new_history() -> None:
    """No earlier start counts, and the delay is the first step's again; a moment less, and nothing is forgiven."""
    policy = RestartPolicy(start_limit_burst=2, start_limit_interval_sec=inf, restart_reset_sec=60)
    history = History((0.0, 1.0), 5)

    assert decide(policy, history, Ending(code=1, ran_sec=60), 61.0, 0.0) == Restart(0.1, Reason.EXIT_CODE, fresh=True)
    assert isinstance(decide(policy, history, Ending(code=1, ran_sec=59.99), 61.0, 0.0), GiveUp)


def test_a_failed_spawn_never_begins_a_new_history() -> None:
    """Even where every run does, by a reset of 0, the limit still stops a program that cannot be started."""
    policy = replace(PROMPT, restart_reset_sec=0)

    assert isinstance(decide(policy, History((0.0, 0.1, 0.2), 2), Ending(spawn_failed=True), 0.2, 0.0), GiveUp)


def test_a_long_run_is_told_as_fresh_whatever_the_verdict() -> None:
    """Also a verdict not to restart forgives what was before the good run."""
    policy = RestartPolicy(restart=RestartMode.NO, restart_reset_sec=60)
    decision = decide(policy, History((0.0,)), Ending(code=1, ran_sec=61), 61.0, 0.0)

    assert decision == Leave(Reason.EXIT_CODE, Verdict.NOT_WANTED, fresh=True)


def test_nothing_is_restarted_past_the_limit_even_when_forced() -> None:
    """restart: always and the limit: the limit wins."""
    decision = decide(replace(PROMPT, restart=RestartMode.ALWAYS), History((0.0, 0.1, 0.2), 2), CRASH, 0.3, 0.0)

    assert isinstance(decision, GiveUp)
