"""The names that `crewctl batch` reads."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewd.ctl.batch import BYTES_MOST, NAMES_MOST, read


@pytest.mark.parametrize(
    "content",
    [
        b"web\nmail-0\n",
        b"\xef\xbb\xbfweb\r\n\r\n  # not this one\n  mail-0  ",
        b"web\nmail-0\nweb\n",
        b'["web", "mail-0"]',
        b'\n {"worker_ids": ["web", "mail-0"]}',
        b'{"action": "stop", "worker_ids": ["web", "web", "mail-0"]}',
    ],
)
def test_names_are_read_a_line_each_or_as_json(content: bytes) -> None:
    """Each once, in their order."""
    assert read(content) == ["web", "mail-0"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# none\n", b"[]"])
def test_there_may_be_none(content: bytes) -> None:
    """A pipe that found nothing is no mistake."""
    assert read(content) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe", "it is no text"),
        (b"[", "it is no JSON"),
        (b"[1]", "it is no list of names"),
        (b'[""]', "it is no list of names"),
        (b'{"names": ["web"]}', "it is no list of names"),
        (b"[" * 100_000, "it is no"),
        (b"x" * (BYTES_MOST + 1), "more than 4 MiB"),
        (b"".join(b"w%d\n" % number for number in range(NAMES_MOST + 1)), "10001 names; at most 10000"),
    ],
)
def test_what_is_no_list_of_names_is_refused(content: bytes, why: str) -> None:
    """With the reason."""
    with pytest.raises(click.BadParameter, match=why):
        read(content)


@given(st.binary(max_size=300))
def test_whatever_is_read_is_names_or_refused(content: bytes) -> None:
    """Nothing else comes of a file."""
    try:
        names = read(content)
    except click.BadParameter:
        return
    assert all(name and name == name.strip() for name in names) or content.lstrip()[:1] in {b"[", b"{"}
