"""What each kind of journal line makes of an instance's record."""

from dataclasses import replace

import pytest

from crewd.model.facts import (
    Commanded,
    Event,
    Exited,
    Fact,
    FaultCaught,
    GenerationBegan,
    Judged,
    LeftoverEnded,
    Lost,
    Spawned,
    SpawnFailed,
    Starting,
    StateChanged,
    Succeeded,
)
from crewd.model.reasons import Cause, Reason, Verdict
from crewd.model.record import REMEMBERED_EXITS, REMEMBERED_STARTS, PastExit, Record, Standing
from crewd.model.states import ProcessState
from crewd.policy.fold import fold

WALL = 1_700_000_000.0
"""What the wall clock shows when the boot clock is at 0."""


NEW = Record()


def at(boottime: float, fact: Fact, record: Record = NEW) -> Record:
    return fold(record, Event(1, boottime, WALL + boottime, fact))


def starting(cause: Cause, token: str = "g.1") -> Starting:
    return Starting("web-0", token, cause, "f", "s")


def exited(**changed: object) -> Exited:
    return replace(Exited("web-0", "g.1", 7, Reason.EXIT_CODE, 3, None, core=False, ran_sec=2.5), **changed)


RUNNING = at(11.0, Spawned("web-0", "g.1", 7, 99), at(10.0, starting(Cause.BOOT)))
ENDED = at(13.0, exited(), RUNNING)


def test_a_start_is_an_open_intent_until_it_has_a_pid() -> None:
    """Starting sets the token, both clocks and the fingerprints; the pid is not known yet."""
    record = at(10.0, starting(Cause.BOOT))

    assert record == Record(
        standing=Standing.UP,
        token="g.1",
        started_at=10.0,
        started_wall=WALL + 10,
        starts=(10.0,),
        fingerprint="f",
        settings="s",
    )


def test_a_spawned_process_is_named_by_pid_and_start_time() -> None:
    """Both together name a process for ever."""
    assert (RUNNING.pid, RUNNING.start_ticks, RUNNING.token) == (7, 99, "g.1")


def test_a_process_whose_start_nobody_can_read_is_known_by_its_spawn() -> None:
    """The line before may be lost in a gap, or be a newer engine's: the run is open all the same."""
    assert (at(11.0, Spawned("web-0", "g.1", 7, 99)).token, RUNNING.token) == ("g.1", "g.1")


def test_an_exit_ends_the_run_and_is_remembered_without_a_verdict() -> None:
    """The pid is forgotten, since the number may name another process soon; the start time of day stays."""
    assert (ENDED.token, ENDED.pid, ENDED.start_ticks, ENDED.started_at) == ("", 0, 0, None)
    assert ENDED.started_wall == WALL + 10
    assert ENDED.exits == (PastExit(WALL + 13, Reason.EXIT_CODE, 3, None, 2.5),)
    assert ENDED.standing is Standing.UP


def test_a_failed_spawn_is_an_exit_with_a_message() -> None:
    """It ran no time and has neither code nor signal."""
    record = at(10.1, SpawnFailed("web-0", "g.1", "exec", 2, "no such file"), at(10.0, starting(Cause.BOOT)))

    assert record.exits == (PastExit(WALL + 10.1, Reason.SPAWN_FAILED, None, None, 0.0, "no such file"),)
    assert record.token == ""


def test_a_lost_process_ran_until_it_was_missed() -> None:
    """The run ends when the next supervisord says so; a clock that began anew gives no negative time."""
    record = at(21.0, Lost("web-0", "g.1", 7), RUNNING)
    rebooted = at(3.0, Lost("web-0", "g.1", 7), RUNNING)

    assert record.exits == (PastExit(WALL + 21, Reason.SUPERVISOR_LOST, None, None, 11.0),)
    assert rebooted.exits[0].ran_sec == 0.0


@pytest.mark.parametrize(
    ("verdict", "standing"),
    [
        (Verdict.RESTARTED, Standing.UP),
        (Verdict.NOT_WANTED, Standing.FINISHED),
        (Verdict.PREVENTED, Standing.FINISHED),
        (Verdict.OPERATOR_STOP, Standing.STOPPED),
        (Verdict.START_LIMIT_HIT, Standing.GIVEN_UP),
    ],
)
def test_every_verdict_has_its_standing(verdict: Verdict, standing: Standing) -> None:
    """The verdict is also noted on the exit that it fell on."""
    record = at(13.0, Judged("web-0", Reason.EXIT_CODE, verdict), ENDED)

    assert record.standing is standing
    assert record.exits[-1].verdict is verdict


def test_a_restart_is_due_until_it_starts() -> None:
    """The verdict sets the time, the start clears it, and both counters of restarts go up."""
    waiting = at(13.0, Judged("web-0", Reason.EXIT_CODE, Verdict.RESTARTED, 0.5, 13.5), ENDED)
    again = at(13.5, starting(Cause.RESTART, "g.9"), waiting)

    assert (waiting.due_at, waiting.exits[-1].delay_sec) == (13.5, 0.5)
    assert (again.due_at, again.starts, again.restarts, again.restart_count) == (None, (10.0, 13.5), 1, 1)


def test_a_fresh_verdict_begins_a_new_history() -> None:
    """No start counts any more; the total of restarts is no history and stays."""
    old = replace(ENDED, restarts=4, restart_count=9)
    record = at(13.0, Judged("web-0", Reason.EXIT_CODE, Verdict.RESTARTED, 0.1, 13.1, fresh=True), old)

    assert (record.starts, record.restarts, record.restart_count) == ((), 0, 9)


@pytest.mark.parametrize(
    ("cause", "starts", "restarts", "count"),
    [
        (Cause.BOOT, (1.0, 20.0), 3, 8),
        (Cause.RESTART, (1.0, 20.0), 4, 9),
        (Cause.COMMAND, (20.0,), 0, 8),
        (Cause.CONFIG, (20.0,), 0, 8),
    ],
)
def test_each_cause_of_a_start_counts_in_its_way(
    cause: Cause, starts: tuple[float, ...], restarts: int, count: int
) -> None:
    """A command and a changed configuration begin a new history; only the policy's own starts are restarts."""
    record = at(20.0, starting(cause), Record(starts=(1.0,), restarts=3, restart_count=8))

    assert (record.starts, record.restarts, record.restart_count) == (starts, restarts, count)


def test_an_operators_stop_cancels_the_restart_that_is_due() -> None:
    """What was stopped in the middle of a delay stays stopped."""
    waiting = at(13.0, Judged("web-0", Reason.EXIT_CODE, Verdict.RESTARTED, 0.5, 13.5), ENDED)
    record = at(13.2, Commanded("web-0", "stop", "root", "supervisorctl"), waiting)

    assert (record.standing, record.due_at) == (Standing.STOPPED, None)


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_commanded_start_is_owed_until_it_is_done(verb: str) -> None:
    """Should supervisord end before the spawn, the next generation starts it at once, with a new history."""
    stopped = Record(standing=Standing.STOPPED, starts=(1.0, 2.0), restarts=1, restart_count=4)
    commanded = at(5.0, Commanded("web-0", verb, "root", "crewctl"), stopped)

    assert commanded == Record(standing=Standing.UP, restart_count=4)
    assert at(9.0, starting(Cause.BOOT), commanded).starts == (9.0,)


def test_a_commanded_start_waits_for_no_delay() -> None:
    """Nor does the next generation, should supervisord end before the spawn."""
    waiting = at(13.0, Judged("web-0", Reason.EXIT_CODE, Verdict.RESTARTED, 600.0, 613.0), ENDED)

    assert at(14.0, Commanded("web-0", "start", "root", "supervisor"), waiting).due_at is None


def test_reset_failed_forgets_the_starts_and_the_giving_up() -> None:
    """A worker that was given up is plainly stopped afterwards; what it did before stays on record."""
    given_up = at(13.0, Judged("web-0", Reason.EXIT_CODE, Verdict.START_LIMIT_HIT), ENDED)
    fatal = at(13.0, StateChanged("web-0", ProcessState.BACKOFF, ProcessState.FATAL), given_up)
    record = at(14.0, Commanded("web-0", "reset_failed", "root", "supervisorctl"), fatal)

    assert (record.standing, record.process_state) == (Standing.STOPPED, ProcessState.STOPPED)
    assert (record.starts, record.restarts, record.exits) == ((), 0, fatal.exits)


def test_reset_failed_stops_what_failed_for_good() -> None:
    """As a unit of systemd's is inactive after it. What ended well is at rest, and stays as it is."""
    failed = at(13.0, Judged("web-0", Reason.EXIT_CODE, Verdict.NOT_WANTED), ENDED)
    ended = at(13.0, StateChanged("web-0", ProcessState.BACKOFF, ProcessState.EXITED), failed)
    well = replace(ended, exits=(replace(ended.exits[-1], reason=Reason.CLEAN_EXIT),))
    reset = Commanded("web-0", "reset_failed", "root", "supervisorctl")

    assert (at(14.0, reset, ended).standing, at(14.0, reset, ended).process_state) == (
        Standing.STOPPED,
        ProcessState.STOPPED,
    )
    assert (at(14.0, reset, well).standing, at(14.0, reset, well).process_state) == (
        Standing.FINISHED,
        ProcessState.EXITED,
    )


def test_reset_failed_leaves_a_running_worker_running() -> None:
    """It only forgets its starts."""
    record = at(14.0, Commanded("web-0", "reset_failed", "root", "supervisorctl"), RUNNING)

    assert record == replace(RUNNING, starts=())


def test_a_process_state_is_no_verdict() -> None:
    """supervisord's shutdown turns BACKOFF into FATAL: the standing does not follow."""
    waiting = at(13.0, Judged("web-0", Reason.EXIT_CODE, Verdict.RESTARTED, 0.5, 13.5), ENDED)
    record = at(13.1, StateChanged("web-0", ProcessState.BACKOFF, ProcessState.FATAL), waiting)

    assert record == replace(waiting, process_state=ProcessState.FATAL)


@pytest.mark.parametrize(
    "fact",
    [
        Succeeded("web-0"),
        LeftoverEnded("web-0", "g.1", 7),
        FaultCaught("spawn", "boom", "web-0"),
        GenerationBegan("g", "b", 1, "0", "4", "fast", ""),
    ],
)
def test_other_facts_leave_the_record_as_it_is(fact: Fact) -> None:
    """They concern the daemon's totals, not the record."""
    assert at(20.0, fact, RUNNING) == RUNNING


def test_a_record_never_grows_without_bound() -> None:
    """The oldest exits and starts are forgotten, the newest kept."""
    record = Record()
    for n in range(REMEMBERED_STARTS + 10):
        record = at(float(n), starting(Cause.RESTART), record)
        record = at(n + 0.5, exited(code=n % 250), record)

    assert record.starts == tuple(float(n) for n in range(10, REMEMBERED_STARTS + 10))
    assert [past.at - WALL for past in record.exits] == [
        REMEMBERED_STARTS + 10 - n + 0.5 for n in range(REMEMBERED_EXITS, 0, -1)
    ]
