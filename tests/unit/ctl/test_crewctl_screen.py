"""The screen: colours, widths, and what a worker's output may do to a terminal."""

import os
import pty
from collections.abc import Iterator
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewd.ctl.screen import Screen, cells, cut, harmless


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """The far end of a pseudo-terminal."""
    near, far = pty.openpty()
    with os.fdopen(far, "w", encoding="utf-8") as output:
        yield output
    os.close(near)


@pytest.mark.parametrize(
    ("environ", "color", "colour"),
    [
        ({}, "auto", True),
        ({}, "never", False),
        ({"NO_COLOR": "1"}, "auto", False),
        ({"NO_COLOR": ""}, "auto", True),
        ({"TERM": "dumb"}, "auto", False),
        ({"NO_COLOR": "1"}, "always", True),
    ],
)
def test_a_terminal_shows_colours_unless_told_otherwise(
    terminal: TextIO, environ: dict[str, str], color: str, colour: bool
) -> None:
    """The option stands above NO_COLOR, and that above what the terminal can do."""
    assert Screen.of(terminal, environ, color).colour is colour


def test_a_file_has_neither_colours_nor_a_width() -> None:
    """Unless colours are asked for."""
    with open(os.devnull, "w", encoding="ascii") as output:
        assert Screen.of(output, {"COLUMNS": "40"}, "auto") == Screen(None, colour=False, symbols=False)
        assert Screen.of(output, {}, "always").colour


def test_a_terminal_that_does_not_tell_its_width_has_80(terminal: TextIO) -> None:
    """COLUMNS tells, where it is set."""
    assert Screen.of(terminal, {}, "auto").width == 80
    assert Screen.of(terminal, {"COLUMNS": "132"}, "auto").width == 132
    assert Screen.of(terminal, {"COLUMNS": "wide"}, "auto").width == 80


@given(text=st.text(), width=st.integers(0, 30))
def test_what_is_cut_fits(text: str, width: int) -> None:
    """Also with letters that take two cells, and with those that take none."""
    assert cells(cut(text, width)) <= width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("short", 5, "short"), ("too long", 5, "too…"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("long", 0, "")],
)
def test_what_is_cut_says_so(text: str, width: int, shown: str) -> None:
    """An ellipsis, and no blank before it."""
    assert cut(text, width) == shown


@given(line=st.text(st.characters()))
def test_no_output_of_a_worker_reaches_the_terminal_as_a_command(line: str) -> None:
    """No control character, no lone surrogate, no bidirectional override."""
    assert harmless(line).isprintable()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("a\tb", "a       b"),
        ("  indented\r", "  indented"),
        ("10%\r20%", "10%20%"),
        ("\x9b31mred", "31mred"),
        ("été 日本", "été 日本"),
    ],
)
def test_a_line_of_output_keeps_what_it_says(line: str, shown: str) -> None:
    """Colours and titles go as a whole; blanks and letters stay."""
    assert harmless(line) == shown
