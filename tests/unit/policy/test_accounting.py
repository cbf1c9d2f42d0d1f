"""What an event adds to the totals: restarts, their success, how long the worker was away."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewd.model.accounts import BEYOND, DURATION_BUCKETS_SEC, NO_ATTEMPT, UNKNOWN, Attempt, Key, Total, bucket
from crewd.model.facts import (
    ClockJumped,
    Event,
    Exited,
    Fact,
    Gap,
    Judged,
    Lost,
    Removed,
    Spawned,
    SpawnFailed,
    Starting,
    Succeeded,
)
from crewd.model.reasons import Cause, Reason, Verdict
from crewd.policy.accounting import account, worker_of

INSTANCE = "my-worker-3"
WORKER = "my-worker"


def starting(cause: Cause = Cause.RESTART) -> Starting:
    """A start is about to be tried."""
    return Starting(INSTANCE, "t", cause)


def exited(reason: Reason = Reason.EXIT_CODE, *, commanded: bool = False) -> Exited:
    """The process ended."""
    return Exited(INSTANCE, "t", 7, reason, 1, None, core=False, ran_sec=1.0, commanded=commanded)


SPAWNED = Spawned(INSTANCE, "t", 7, 70)
LATE = Spawned(INSTANCE, "t", 7, 70, lag_sec=0.003)
SUCCEEDED = Succeeded(INSTANCE)
JUDGED = Judged(INSTANCE, Reason.EXIT_CODE, Verdict.RESTARTED, 2.0, 4.0)
FAILED = SpawnFailed(INSTANCE, "t", "exec", 2, "no")


def totals(facts: Iterable[tuple[float, Fact]]) -> dict[Key, float]:
    """Return what a life comes to, events of each type left out."""
    found: dict[Key, float] = {}
    attempt = NO_ATTEMPT
    for number, (at, fact) in enumerate(facts, 1):
        attempt, changes = account(attempt, Event(number, at, 1e9 + at, fact))
        for key, amount in changes:
            if key.total is not Total.EVENTS:
                found[key] = found.get(key, 0) + amount
    return found


def counted(facts: Iterable[Fact]) -> dict[tuple[str, str], float]:
    """Return restarts, attempts and exits of a life whose events are a second apart."""
    wanted = (Total.RESTARTS, Total.ATTEMPTS, Total.EXITS)
    found = totals(enumerate(facts))
    return {(key.total.value, key.label): amount for key, amount in found.items() if key.total in wanted}


def test_a_worker_is_named_without_the_number() -> None:
    """Also where its own name holds dashes and digits."""
    assert [worker_of(name) for name in ("web-0", "a-b-12", "2-2")] == ["web", "a-b", "2"]


def test_a_restart_that_lasts_is_a_success() -> None:
    """From the exit to the spawn: that is how long the worker was away."""
    found = totals([(10.0, exited()), (10.0, JUDGED), (12.0, starting()), (12.5, LATE), (13.5, SUCCEEDED)])

    assert found == {
        Key(Total.EXITS, WORKER, "ExitCode"): 1,
        Key(Total.RESTARTS, WORKER, "ExitCode"): 1,
        Key(Total.ATTEMPTS, WORKER, "success"): 1,
        Key(Total.DURATION, WORKER, "2.5"): 1,
        Key(Total.DURATION_SUM, WORKER): 2.5,
        Key(Total.LAG, label="0.005"): 1,
        Key(Total.LAG_SUM): 0.003,
    }


def test_a_restart_that_dies_early_is_a_failure_and_begins_the_next() -> None:
    """Only the last one counts as a success, and its duration is from its own exit."""
    life = [exited(), starting(), SPAWNED, exited(), starting(), SPAWNED, SUCCEEDED]
    found = totals((float(at), fact) for at, fact in enumerate(life))

    assert found[Key(Total.ATTEMPTS, WORKER, "failure")] == 1
    assert found[Key(Total.ATTEMPTS, WORKER, "success")] == 1
    assert found[Key(Total.DURATION_SUM, WORKER)] == 2.0


def test_a_spawn_that_fails_is_a_failure() -> None:
    """And an end with the reason for it."""
    assert counted([exited(), starting(), FAILED, starting(), SPAWNED, SUCCEEDED]) == {
        ("exits", "ExitCode"): 1,
        ("exits", "SpawnFailed"): 1,
        ("restarts", "ExitCode"): 1,
        ("restarts", "SpawnFailed"): 1,
        ("attempts", "failure"): 1,
        ("attempts", "success"): 1,
    }


def test_an_end_that_was_asked_for_is_counted_as_such() -> None:
    """Beside the others of its reason: a worker that has to be killed at a stop did not fail."""
    asked = replace(exited(), commanded=True)

    assert totals([(1.0, exited()), (2.0, asked)]) == {
        Key(Total.EXITS, WORKER, "ExitCode"): 2,
        Key(Total.ASKED, WORKER, "ExitCode"): 1,
    }


def test_a_supervisord_that_dies_takes_the_attempt_with_it() -> None:
    """A failure; what the next supervisord starts is no restart."""
    lost = Lost(INSTANCE, "t", 7)
    assert counted([exited(), starting(), SPAWNED, lost, starting(Cause.BOOT), SPAWNED, SUCCEEDED]) == {
        ("exits", "ExitCode"): 1,
        ("exits", "SupervisorLost"): 1,
        ("restarts", "ExitCode"): 1,
        ("attempts", "failure"): 1,
    }


@pytest.mark.parametrize("cause", [Cause.BOOT, Cause.COMMAND, Cause.CONFIG])
def test_a_start_that_the_policy_did_not_order_is_no_restart(cause: Cause) -> None:
    """Neither it, nor its success, nor its failure."""
    assert counted([exited(), starting(cause), SPAWNED, SUCCEEDED, exited(), starting(cause), SPAWNED, exited()]) == {
        ("exits", "ExitCode"): 3
    }


def test_a_stop_in_the_middle_of_an_attempt_decides_nothing() -> None:
    """Neither a success nor a failure; the end is counted."""
    found = counted([exited(), starting(), SPAWNED, exited(Reason.CLEAN_EXIT, commanded=True)])

    assert found == {("exits", "ExitCode"): 1, ("exits", "CleanExit"): 1, ("restarts", "ExitCode"): 1}


def test_a_stop_leaves_no_attempt_to_be_repaired() -> None:
    """Nothing is remembered of an instance that was asked to end."""
    after, _ = account(NO_ATTEMPT, Event(1, 3.0, 3.0, exited(Reason.CLEAN_EXIT, commanded=True)))

    assert after == NO_ATTEMPT


def test_the_end_of_a_good_run_is_no_failed_attempt() -> None:
    """It succeeded before."""
    found = counted([exited(), starting(), SPAWNED, SUCCEEDED, exited()])

    assert ("attempts", "failure") not in found


def test_a_removed_instance_leaves_nothing_behind() -> None:
    """The next of that name begins anew."""
    after, _ = account(Attempt(1.0, 2.0, counted=True), Event(1, 3.0, 3.0, Removed(INSTANCE)))

    assert after == NO_ATTEMPT


def test_dropped_lines_are_counted() -> None:
    """As many as the gap says."""
    assert totals([(1.0, Gap(5, 11, 7))]) == {Key(Total.LOST): 7}


def test_every_line_counts_by_its_type() -> None:
    """By the word that stands in the journal."""
    _, changes = account(NO_ATTEMPT, Event(1, 1.0, 1.0, ClockJumped(3.0)))

    assert changes == ((Key(Total.EVENTS, label="clock_jumped"), 1.0),)


def test_a_success_whose_exit_was_dropped_has_no_duration() -> None:
    """It is counted, and no number is made up."""
    assert totals([(1.0, starting()), (2.0, SPAWNED), (3.0, SUCCEEDED)]) == {
        Key(Total.RESTARTS, WORKER, UNKNOWN): 1,
        Key(Total.ATTEMPTS, WORKER, "success"): 1,
    }


FACTS = st.sampled_from(
    [*(starting(cause) for cause in Cause), SPAWNED, SUCCEEDED, exited(), exited(commanded=True), FAILED, JUDGED]
)


@given(st.lists(FACTS, max_size=40))
def test_restarts_are_successes_failures_and_undecided(life: list[Fact]) -> None:
    """Whatever the journal says, in whatever order: never more decided than begun, never a duration without success."""
    found = totals((float(at), fact) for at, fact in enumerate(life))
    decided = sum(amount for key, amount in found.items() if key.total is Total.ATTEMPTS)
    timed = sum(amount for key, amount in found.items() if key.total is Total.DURATION)

    assert decided <= sum(amount for key, amount in found.items() if key.total is Total.RESTARTS)
    assert timed <= found.get(Key(Total.ATTEMPTS, WORKER, "success"), 0)


@given(st.floats(0, 1e6))
def test_a_bucket_holds_what_is_not_above_its_bound(seconds: float) -> None:
    """As Prometheus means ``le``."""
    label = bucket(DURATION_BUCKETS_SEC, seconds)
    lower = [bound for bound in DURATION_BUCKETS_SEC if bound < seconds]

    assert label == BEYOND or seconds <= float(label)
    assert all(float(label) > bound for bound in lower) if label != BEYOND else seconds > max(DURATION_BUCKETS_SEC)
