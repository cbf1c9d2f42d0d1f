"""The datagrams that journald takes: what is in them is what was said, and nothing that somebody made up."""

import struct
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from crewd.app import journald as of_daemon
from crewd.model import journald
from crewd_supervisord import journald as of_supervisord

OWN = ("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER")


def read(datagram: bytes) -> Iterator[tuple[str, str]]:
    """Yield the fields, as journald takes them apart."""
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        assert b"=" not in name
        (length,) = struct.unpack("<Q", rest[:8])
        value, end, datagram = rest[8 : 8 + length], rest[8 + length : 9 + length], rest[9 + length :]
        assert end == b"\n"
        yield name.decode(), value.decode()


def test_an_event_is_an_entry_with_its_members() -> None:
    """The worker's name too, though the event has its instance alone."""
    event = {"event": "exited", "instance": "a-b-3", "pid": 7, "code": None, "level": "warning", "exception": "Trace"}

    assert list(read(of_daemon.entry("exited instance=a-b-3", 4, event))) == [
        ("MESSAGE", "exited instance=a-b-3"),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "crewd"),
        ("CREWD_EVENT", "exited"),
        ("CREWD_INSTANCE", "a-b-3"),
        ("CREWD_PID", "7"),
        ("CREWD_WORKER", "a-b"),
    ]


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=5))
def test_no_text_makes_a_field_of_its_own(message: str, members: dict[str, str]) -> None:
    """Not by line ends, not by lengths, not by a name: every field is ours, and begins as ours do."""
    fields = list(read(journald.entry(message, 6, "crewd", members)))

    assert tuple(name for name, _ in fields[:3]) == OWN
    assert all(name.startswith("CREWD_") and name.replace("_", "A").isalnum() for name, _ in fields[3:])
    assert all(name.isascii() and name == name.upper() and len(name) <= 64 for name, _ in fields)
    assert len(fields) <= 3 + len(members)
    assert fields[0][1] == message.encode("utf-8", "backslashreplace").decode()


def test_a_value_that_is_too_long_is_cut_between_characters() -> None:
    """The entry still fits into a datagram."""
    members = {f"key_{number}": "ä" * 100_000 for number in range(25)}
    datagram = journald.entry("€" * 100_000, 6, "crewd", members)

    assert len(datagram) < 180_000
    assert set(dict(read(datagram))["MESSAGE"]) == {"€"}


def test_supervisords_words_name_the_worker() -> None:
    """Those that speak of one instance; others have no such field."""
    named = [
        "spawned: 'web-0' with pid 42",
        "exited: web-0 (terminated by SIGKILL; not expected)",
        "stopped: web-0 (exit status 0)",
        "success: web-0 entered RUNNING state, process has stayed up for > than 1 seconds (startsecs)",
        "gave up: web-0, start limit hit (ExitCode)",
        "killing 'web-0' (42) with SIGKILL",
        "process 'web-0' already running",
    ]
    nameless = [
        "waiting for web-0, web-1 to die",
        "spawnerr: can't find command 'web-0'",
        "supervisord started with pid 42",
        "web-0 began",
    ]

    for message in named:
        fields = dict(read(of_supervisord.entry(message, 6)))
        assert (fields["CREWD_WORKER"], fields["CREWD_INSTANCE"]) == ("web", "web-0")
    for message in nameless:
        assert "CREWD_WORKER" not in dict(read(of_supervisord.entry(message, 6)))
