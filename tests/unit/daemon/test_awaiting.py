"""What an instance came to after a command, judged by the lines of the journal alone."""

from crewd.model.facts import Commanded, Exited, Fact, Judged, Removed, SpawnFailed, Starting, StateChanged
from crewd.model.reasons import Cause, Reason, Verdict
from crewd.model.record import Record, Standing
from crewd.model.states import ProcessState
from crewd.reconcile.awaiting import REACHED, Awaited, Miss, Outcome
from crewd.reconcile.port import Verb

WHO = "uid 0 pid 1"
RUNNING = Record(standing=Standing.UP, process_state=ProcessState.RUNNING, token="g.1", pid=7)
BACKOFF = Record(standing=Standing.UP, process_state=ProcessState.BACKOFF)
STOPPED = Record(standing=Standing.STOPPED, process_state=ProcessState.STOPPED)


def commanded(verb: str, who: str = f"uid:0 pid:9 for {WHO}") -> Commanded:
    """Return the line of a command; the engine puts before it whom it heard it from."""
    return Commanded("web-0", verb, who, "crewd")


def changed(state: ProcessState) -> StateChanged:
    """Return the line of a change of state."""
    return StateChanged("web-0", ProcessState.STOPPED, state)


def starting(cause: Cause = Cause.COMMAND) -> Starting:
    """Return the line of a start."""
    return Starting("web-0", "g.2", cause)


def exited(code: int) -> Exited:
    """Return the line of an end."""
    return Exited("web-0", "g.2", 8, Reason.EXIT_CODE, code, None, core=False, ran_sec=0.1)


def judged(verdict: Verdict) -> Judged:
    """Return the line of a verdict."""
    return Judged("web-0", Reason.EXIT_CODE, verdict)


def heard(awaited: Awaited, *facts: Fact) -> Outcome | None:
    """Return what it came to at the last of these lines; nothing before."""
    *before, last = facts
    assert [awaited.hear(fact) for fact in before] == [None] * len(before)
    return awaited.hear(last)


def test_a_start_has_come_true_when_the_process_runs() -> None:
    """RUNNING is said only after start_success_sec."""
    awaited = Awaited(Verb.START, WHO, STOPPED, "started")

    assert heard(awaited, commanded("start"), changed(ProcessState.STARTING), starting()) is None
    assert awaited.hear(changed(ProcessState.RUNNING)) == REACHED


def test_what_happened_before_the_command_says_nothing() -> None:
    """The picture may be behind: an older crash, an older success are not this start's."""
    awaited = Awaited(Verb.START, WHO, STOPPED, "started")

    assert heard(awaited, changed(ProcessState.BACKOFF), starting(), changed(ProcessState.RUNNING)) is None


def test_a_start_that_crashes_has_failed_and_says_how() -> None:
    """Whoever waits is told the exit, not only that it is not there."""
    awaited = Awaited(Verb.START, WHO, STOPPED, "started")

    outcome = heard(
        awaited, commanded("start"), starting(), exited(3), changed(ProcessState.BACKOFF), judged(Verdict.RESTARTED)
    )

    assert outcome == Outcome("crashed while starting, and waits for its restart: exit code 3")


def test_a_spawn_that_fails_says_why() -> None:
    """No exit code there: the message is all there is."""
    awaited = Awaited(Verb.START, WHO, STOPPED, "started")
    failed = SpawnFailed("web-0", "g.2", "exec", 2, "no such file")

    outcome = heard(
        awaited, commanded("start"), starting(), changed(ProcessState.BACKOFF), failed, judged(Verdict.START_LIMIT_HIT)
    )

    assert outcome == Outcome("was given up: could not be started: no such file")


def test_one_that_only_had_to_run_once_is_not_running() -> None:
    """It passes through BACKOFF, as all do that end while starting; no restart is due for all that."""
    awaited = Awaited(Verb.START, WHO, STOPPED, "started")

    outcome = heard(
        awaited, commanded("start"), starting(), exited(0), changed(ProcessState.BACKOFF), judged(Verdict.NOT_WANTED)
    )

    assert outcome == Outcome("ended while starting, and no restart is wanted: exit code 0")


def test_a_verdict_on_the_old_process_says_nothing() -> None:
    """It may end by itself in the moment before it is stopped."""
    awaited = Awaited(Verb.RESTART, WHO, RUNNING, "restarting")

    assert heard(awaited, commanded("restart"), exited(3), judged(Verdict.RESTARTED)) is None


def test_a_restart_needs_a_new_process() -> None:
    """That the old one runs, or is restarted by its policy meanwhile, is not what was asked for."""
    awaited = Awaited(Verb.RESTART, WHO, RUNNING, "restarting")

    assert heard(awaited, changed(ProcessState.RUNNING), commanded("restart"), changed(ProcessState.RUNNING)) is None
    assert heard(awaited, starting(Cause.RESTART), changed(ProcessState.RUNNING)) is None
    assert heard(awaited, changed(ProcessState.STOPPED), starting(), changed(ProcessState.RUNNING)) == REACHED


def test_a_restart_is_owed_by_the_next_supervisord() -> None:
    """One that dies between stop and start is not the end of it."""
    awaited = Awaited(Verb.RESTART, WHO, RUNNING, "restarting")

    assert heard(awaited, commanded("restart"), starting(Cause.BOOT), changed(ProcessState.RUNNING)) == REACHED


def test_a_stop_has_come_true_when_nothing_runs() -> None:
    """Not when it is being stopped."""
    awaited = Awaited(Verb.STOP, WHO, RUNNING, "stopping")

    assert heard(awaited, commanded("stop"), changed(ProcessState.STOPPING)) is None
    assert awaited.hear(changed(ProcessState.STOPPED)) == REACHED


def test_a_start_that_was_withdrawn_is_stopped_at_once() -> None:
    """It was at rest already, so no line says that it stopped."""
    awaited = Awaited(Verb.STOP, WHO, STOPPED, "stopped")

    assert awaited.hear(commanded("stop")) == REACHED


def test_one_that_waited_for_its_restart_is_stopped_when_its_state_says_so() -> None:
    """The answer then shows STOPPED, not BACKOFF."""
    awaited = Awaited(Verb.STOP, WHO, BACKOFF, "stopped")

    assert awaited.hear(commanded("stop")) is None
    assert awaited.hear(changed(ProcessState.STOPPED)) == REACHED


def test_somebody_else_s_command_ends_the_wait() -> None:
    """What was asked for will not come; who is to blame is said."""
    awaited = Awaited(Verb.START, WHO, STOPPED, "started")

    outcome = heard(awaited, commanded("start"), starting(), commanded("stop", "uid:5 pid:6"))

    assert outcome == Outcome("uid:5 pid:6 asked for a stop meanwhile", Miss.CROSSED)


def test_somebody_else_s_same_command_is_not_ours() -> None:
    """Two may ask for a restart at once: each waits for its own."""
    awaited = Awaited(Verb.RESTART, WHO, RUNNING, "restarting")

    assert heard(awaited, commanded("restart", "uid:5 pid:6"), starting(), changed(ProcessState.RUNNING)) is None


def test_one_that_is_removed_is_waited_for_no_longer() -> None:
    """It will never come."""
    assert Awaited(Verb.START, WHO, STOPPED, "started").hear(Removed("web-0")) == Outcome(
        "was removed from the crew", Miss.CROSSED
    )


def test_a_history_is_forgotten_when_the_command_is_heard() -> None:
    """There is nothing more to it."""
    assert Awaited(Verb.RESET_FAILED, WHO, STOPPED, "reset").hear(commanded("reset_failed")) == REACHED


def test_nothing_to_do_is_judged_by_the_record() -> None:
    """The engine writes nothing then."""
    assert Awaited(Verb.START, WHO, RUNNING, "already running").judged(RUNNING) == REACHED
    assert Awaited(Verb.STOP, WHO, STOPPED, "not running").judged(STOPPED) == REACHED


def test_the_record_cannot_pass_an_old_process_for_a_new_one() -> None:
    """The last word on a restart whose lines were missed."""
    awaited = Awaited(Verb.RESTART, WHO, RUNNING, "restarting")
    new = Record(standing=Standing.UP, process_state=ProcessState.RUNNING, token="g.9", pid=8)

    assert awaited.judged(RUNNING) is None
    assert awaited.judged(new) == REACHED
    assert awaited.judged(None) == Outcome("was removed from the crew", Miss.CROSSED)
