"""What holds for every policy and every course of events."""

from dataclasses import dataclass, replace
from functools import reduce
from math import inf

from hypothesis import assume, given
from hypothesis import strategies as st

from crew_strategies import endings, jitters, policies, seconds
from crewd.model import journal_line
from crewd.model.facts import Event, Starting
from crewd.model.reasons import Cause
from crewd.model.record import Record
from crewd.model.spec import START_LIMIT_BURST_MOST, ExitStatusSet, RestartMode, RestartPolicy
from crewd.policy.fold import fold
from crewd.policy.restart import (
    FLOOR_SEC,
    Decision,
    Ending,
    GiveUp,
    History,
    Leave,
    Restart,
    budget,
    decide,
    limitless,
)

EDGE = 1e-6
"""Sums of floats may put a start this far to either side of a window's edge."""


@dataclass(frozen=True)
class Case:
    """One question to ``decide``: the starts so far, and a run that ends ``wait`` after the last of them."""

    policy: RestartPolicy
    starts: tuple[float, ...]
    restarts: int
    ending: Ending
    jitter: float
    wait: float

    @property
    def now(self) -> float:
        return max(self.starts, default=0.0) + self.wait

    @property
    def verdict(self) -> Decision:
        return decide(self.policy, History(self.starts, self.restarts), self.ending, self.now, self.jitter)


def any_case(policy: st.SearchStrategy[RestartPolicy]) -> st.SearchStrategy[Case]:
    starts = st.lists(seconds, max_size=14).map(lambda found: tuple(sorted(found)))
    return st.builds(Case, policy, starts, st.integers(0, 30), endings(), jitters, seconds)


limited = policies.filter(lambda policy: not limitless(policy))
eager = limited.map(
    lambda policy: replace(policy, restart=RestartMode.ALWAYS, restart_prevent_exit_status=ExitStatusSet())
)
cases = any_case(policies)
Life = list[tuple[Ending, float, float]]
"""For each run: how it ends, the jitter drawn, and by how much the start that follows is late."""
lives: st.SearchStrategy[Life] = st.lists(
    st.tuples(endings(), jitters, st.sampled_from([0, 1 / 512, 0.25, 40])), min_size=13, max_size=20
)


def automatic_starts(policy: RestartPolicy, life: Life) -> list[float]:
    """Live through it from a first start at 0 as the engine does; return every start, the first included."""
    starts, history = [0.0], History((0.0,))
    for ending, jitter, lag in life:
        now = starts[-1] + ending.ran_sec
        decision = decide(policy, history, ending, now, jitter)
        if not isinstance(decision, Restart):
            break
        starts.append(now + decision.after_sec + lag)
        past = History() if decision.fresh else history
        history = History((*past.starts, starts[-1]), past.restarts + 1)
    return starts


@given(policy=eager, life=lives)
def test_no_window_holds_more_starts_than_the_burst(policy: RestartPolicy, life: Life) -> None:
    """Whatever the runs, exits, jitters and lags: at most start_limit_burst starts in any window."""
    policy = replace(policy, restart_reset_sec=max(policy.restart_reset_sec, policy.start_limit_interval_sec))
    starts = automatic_starts(policy, life)

    for end in starts:
        window = [start for start in starts if end - policy.start_limit_interval_sec + EDGE < start <= end]
        assert len(window) <= policy.start_limit_burst


@given(case=any_case(eager))
def test_giving_up_means_that_one_start_more_is_one_too_many(case: Case) -> None:
    """The limit stops exactly the start that would overfill its window, and no other."""
    unlimited = replace(case, policy=replace(case.policy, start_limit_burst=0)).verdict
    assert isinstance(unlimited, Restart)
    window = case.now + unlimited.after_sec - case.policy.start_limit_interval_sec
    counted = 0 if unlimited.fresh else sum(start > window for start in case.starts)

    assert isinstance(case.verdict, GiveUp) == (counted >= case.policy.start_limit_burst)


@given(case=cases)
def test_the_verdict_depends_on_its_arguments_alone(case: Case) -> None:
    """The same arguments give the same verdict, with any number of other verdicts in between."""
    first = case.verdict
    for other in (Ending(code=0, ran_sec=1e9), Ending(spawn_failed=True)):
        decide(RestartPolicy(), History((case.now,), 3), other, case.now + 5, 0.5)

    assert case.verdict == first


@given(case=any_case(policies.map(lambda policy: replace(policy, restart_steps=0))), shift=st.integers(0, 2**20))
def test_only_the_distance_of_times_matters(case: Case, shift: int) -> None:
    """Moving the clock under all of history moves no verdict: any monotonic clock serves."""
    assume(not case.ending.spawn_failed)
    case = replace(case, policy=replace(case.policy, start_success_sec=0))  # no floor, no steps: every sum is exact
    moved = replace(case, starts=tuple(start + shift for start in (case.starts or (0.0,))))

    assert moved.verdict == replace(case, starts=case.starts or (0.0,)).verdict


def restarting(policy: RestartPolicy, record: Record, wait: float) -> tuple[Record, float, Event]:
    """Return the record, the time and the line after one more start, ``wait`` after the last."""
    now = max(record.starts, default=0.0) + wait
    event = Event(1, now, now, Starting("web-0", "g.1", Cause.RESTART, "f", "s"))
    return fold(record, event), now, event


@given(phases=st.lists(st.tuples(limited | policies, st.lists(seconds, max_size=8)), min_size=1, max_size=4))
def test_a_change_of_policy_finds_the_history_that_a_restart_would_find(
    phases: list[tuple[RestartPolicy, list[float]]],
) -> None:
    """What the engine holds, what the journal read back gives, and all starts ever: under any policy the same."""
    live, starts, ending, lines = Record(), [], Ending(code=1, ran_sec=0.0), []
    for policy, waits in phases:
        for wait in waits:
            live, now, event = restarting(policy, live, wait)
            starts.append(now)
            lines.append(journal_line.encode(event))
        now = max(starts, default=0.0)
        read = reduce(fold, map(journal_line.decode, lines), Record())
        histories = [History(one, live.restarts) for one in (live.starts, read.starts, tuple(starts))]

        assert len({decide(policy, history, ending, now, 0.5) for history in histories}) == 1
        assert len({budget(policy, history, now) for history in histories}) == 1


@given(case=cases)
def test_the_budget_counts_the_starts_inside_the_window(case: Case) -> None:
    """By looking at each of them: a start at its very edge is out."""
    begin = case.now - case.policy.start_limit_interval_sec
    counted = sum(start > begin for start in case.starts)
    left = budget(case.policy, History(case.starts), case.now)

    assert left == (inf if limitless(case.policy) else max(0, case.policy.start_limit_burst - counted))


@given(burst=st.integers(1, START_LIMIT_BURST_MOST), more=st.integers(0, 50), wait=seconds)
def test_no_burst_can_tell_that_old_starts_were_cut(burst: int, more: int, wait: float) -> None:
    """The last START_LIMIT_BURST_MOST starts decide for every burst that the configuration admits."""
    policy = RestartPolicy(start_limit_burst=burst, start_limit_interval_sec=2000)
    starts = tuple(float(n) for n in range(START_LIMIT_BURST_MOST + more))
    at = starts[-1] + wait

    assert budget(policy, History(starts[-START_LIMIT_BURST_MOST:]), at) == budget(policy, History(starts), at)


@given(case=any_case(limited), more=seconds)
def test_a_milder_limit_never_gives_up_earlier(case: Case, more: float) -> None:
    """A higher burst, a shorter interval, fewer starts or more time never turn a restart into giving up."""
    policy, now = case.policy, case.now
    milder = (
        replace(case, policy=replace(policy, start_limit_burst=policy.start_limit_burst + 1)),
        replace(case, policy=replace(policy, start_limit_interval_sec=policy.start_limit_interval_sec / 2)),
        replace(case, starts=case.starts[:-1], wait=now - max(case.starts[:-1], default=0.0)),
        replace(case, wait=case.wait + more),
    )

    assert isinstance(case.verdict, GiveUp) or not any(isinstance(other.verdict, GiveUp) for other in milder)


@given(case=cases, more=seconds)
def test_the_budget_shrinks_with_starts_and_grows_with_time(case: Case, more: float) -> None:
    """It is never negative, never above the burst, and only time gives it back."""
    policy, history, at = case.policy, History(case.starts), case.now
    left = budget(policy, history, at)

    assert limitless(policy) or 0 <= left <= policy.start_limit_burst
    assert budget(policy, History((*case.starts, at)), at) <= left
    assert budget(policy, history, at + more) >= left


@given(case=cases)
def test_no_restart_comes_before_its_time(case: Case) -> None:
    """Every restart waits restart_sec at least, and the floor too where the run did not succeed."""
    decision = case.verdict

    if isinstance(decision, Restart):
        assert decision.after_sec >= case.policy.restart_sec
        assert decision.after_sec >= FLOOR_SEC or case.ending.ran_sec >= case.policy.start_success_sec
    else:
        assert isinstance(decision, (Leave, GiveUp))
