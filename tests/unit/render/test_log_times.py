"""When lines were written, as far as they say it."""

import time
from collections.abc import Sequence

import pytest

from crewd.reconcile.output import Line, Stream
from crewd.supervisord.log_times import merged, part, time_of

NINE = 1769850000.0
"""2026-01-31T09:00:00Z."""


def at(second: int, text: str = "") -> bytes:
    """Return a line of that second after nine."""
    return f"2026-01-31T09:00:{second:02}Z {text or second}".encode()


def lines(stream: Stream, *texts: bytes) -> Sequence[Line]:
    """Return these of a stream."""
    return [Line(stream, text) for text in texts]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"2026-01-31T09:00:00Z begins", NINE),
        (b"2026-01-31T09:00:00.250+00:00", NINE + 0.25),
        (b"[2026-01-31 10:00:00,5+0100] begins", NINE + 0.5),
        (b"(2026-01-31T09:00:00.123456789Z)", NINE + 0.123456),
        (b"2026-13-31T09:00:00Z", None),
        (b"2026-01-31T09:00", None),
        (b"2026-01-31", None),
        (b" 2026-01-31T09:00:00Z", None),
        (b"INFO 2026-01-31T09:00:00Z", None),
        (b"2026-01-31T09:00:00:5", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_a_line_says_its_time_at_its_beginning(line: bytes, wanted: float | None) -> None:
    """As ISO 8601, in brackets or not; what is no time is none."""
    assert time_of(line) == wanted


def test_without_a_zone_it_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python's logging writes it."""
    monkeypatch.setenv("TZ", "XXX-02:00")
    time.tzset()
    try:
        assert time_of(b"2026-01-31 11:00:00,000 INFO") == NINE
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_too_old_is_left_out() -> None:
    """With the lines behind it that say no time: they are of that time, too."""
    text = b"\n".join([b"head", at(1), b"more of 1", at(2), b"more of 2", at(3)])

    found = part(text, NINE + 2)
    assert (found.head, found.body, found.newest, found.ends) == (
        None,
        b"\n".join([at(2), b"more of 2", at(3)]),
        NINE + 3,
        True,
    )
    found = part(text, NINE)
    assert (found.head, found.ends) == (b"head", False)
    assert found.body == text[len(b"head\n") :]
    found = part(text, NINE + 10)
    assert (found.head, found.body, found.newest, found.ends) == (None, None, NINE + 3, True)
    found = part(b"a\nb", NINE)
    assert (found.head, found.body, found.newest, found.ends) == (b"a\nb", None, None, False)


def test_streams_are_merged_by_their_times() -> None:
    """A line without one stays behind the one before it; the newest are given."""
    out = lines(Stream.STDOUT, at(1), at(4))
    err = lines(Stream.STDERR, at(2), b"Traceback", at(3))

    together, ordered = merged([out, err], 4)
    assert [line.text for line in together] == [at(2), b"Traceback", at(3), at(4)]
    assert ordered


def test_where_nobody_says_a_time_each_has_its_share() -> None:
    """One after the other, and that is told; what one leaves is for the other."""
    out = lines(Stream.STDOUT, *(b"out %d" % number for number in range(10)))
    err = lines(Stream.STDERR, b"err 0", at(1))

    together, ordered = merged([out, err], 4)
    assert [line.text for line in together] == [b"out 8", b"out 9", b"err 0", at(1)]
    assert not ordered
    assert [line.text for line in merged([out, err[:1]], 4)[0]] == [b"out 7", b"out 8", b"out 9", b"err 0"]
    assert merged([out, err], 0) == ((), False)


def test_one_stream_alone_is_in_order() -> None:
    """And none is no trouble."""
    out = lines(Stream.STDOUT, b"a", b"b")

    assert merged([out, []], 1) == (tuple(out[1:]), True)
    assert merged([[], []], 5) == ((), True)
