"""The table of `crewctl status`: what stands in it, how it fits, what a hostile text can do to it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewd.ctl.crew_table import SIGNS, last_exit, table
from crewd.ctl.headlines import headlines, troubles
from crewd.ctl.screen import Screen, cells
from crewd.model.states import Status
from harness.crewctl_answers import AT_UNIX, WAITING, crew, ending, instance, worker

NOW = AT_UNIX + 125
PIPE = Screen()
SPAWN_FAILED = ending(cause="could not be started: no such file: /opt/a/very/long/path", reason="SpawnFailed")
CREW = [
    instance("broken-0", "error", restart_count=4, last_exit=ending()),
    instance("ingest-0"),
    instance("moody-10", "crashed", **(WAITING | {"last_exit": SPAWN_FAILED})),
]
WIDE = [
    "INSTANCE  STATUS      PID  UPTIME     RESTARTS  NEXT TRY  LAST EXIT",
    "broken-0  ! error       -  -                 4  -         2 min 5 s ago: exit code 3 (ExitCode)",
    "ingest-0  ● running  4242  1 h 2 min         0  -         -",
    "moody-10  ✗ crashed     -  -                 4  in 3.2 s  2 min 5 s ago: "
    + SPAWN_FAILED["cause"]
    + " (SpawnFailed)",
]


def uncoloured(text: str) -> str:
    """Return the text without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_the_table_has_a_line_for_each_instance() -> None:
    """Name, status, pid, uptime, restarts, next try, the last exit with its reason; a pipe gets it uncut."""
    assert table(CREW, NOW, PIPE) == WIDE


def test_the_last_exit_gives_way_first() -> None:
    """It is cut, and says so; every other column stays."""
    lines = table(CREW, NOW, Screen(width=80))

    assert lines[3] == "moody-10  ✗ crashed     -  -                 4  in 3.2 s  2 min 5 s ago: could…"
    assert cells(lines[0]) < cells(lines[3]) <= 80


@pytest.mark.parametrize(
    ("width", "head"),
    [
        (79, "INSTANCE  STATUS      PID  UPTIME     RESTARTS  NEXT TRY  LAST EXIT"),
        (70, "INSTANCE  STATUS      PID  UPTIME     NEXT TRY  LAST EXIT"),
        (65, "INSTANCE  STATUS     UPTIME     NEXT TRY  LAST EXIT"),
        (51, "INSTANCE  STATUS     NEXT TRY  LAST EXIT"),
        (41, "INSTANCE  STATUS     LAST EXIT"),
        (30, "INSTANCE  STATUS"),
        (15, "INS…  STATUS"),
    ],
)
def test_columns_go_from_the_least_missed_to_the_most(width: int, head: str) -> None:
    """Restarts, pid, uptime, next try, last exit; name and status stay."""
    assert table(CREW, NOW, Screen(width=width))[0] == head


@given(width=st.integers(12, 200), colour=st.booleans(), text=st.text(), name=st.text())
def test_no_line_is_wider_than_the_screen(width: int, colour: bool, text: str, name: str) -> None:
    """Whatever a name or a message holds: wide letters, combining ones, control characters."""
    hostile = instance("web-0", "crashed", **WAITING) | {"instance": name, "last_exit": ending(cause=text)}
    lines = table([hostile, *CREW], NOW, Screen(width, colour))

    assert len(lines) == 5
    assert all(cells(uncoloured(line)) <= width for line in lines)


@given(text=st.text(st.characters()))
def test_a_hostile_text_stays_one_printable_line(text: str) -> None:
    """No control character of a name, a status or a message reaches a terminal."""
    hostile = instance("web-0", "crashed") | {"instance": text, "status": text, "last_exit": ending(cause=text)}
    answer = crew(worker(instance("web-0") | {"status": text}), recording={"lag_events": 0, "trouble": text})

    for line in (*table([hostile], NOW, PIPE), *headlines(answer, PIPE)):
        assert line.isprintable()


def test_colours_say_nothing_that_words_do_not() -> None:
    """Without the colours it is the same table."""
    lines = table(CREW, NOW, Screen(colour=True))

    assert "\x1b[32m● running\x1b[0m" in lines[2]
    assert [uncoloured(line) for line in lines] == WIDE


def test_every_status_has_a_sign_of_its_own() -> None:
    """In colour, without colour, and where there is nothing but ASCII."""
    assert SIGNS.keys() == {status.value for status in Status}
    for signs in zip(*SIGNS.values(), strict=True):
        assert len(set(signs)) == len(SIGNS)
    assert all(ascii_sign.isascii() for _, ascii_sign, _ in SIGNS.values())


def test_a_terminal_without_symbols_gets_letters() -> None:
    """All of the table is ASCII then, also where it is cut."""
    lines = table(CREW, NOW, Screen(width=80, symbols=False))

    assert all(line.isascii() for line in lines)
    assert "x crashed" in lines[3]


def test_a_status_of_a_newer_daemon_is_shown_as_it_is() -> None:
    """Without a colour, for nobody knows which."""
    assert "? dreaming" in table([instance("web-0", "dreaming")], NOW, Screen(colour=True))[1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (ending(at="2026-01-31T09:02:04.900Z"), "0 s ago: exit code 3 (ExitCode)"),
        (ending(at="2026-01-31T10:00:00.000Z"), "0 s ago: exit code 3 (ExitCode)"),
        (ending(cause="SIGTERM", reason="CleanExit"), "2 min 5 s ago: SIGTERM (CleanExit)"),
        (None, "-"),
    ],
)
def test_the_last_exit_is_told_with_its_age(given: dict[str, Any] | None, said: str) -> None:
    """Also where the clock was set back since."""
    assert last_exit(instance("web-0", last_exit=given), NOW) == said


@pytest.mark.parametrize(("due_in_sec", "said"), [(3.25, "in 3.2 s"), (-0.1, "now"), (None, "-"), (600, "in 10 min")])
def test_the_next_try_is_told(due_in_sec: float | None, said: str) -> None:
    """One that is overdue is a matter of milliseconds."""
    assert said in table([instance("web-0", "crashed", due_in_sec=due_in_sec)], NOW, PIPE)[1]


def test_the_crew_is_summed_up_in_one_line() -> None:
    """Workers, instances, and how many are in each status, the good ones first."""
    answer = crew(
        worker(instance("a-0", "error")), worker(instance("b-0"), instance("b-1"), instance("b-2", "stopped"))
    )

    assert headlines(answer, PIPE) == ["2 workers, 4 instances: 2 running, 1 stopped, 1 error"]
    assert headlines(crew(worker(instance("a-0"))), PIPE) == ["1 worker, 1 instance: 1 running"]
    assert headlines(crew(), PIPE) == ["no workers"]


def test_what_is_wrong_with_crewd_comes_first() -> None:
    """A port, a stale picture, a configuration that is not in force, drift, recording: each with its cause."""
    answer = crew(
        worker(instance("a-0")),
        daemon={"version": "1.2.3", "not_ready": ["127.0.0.1:3000 is taken"]},
        stale=True,
        supervisord={"up": False, "words": "last known: 1 running"},
        configuration={
            "in_force": False,
            "problems": ["f:1:2: x: no"],
            "applied_at": None,
            "drift": ["edited by hand"],
        },
        recording={"lag_events": 7, "trouble": "database is locked"},
    )

    assert headlines(answer, PIPE) == [
        "▲ crewd is not ready: 127.0.0.1:3000 is taken",
        "▲ supervisord is not there: this is the last known state (last known: 1 running)",
        "▲ the configuration is not in force:",
        "    f:1:2: x: no",
        "▲ drift: edited by hand",
        "▲ what happens is not recorded: database is locked",
        "1 worker, 1 instance: 1 running",
    ]


def test_many_mistakes_are_counted() -> None:
    """Five are shown, and where the rest is found."""
    configuration = {"in_force": False, "problems": [f"f:{line}:1: x: no" for line in range(8)], "drift": []}
    told = troubles(crew(configuration=configuration))

    assert len(told) == 7
    assert told[-1] == "  and 3 more: `crewctl check` lists all"


@pytest.mark.parametrize(("lag", "told"), [(1000, []), (1001, ["recording is 1001 events behind"])])
def test_recording_that_keeps_up_is_no_trouble(lag: int, told: list[str]) -> None:
    """A few events on their way are how it works."""
    assert troubles(crew(recording={"lag_events": lag, "trouble": ""})) == told


def test_a_supervisord_that_lives_but_is_not_heard_is_told_apart() -> None:
    """It is not said to be gone."""
    told = troubles(crew(stale=True, supervisord={"up": True, "words": ""}))

    assert told == ["supervisord is not heard: this is the last known state"]


@given(width=st.integers(1, 120))
def test_the_headlines_fit_too(width: int) -> None:
    """A terminal that is narrow gets their beginnings."""
    answer = crew(worker(*CREW), configuration={"in_force": False, "problems": ["f:1:2: " * 9], "drift": []})

    assert all(cells(line) <= width for line in headlines(answer, Screen(width)))
