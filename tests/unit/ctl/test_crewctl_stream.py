"""Server-sent events, read."""

from crewd.ctl.stream import Message, messages


def read(text: str) -> list[Message]:
    """Return the messages in the text."""
    return list(messages(text.encode().splitlines(keepends=True)))


def test_a_message_is_complete_with_its_blank_line() -> None:
    """Its id is where to go on; a comment is no message."""
    text = 'id: 1-a.7\nevent: exited\ndata: {"a":1}\n\n: keepalive\n\nid: 1-a.8\ndata: x\n\n'

    assert read(text) == [Message("1-a.7", "exited", '{"a":1}'), Message("1-a.8", "message", "x")]


def test_a_torn_message_is_dropped() -> None:
    """It comes again: the reader resumes behind the last whole one."""
    assert read("id: 1\nevent: a\ndata: x\n\nid: 2\nevent: b\nda") == [Message("1", "a", "x")]


def test_lines_of_data_belong_together() -> None:
    """As the standard has it; also with carriage returns, and without the blank."""
    assert read("data: one\r\ndata:two\r\n\r\n") == [Message("", "message", "one\ntwo")]
