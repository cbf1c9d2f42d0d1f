"""What the supervisorctl verbs print."""

import time
from collections.abc import Iterator
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewd import wording
from crewd.model.reasons import Reason, Verdict
from crewd.model.record import Standing
from crewd.model.states import ProcessState

POLICY = {"restart": "on-failure", "start_limit_burst": 10, "start_limit_interval_sec": 600.0}
KILLED: dict[str, Any] = {
    "at": 1_700_000_000.0,
    "reason": "Signal",
    "code": None,
    "signal": 9,
    "ran_sec": 2.5,
    "message": "",
    "verdict": "Restarted",
    "delay_sec": 0.1,
}
RUNNING: dict[str, Any] = {
    "instance": "web-0",
    "worker_id": "web",
    "slot": 0,
    "process_state": "RUNNING",
    "standing": "up",
    "pid": 4242,
    "started_at": 1_700_000_001.0,
    "uptime_sec": 3725.0,
    "restart_count": 1,
    "restart_at": None,
    "due_in_sec": None,
    "budget": 8,
    "last_exit": KILLED,
    "exits": [KILLED],
    "policy": POLICY,
}
WAITING = RUNNING | {"process_state": "BACKOFF", "pid": 0, "restart_at": 1_700_000_012.0, "due_in_sec": 3.25}
FAILED = KILLED | {"reason": "SpawnFailed", "signal": None, "ran_sec": 0.0, "message": "no"}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def first(one: dict[str, Any]) -> str:
    return wording.why(one)[0]


def explained(**changed: Any) -> str:
    """Return what why says of one exit."""
    past = KILLED | changed
    return wording.why(RUNNING | {"exits": [past], "last_exit": past})[3]


def test_why_tells_the_whole_story_in_sentences() -> None:
    """How it is, how it ended with the verdict, how often it was restarted, what the limit leaves."""
    assert wording.why(WAITING | {"exits": [KILLED, FAILED], "last_exit": FAILED, "restart_count": 2}) == [
        "web-0 waits for its restart (BACKOFF): next try in 3.2 s, at 2023-11-14 22:13:32.",
        "",
        "Its last exits, the newest last:",
        "  2023-11-14 22:13:20  SIGKILL after 2.5 s; to be started again after 0.1 s (Signal -> Restarted).",
        "  2023-11-14 22:13:20  could not be started: no; to be started again after 0.1 s (SpawnFailed -> Restarted).",
        "",
        "It was restarted twice since it was added.",
        "The limit leaves 8 starts now: 10 starts within 10 min.",
    ]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, "web-0 is running (RUNNING): pid 4242, for 1 h 2 min."),
        ({"process_state": "STARTING", "uptime_sec": 0.5}, "web-0 was started 0.5 s ago (STARTING): pid 4242."),
        ({"process_state": "STOPPING"}, "web-0 is being stopped (STOPPING): pid 4242."),
        (
            {"process_state": "FATAL", "standing": "given_up"},
            "web-0 was given up (FATAL): it stays down until `start web-0`, or `reset_failed web-0` and a start.",
        ),
        (
            {"process_state": "EXITED", "standing": "finished"},
            "web-0 has ended, and no restart is wanted (EXITED).",
        ),
        (
            {"process_state": "STOPPED", "standing": "stopped", "last_exit": KILLED | {"verdict": None}},
            "web-0 was stopped by an operator (STOPPED): it stays down until `start web-0`.",
        ),
        (
            {"process_state": "STOPPED", "standing": "stopped", "last_exit": KILLED | {"verdict": "OperatorStop"}},
            "web-0 was stopped by an operator (STOPPED): it stays down until `start web-0`.",
        ),
        (
            {"process_state": "STOPPED", "standing": "stopped", "last_exit": KILLED | {"verdict": "StartLimitHit"}},
            "web-0 was stopped, or reset, by an operator (STOPPED): it stays down until `start web-0`.",
        ),
        (
            {"process_state": "STOPPED", "standing": "stopped", "last_exit": None},
            "web-0 was stopped, or reset, by an operator (STOPPED): it stays down until `start web-0`.",
        ),
        ({"process_state": "STOPPED", "standing": "new"}, "web-0 was never started (STOPPED)."),
        ({"process_state": "STOPPED", "standing": "up"}, "web-0 is STOPPED; its last word is up."),
        ({"process_state": "DREAMING", "standing": "up"}, "web-0 is DREAMING; its last word is up."),
    ],
)
def test_why_begins_with_how_the_instance_is(changed: dict[str, Any], sentence: str) -> None:
    """And with what to do about it, where something is to be done; a word of a newer engine is shown as it is."""
    assert first(RUNNING | changed) == sentence


def test_the_verb_that_forgets_the_exits_has_the_name_of_whoever_shows_it() -> None:
    """What is printed can be typed: crewctl writes it in another way than supervisorctl."""
    given_up = RUNNING | {"process_state": "FATAL", "standing": "given_up"}

    assert "`reset_failed web-0`" in wording.why(given_up)[0]
    assert "`reset-failed web-0`" in wording.why(given_up, reset_verb="reset-failed")[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"verdict": "NotWanted"}, "no restart, for `restart: on-failure` asks for none (Signal -> NotWanted)."),
        (
            {"verdict": "Prevented"},
            "no restart, for its status is in restart_prevent_exit_status (Signal -> Prevented).",
        ),
        (
            {"verdict": "StartLimitHit"},
            "given up, for 10 starts within 10 min are the limit (Signal -> StartLimitHit).",
        ),
        ({"verdict": "OperatorStop"}, "no restart, for an operator stopped it (Signal -> OperatorStop)."),
        ({"verdict": None}, "it was being stopped, so nothing was decided (Signal)."),
        ({"verdict": "Blessed"}, "Blessed (Signal -> Blessed)."),
    ],
)
def test_why_gives_the_reason_of_every_verdict(changed: dict[str, Any], said: str) -> None:
    """In words first, then as the journal has it."""
    assert explained(**changed).endswith(said)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reason": "ExitCode", "signal": None, "code": 3}, "exit code 3"),
        ({"reason": "CleanExit", "signal": None, "code": 0}, "exit code 0"),
        ({"reason": "CoreDump", "signal": 11}, "SIGSEGV with a core dump"),
        ({"reason": "Signal", "signal": 99}, "signal 99"),
        ({"reason": "SupervisorLost", "signal": None}, "lost with its supervisord"),
        ({"reason": "Watchdog", "signal": None}, "Watchdog"),
        (
            {"reason": "SpawnFailed", "signal": None, "message": "no\nsuch \x1b[31mfile"},
            "could not be started: no such [31mfile",
        ),
    ],
)
def test_every_way_of_ending_has_its_words(changed: dict[str, Any], said: str) -> None:
    """Signals by name, a spawn that failed with its message."""
    assert wording.ending(KILLED | changed) == said


@pytest.mark.parametrize(
    ("budget", "interval", "said"),
    [
        (None, 600.0, "There is no limit to its starts."),
        (0, 600.0, "The limit leaves no start now: 10 starts within 10 min."),
        (1, 90.0, "The limit leaves one start now: 10 starts within 1 min 30 s."),
        (3, "infinity", "The limit leaves 3 starts now: 10 starts all in all."),
    ],
)
def test_why_ends_with_what_the_limit_leaves(budget: int | None, interval: float | str, said: str) -> None:
    """Also where there is none, or one that counts for ever."""
    policy = POLICY | {"start_limit_interval_sec": interval}

    assert wording.why(RUNNING | {"budget": budget, "policy": policy})[-1] == said


def test_an_instance_that_never_ended_says_so() -> None:
    """No empty list, and no restarts."""
    lines = wording.why(RUNNING | {"exits": [], "last_exit": None, "restart_count": 0})

    assert lines[2:4] == ["It has not ended since it was added.", ""]
    assert lines[4] == "It was never restarted since it was added."


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0.0, "0 s"),
        (-1.0, "0 s"),
        (0.0294, "0.0294 s"),
        (1.0, "1 s"),
        (59.94, "59.9 s"),
        (60.0, "1 min"),
        (61.5, "1 min 1 s"),
        (3600.0, "1 h"),
        (86399.0, "23 h 59 min"),
        (90000.0, "1 d 1 h"),
        (inf, "for ever"),
        ("infinity", "infinity"),
    ],
)
def test_a_length_of_time_is_told_in_two_units(seconds: float | str | None, said: str) -> None:
    """No more digits than anybody wants."""
    assert wording.duration(seconds) == said


def test_restarts_is_one_line_for_each_instance() -> None:
    """In columns, without trailing blanks; what does not apply is a dash."""
    idle = RUNNING | {
        "instance": "idle-10",
        "process_state": "STOPPED",
        "restart_count": 0,
        "budget": None,
        "last_exit": None,
    }

    assert wording.restarts([WAITING, idle]) == [
        "INSTANCE  STATE    RESTARTS  BUDGET  LAST EXIT                     NEXT TRY",
        "web-0     BACKOFF  1         8       SIGKILL, 2023-11-14 22:13:20  in 3.2 s",
        "idle-10   STOPPED  0         -       -                             -",
    ]


def test_history_is_one_line_for_each_exit() -> None:
    """Reason and verdict as the journal has them, so that one can search for them."""
    assert wording.history([RUNNING | {"exits": [KILLED, KILLED | {"verdict": None, "delay_sec": None}]}]) == [
        "INSTANCE  AT                   RAN    REASON  HOW      VERDICT    DELAY",
        "web-0     2023-11-14 22:13:20  2.5 s  Signal  SIGKILL  Restarted  0.1 s",
        "web-0     2023-11-14 22:13:20  2.5 s  Signal  SIGKILL  -          -",
    ]


@given(text=st.text(st.characters()))
def test_nothing_from_outside_reaches_the_terminal_as_a_command(text: str) -> None:
    """No control character, no lone surrogate, no bidirectional override, and one line."""
    said = wording.plain(text)

    assert said.isprintable()
    said.encode()


@given(text=st.text(st.characters()))
def test_a_hostile_message_spoils_no_output(text: str) -> None:
    """Wherever a message is shown: every line is one line, printable."""
    past = FAILED | {"message": text}
    one = RUNNING | {"exits": [past], "last_exit": past}

    for line in (*wording.why(one), *wording.history([one]), *wording.restarts([one])):
        assert line.isprintable()


answers = st.builds(
    dict,
    process_state=st.sampled_from([state.name for state in ProcessState]),
    standing=st.sampled_from([standing.value for standing in Standing]),
    due_in_sec=st.none() | st.floats(-10, 1e6),
    restart_at=st.none() | st.floats(1.6e9, 1.8e9),
    uptime_sec=st.none() | st.floats(0, 1e9),
)
exits = st.builds(
    dict,
    reason=st.sampled_from([reason.value for reason in Reason]),
    verdict=st.none() | st.sampled_from([verdict.value for verdict in Verdict]),
)


@given(answer=answers, past=exits)
def test_every_combination_of_words_has_its_sentences(answer: dict[str, Any], past: dict[str, Any]) -> None:
    """Nothing that the engine can answer makes a verb fail."""
    one = RUNNING | answer
    lines = wording.why(one | {"exits": [KILLED | past], "last_exit": KILLED | past})

    assert lines[0].startswith("web-0 ")
    assert "None" not in " ".join(lines)
