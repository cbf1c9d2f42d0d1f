"""What is logged of an event."""

import pytest

from crewd.model.facts import (
    Commanded,
    Event,
    Exited,
    Fact,
    FaultCaught,
    Gap,
    GenerationBegan,
    Judged,
    Lost,
    Spawned,
    SpawnFailed,
    StateChanged,
)
from crewd.model.reasons import Reason, Verdict
from crewd.model.record import Record
from crewd.model.states import ProcessState
from crewd.reconcile.narrative import NAMES_MOST, Say, names, narrate, say


def told(fact: Fact, before: Record | None = None) -> Say | None:
    """Return what is logged of a fact."""
    return narrate(before or Record(), Event(1, 1.0, 1.0, fact))


def test_an_exit_is_logged_with_its_reason() -> None:
    """And with the code or the signal, never with both."""
    code = told(Exited("web-0", "t", 7, Reason.EXIT_CODE, 3, None, False, 1.23456))
    signal = told(Exited("web-0", "t", 7, Reason.SIGNAL, None, 9, False, 0.5))

    assert code == say("warning", "exited", instance="web-0", pid=7, reason="ExitCode", code=3, ran_sec=1.235)
    assert signal == say("warning", "exited", instance="web-0", pid=7, reason="Signal", signal=9, ran_sec=0.5)


@pytest.mark.parametrize(
    ("reason", "commanded"), [(Reason.CLEAN_EXIT, False), (Reason.SIGNAL, True)], ids=["clean", "commanded"]
)
def test_an_exit_that_was_meant_is_no_warning(reason: Reason, *, commanded: bool) -> None:
    """Whoever reads warnings alone reads of crashes alone."""
    line = told(Exited("web-0", "t", 7, reason, 0, None, False, 1.0, commanded))

    assert line is not None
    assert line.level == "info"


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_logged(verdict: Verdict) -> None:
    """With the delay as drawn, where there is one."""
    line = told(Judged("web-0", Reason.EXIT_CODE, verdict, delay_sec=0.5))

    assert line is not None
    assert line.fields["verdict"] == verdict
    assert line.fields["delay_sec"] == 0.5


def test_giving_up_is_an_error() -> None:
    """Somebody must look."""
    line = told(Judged("web-0", Reason.EXIT_CODE, Verdict.START_LIMIT_HIT))

    assert line is not None
    assert (line.level, line.event) == ("error", "given up")


def test_a_start_is_logged_with_how_late_it_was() -> None:
    """The lag is what crewd itself costs."""
    line = told(Spawned("web-0", "t", 7, 1, "posix_spawn", 0.00234), Record(restarts=2))

    assert line == say("info", "started", instance="web-0", pid=7, restarts=2, lag_ms=2.3)


@pytest.mark.parametrize(
    ("fact", "level"),
    [
        (SpawnFailed("web-0", "t", "exec", 2, "no such file"), "error"),
        (Lost("web-0", "t", 7), "warning"),
        (FaultCaught("spawn", "boom"), "error"),
        (Gap(1, 5, 5), "error"),
        (Commanded("web-0", "stop", "root", "supervisorctl"), "info"),
        (GenerationBegan("g", "b", 1, "0", "4", "fast", "", clean=False), "warning"),
        (GenerationBegan("g", "b", 1, "0", "4", "fast", ""), "info"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_is_out_of_order_is_loud(fact: Fact, level: str) -> None:
    """A fault of crewd's own is an error, a loss a warning, a command is neither."""
    line = told(fact)

    assert line is not None
    assert line.level == level


def test_a_change_of_state_alone_is_not_logged() -> None:
    """It follows from what is."""
    assert told(StateChanged("web-0", ProcessState.STARTING, ProcessState.RUNNING)) is None


def test_a_thousand_names_fit_one_line() -> None:
    """The first few are named, the others counted."""
    assert names(("a", "b")) == "a b"
    assert names(7) == "7"
    assert names(tuple(str(n) for n in range(NAMES_MOST + 980))).endswith(" and 980 more")
