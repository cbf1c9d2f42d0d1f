"""What `crewctl top` shows: bars, curves, orders, and frames that fit whatever terminal."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewd.ctl.bars import bar, curve, size
from crewd.ctl.screen import Screen, cells
from crewd.ctl.terminal import keys
from crewd.ctl.top_screen import Frame, Shot, first_shown, frame, plain_table
from crewd.ctl.usage import CURVE_MOST, Order, Remembered, flat, ordered
from harness.crewctl_answers import AT_UNIX, crew, instance, worker

MIB = 1024**2
WEB = instance("web-0", cpu_usage=12.5, memory_usage=50 * MIB, restart_count=1)
MAIL = instance("mail-0", cpu_usage=99.0, memory_usage=10 * MIB)
DOWN = instance("down-0", "error", restart_count=7)
CREW = crew(worker(WEB), worker(MAIL), worker(DOWN))


def shot(answer: dict[str, Any] = CREW, order: Order = Order.CPU, *before: dict[str, Any]) -> Shot:
    """Return a look at this crew, after these ones."""
    remembered = Remembered()
    for one in (*before, answer):
        remembered.look(one)
    return Shot(answer, AT_UNIX, remembered, order)


def uncoloured(line: str) -> str:
    """Return the line without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


@pytest.mark.parametrize(
    ("share", "drawn"), [(0.0, ""), (0.001, "▏"), (0.5, "█████"), (0.55, "█████▌"), (1.0, "█" * 10), (7.0, "█" * 10)]
)
def test_a_bar_is_as_long_as_its_share(share: float, drawn: str) -> None:
    """To an eighth of a cell; what is not nothing is seen, and nothing is longer than the whole."""
    assert bar(share, 10, Screen()) == drawn
    assert bar(share, 10, Screen(symbols=False)).isascii()


def test_a_curve_has_a_letter_for_each_value() -> None:
    """A blank where nothing is known."""
    assert curve([0, 50, 100, None, 1000], 100, Screen()) == "▁▅█ █"
    assert curve([0, 50, 100, None], 0, Screen(symbols=False)) == "___ "


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (MIB - 1, "1.00 MiB"),
        (50 * MIB, "50.0 MiB"),
        (999.9 * MIB, "1000 MiB"),
        (3.5 * 1024**4, "3.50 TiB"),
        (9999 * 1024**4, "9999 TiB"),
    ],
)
def test_sizes_have_three_digits(count: float | None, words: str) -> None:
    """And the unit."""
    assert size(count) == words


def test_the_most_come_first() -> None:
    """Whatever it is sorted by; what is not known comes last, and of equals the order is the crew's."""

    def names(order: Order) -> list[str]:
        return [one["instance"] for one in ordered(flat(CREW), order)]

    assert names(Order.CPU) == ["mail-0", "web-0", "down-0"]
    assert names(Order.MEMORY) == ["web-0", "mail-0", "down-0"]
    assert names(Order.RESTARTS) == ["down-0", "web-0", "mail-0"]
    assert names(Order.NAME) == ["web-0", "mail-0", "down-0"]


def test_a_pipe_gets_a_plain_table() -> None:
    """Uncut, without bars; the sums stand above."""
    lines = plain_table(shot(), Screen())

    assert lines[0].startswith("2026-01-31 ")
    assert lines[1] == "3 workers, 3 instances: 2 running, 1 error"
    assert lines[2] == "CPU 111.5 %   memory 60.0 MiB   restarts 8"
    assert lines[4:] == [
        "INSTANCE  STATUS     ▾CPU %    MEMORY  RESTARTS   PID  UPTIME",
        "mail-0    ● running    99.0  10.0 MiB         0  4242  1 h 2 min",
        "web-0     ● running    12.5  50.0 MiB         1  4242  1 h 2 min",
        "down-0    ! error         -         -         7     -  -",
    ]


def test_a_frame_shows_bars_curves_and_what_was_restarted_meanwhile() -> None:
    """As long as it is watched."""
    later = crew(worker({**WEB, "restart_count": 3, "cpu_usage": 50.0}), sampled_at="2026-01-31T09:00:02.000Z")
    lines = frame(shot(later, Order.CPU, CREW), Frame(12, 0, "/run/x", 2), Screen(110))

    assert lines[0].startswith("crewd top  /run/x  ")
    assert "every 2 s" in lines[0]
    assert lines[2] == "CPU 50.0 %   memory 50.0 MiB   restarts 3, 2 of them meanwhile  █▄"
    shown = "web-0 ● running 50.0 █████····· ▂▅ 50.0 MiB ██████████ 3 +2 4242 1 h 2 min"
    assert " ".join(lines[5].split()) == shown
    assert lines[-1].startswith("q quit  c cpu")
    assert len(lines) == 12


def test_what_does_not_fit_is_scrolled_to() -> None:
    """And it is said which part is shown; nobody scrolls past an end."""
    many = crew(*(worker(instance(f"w{number:02}-0")) for number in range(30)))
    lines = frame(shot(many, Order.NAME), Frame(10, 28, "x", 2), Screen(100))

    assert [line.split()[0] for line in lines[5:9]] == ["w26-0", "w27-0", "w28-0", "w29-0"]
    assert lines[-1].endswith("27-30 of 30")
    assert (first_shown(-5, 30, 4), first_shown(99, 30, 4), first_shown(3, 2, 4)) == (0, 26, 0)


def test_figures_that_were_seen_already_add_nothing_to_the_curve() -> None:
    """The daemon looks when it looks; and a curve has an end."""
    twice = shot(CREW, Order.CPU, CREW)
    assert list(twice.remembered.curves["web-0"]) == [12.5]

    long = shot(CREW, Order.CPU, *({**CREW, "sampled_at": str(number)} for number in range(CURVE_MOST + 9)))
    assert len(long.remembered.curves["web-0"]) == CURVE_MOST


def test_those_that_are_gone_are_forgotten() -> None:
    """A crew that changes for weeks fills no memory."""
    gone = shot(crew(worker(WEB), sampled_at="later"), Order.CPU, CREW)

    assert set(gone.remembered.curves) == {"web-0"}


@given(
    width=st.integers(14, 160),
    rows=st.integers(6, 60),
    first=st.integers(0, 200),
    colour=st.booleans(),
    symbols=st.booleans(),
    order=st.sampled_from(Order),
    names=st.lists(st.text(max_size=12), max_size=40),
    cpu=st.one_of(st.none(), st.floats(0, 6400)),
    memory=st.one_of(st.none(), st.integers(0, 2**45)),
    trouble=st.sampled_from(["", "cannot reach crewd at /run/crewd/crewd.sock: it does not answer"]),
)
def test_a_frame_fits_every_terminal(*, width: int, rows: int, names: list[str], colour: bool, **given: Any) -> None:
    """As many lines as there are rows, none wider than the screen, whatever names and figures hold."""
    each = [instance(f"x-{at}", cpu_usage=given["cpu"], memory_usage=given["memory"]) for at in range(len(names))]
    crowd = crew(*(worker({**one, "instance": name}) for one, name in zip(each, names, strict=True)))
    where = Frame(rows, given["first"], "/run/crewd/crewd.sock", 2, given["trouble"])
    lines = frame(shot(crowd, given["order"]), where, Screen(width, colour, given["symbols"]))

    assert len(lines) == rows
    assert max(cells(uncoloured(line)) for line in lines) <= width
    assert all(uncoloured(line).isprintable() for line in lines)


def test_keys_are_letters_and_sequences() -> None:
    """Several may come at once."""
    assert keys(b"c\x1b[A\x1b[6~q") == ["c", "up", "page down", "q"]
    assert keys(b"") == []
