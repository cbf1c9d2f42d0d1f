"""What crewctl says of events, of actions and of a reload."""

import time
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewd.ctl.outcome import merged, outcome, summary
from crewd.ctl.reload import applied
from crewd.ctl.screen import Screen
from crewd.ctl.story import line
from crewd.ctl.suggestions import near
from crewd.model.facts import Fact
from crewd.model.journal_line import type_word
from crewd.story import _WORDS, told
from harness.crewctl_answers import event, result, results

PIPE = Screen()
EXIT = {"reason": "Signal", "code": None, "signal": 9, "core": False, "ran_sec": 2.5, "commanded": False, "pid": 1}
BEGAN = {"pid": 99, "supervisor_version": "4.3.0", "clean": True}

STORIES: list[tuple[str, dict[str, Any], str]] = [
    ("generation_began", BEGAN, "began: pid 99, supervisor 4.3.0"),
    (
        "generation_began",
        BEGAN | {"clean": False},
        "began: pid 99, supervisor 4.3.0; the one before ended without a word",
    ),
    ("generation_ended", {"how": "shutdown"}, "ends"),
    ("generation_ended", {"how": "reload"}, "reloads itself"),
    ("segment_opened", {}, "goes on in a new file of the journal"),
    (
        "table_applied",
        {"added": ["a-0"], "changed": [], "restarted": [f"b-{number}" for number in range(7)], "removed": []},
        "took the configuration over: added a-0; restarted b-0 b-1 b-2 b-3 b-4 and 2 more",
    ),
    ("table_applied", {}, "took the configuration over: nothing changed"),
    ("removed", {}, "removed from the crew"),
    (
        "commanded",
        {"verb": "reset_failed", "who": "uid 0 pid 7", "through": "crewd.reset_failed"},
        "reset-failed asked for by uid 0 pid 7, through crewd.reset_failed",
    ),
    ("state_changed", {"from_state": 0, "to_state": 10}, "STOPPED -> STARTING"),
    ("state_changed", {"from_state": "STOPPED", "to_state": "STARTING"}, "STOPPED -> STARTING"),
    ("starting", {"cause": "restart"}, "about to start, as the policy has it"),
    ("starting", {"cause": "whim"}, "about to start, whim"),
    ("spawned", {"pid": 7, "lag_sec": None}, "started: pid 7"),
    ("spawned", {"pid": 7, "lag_sec": 0.0012}, "started: pid 7, 1.2 ms after it was due"),
    ("spawn_failed", {"message": "no\nfile", "step": "exec"}, "could not be started: no file (exec, SpawnFailed)"),
    ("succeeded", {}, "runs: the start succeeded"),
    ("exited", EXIT, "ended: SIGKILL after 2.5 s (Signal)"),
    ("exited", EXIT | {"commanded": True}, "ended: SIGKILL after 2.5 s, as asked for (Signal)"),
    ("exited", EXIT | {"reason": "ExitCode", "code": 3, "signal": None}, "ended: exit code 3 after 2.5 s (ExitCode)"),
    (
        "judged",
        {"reason": "Signal", "verdict": "Restarted", "delay_sec": 0.5},
        "to be started again after 0.5 s (Signal -> Restarted)",
    ),
    (
        "judged",
        {"reason": "ExitCode", "verdict": "StartLimitHit"},
        "given up, for the limit of starts is hit (ExitCode -> StartLimitHit)",
    ),
    ("judged", {"reason": "ExitCode", "verdict": "Blessed"}, "Blessed (ExitCode -> Blessed)"),
    ("lost", {"pid": 7}, "lost with an earlier supervisord: pid 7 (SupervisorLost)"),
    ("lost", {"pid": None}, "lost with an earlier supervisord (SupervisorLost)"),
    ("leftover_ended", {"pid": 7}, "what an earlier supervisord left was killed: pid 7"),
    ("fault_caught", {"where": "reap", "error": "KeyError", "count": 1}, "a fault of crewd's own at reap: KeyError"),
    (
        "fault_caught",
        {"where": "reap", "error": "KeyError", "count": 3},
        "a fault of crewd's own at reap, 3 times: KeyError",
    ),
    ("gap", {"first": 4, "last": 9, "lost": 6}, "6 events were not recorded: 4 to 9"),
    ("clock_jumped", {"by_sec": -90.0}, "the clock was set back by 1 min 30 s"),
    ("dreamt", {"of": "sheep"}, "dreamt of=sheep"),
    ("exited", {"reason": "Signal"}, "exited reason=Signal"),
]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The terminal's clock."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("kind", "members", "said"), STORIES)
def test_every_event_is_told_in_words(kind: str, members: dict[str, Any], said: str) -> None:
    """One of a newer daemon, or one that lacks a member, is shown as it is."""
    assert told(event(kind, **members))[0] == said


def test_no_type_of_the_journal_is_without_words() -> None:
    """What is added to the journal is added here."""
    assert _WORDS.keys() == {type_word(fact) for fact in get_args(Fact)}
    assert {kind for kind, _, _ in STORIES} >= _WORDS.keys()


def test_an_event_is_one_line_with_its_time_and_its_instance() -> None:
    """supervisord where it is of no instance; milliseconds, for much happens in one."""
    assert line(event("removed"), PIPE) == "2026-01-31 09:00:00.000  web-0           removed from the crew"
    assert line(event("gap", None, first=1, last=2, lost=2), PIPE).split()[2] == "supervisord"


@given(kind=st.sampled_from([*_WORDS, "dreamt"]), text=st.text(st.characters()))
def test_a_hostile_event_stays_one_printable_line(kind: str, text: str) -> None:
    """Whatever a message, a name or a member holds."""
    words = ("message", "step", "who", "verb", "through", "where", "error", "reason", "verdict", "cause", "how", "x")
    hostile = event(kind, **dict.fromkeys(words, text), count=2, instance=text or "-")

    assert line(hostile | {"instance": text}, PIPE).isprintable()


def test_an_action_is_told_instance_by_instance() -> None:
    """What it came to, what did not have to be done, and what failed, with why and how it is now."""
    answer = results(
        "restart",
        result("web-0", "restarting"),
        result("web-10", "already running", changed=False),
        result("job-0", "started", ok=False, status="crashed", message="exit code 3 while starting"),
    )

    assert outcome(answer, PIPE) == [
        "✓ web-0   restarted",
        "✓ web-10  already running",
        "✗ job-0   not restarted: exit code 3 while starting (now crashed)",
    ]
    assert summary(answer) == "1 of 3 not restarted; `crewctl why job-0` tells more"


def test_what_nobody_waited_for_is_told_in_the_engine_s_words() -> None:
    """It may not have been done yet."""
    answer = results("stop", result("web-0", "stopping"), waited=False)

    assert outcome(answer, PIPE) == ["✓ web-0  stopping"]
    assert summary(answer) == ""


def test_what_was_removed_meanwhile_has_no_status() -> None:
    """Nothing is said of how it is now."""
    gone = result("web-0", "stopping", ok=False, status=None, message="was removed from the crew")

    assert outcome(results("stop", gone), PIPE) == ["✗ web-0  not stopped: was removed from the crew"]


def test_what_took_too_long_says_so() -> None:
    """Where the daemon gives no other reason."""
    late = result("web-0", "stopping", ok=False, status="stopping")

    assert outcome(results("stop", late, timed_out=True), PIPE) == ["✗ web-0  not stopped: not in time (now stopping)"]
    assert summary(results("stop", late)) == "`crewctl why web-0` tells more"


def test_an_action_in_parts_is_told_as_one() -> None:
    """A thousand names go in one request; more go in several."""
    whole = merged([results("stop", result("a-0")), results("stop", result("b-0", ok=False), timed_out=True)])

    assert [one["instance"] for one in whole["results"]] == ["a-0", "b-0"]
    assert (whole["action"], whole["waited"], whole["timed_out"]) == ("stop", True, True)


@given(text=st.text(st.characters()))
def test_a_hostile_result_stays_one_printable_line(text: str) -> None:
    """Names and messages come from outside."""
    answer = results("stop", result(text, ok=False, message=text, status=text), result(text, text, changed=False))

    assert all(said.isprintable() for said in (*outcome(answer, PIPE), summary(answer)))


def test_a_reload_tells_what_was_touched() -> None:
    """And counts what was not; a long list is counted."""
    plan = {
        "added": [f"a-{number}" for number in range(12)],
        "changed": [],
        "restarted": ["b-0"],
        "removed": [],
        "kept": 5,
    }
    answer = {"name": "x", "changed": True, "plan": plan, "warnings": ["f:1:1: x: odd"], "told": True}

    assert applied(answer) == [
        "warning: f:1:1: x: odd",
        "added: a-0, a-1, a-2, a-3, a-4, a-5, a-6, a-7, a-8, a-9 and 2 more",
        "restarted: b-0",
        "kept: 5",
    ]


def test_a_reload_without_a_change_says_so() -> None:
    """And whether supervisord knows."""
    plan: dict[str, Any] = {"added": [], "changed": [], "restarted": [], "removed": [], "kept": 2}
    answer = {"name": "x", "changed": False, "plan": plan, "warnings": [], "told": False}

    assert applied(answer) == [
        "nothing changed",
        "kept: 2",
        "supervisord does not run: it starts with this configuration",
    ]
    assert applied(answer | {"unconfirmed": "no answer in 30 s"})[2:] == [
        "supervisord did not confirm it: no answer in 30 s"
    ]


def test_a_name_that_was_mistyped_is_guessed() -> None:
    """The nearest, and never more than three."""
    known = ["ingest", "ingest-0", "ingest-1", "ingest-2", "web", "web-0"]

    assert near(["injest"], known) == ["ingest", "ingest-2", "ingest-1"]
    assert near(["wbe-0"], known) == ["web-0"]
    assert near(["zzz"], known) == []
