"""Server-sent events, read: lines become messages. Pure; the format is the HTML standard's."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``id`` is where to go on after it; "" where it has none."""

    id: str
    event: str
    data: str


def messages(lines: Iterable[bytes]) -> Generator[Message]:
    """Give each message when its blank line has come; a torn one at the end is dropped, and comes again on resuming."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            if fields:
                yield _message(fields)
            fields = {}
        elif not text.startswith(":"):
            name, _, value = text.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))


def _message(fields: dict[str, list[str]]) -> Message:
    last_id, event = fields.get("id", [""])[-1], fields.get("event", ["message"])[-1]
    return Message(last_id, event, "\n".join(fields.get("data", [])))
