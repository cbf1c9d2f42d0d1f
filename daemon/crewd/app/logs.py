"""The log: to standard error, one line per event, ``key=value``; or JSON when asked.

Under journald the line is the message of an entry that has the pairs as fields (``journald``), and no time of its own.
A value is quoted where it would not be one word, and holds no control character: whatever a worker's name or message
was, a line stays a line.
"""

import json
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from enum import StrEnum
from typing import Any

import structlog

from crewd.app import journald

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

Event = MutableMapping[str, Any]


class LogFormat(StrEnum):
    """How a line looks."""

    PLAIN = "plain"
    JSON = "json"


def configure(environ: Mapping[str, str], log_format: LogFormat = LogFormat.PLAIN, level: str = "info") -> None:
    """Set up structlog for this process."""
    journal = journald.listens(environ)
    render = _json if log_format is LogFormat.JSON else _plain
    processors: list[Any] = [structlog.processors.add_log_level, structlog.processors.format_exc_info]
    if not journal:
        processors.append(structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"))
    processors.append(_Entry(render) if journal else render)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _Journal() if journal else _Sink(),
        cache_logger_on_first_use=True,
    )


def complain(lines: Iterable[str], environ: Mapping[str, str]) -> None:
    """Say why the daemon ends, as it is, one line each."""
    journal, sink = journald.listens(environ), _Sink()
    for line in lines:
        sink.msg(journald.prefixed(line, journald.PRIORITIES["error"]) if journal else line)


class _Sink:
    """Writes lines. A reader that went away must not end the daemon."""

    def msg(self, line: str) -> None:
        """Write one line in one go."""
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg


class _Journal(_Sink):
    """Sends entries; writes the line of one that journald does not take."""

    def __init__(self) -> None:
        self._sender = journald.Sender()

    def msg(self, line: str, datagram: bytes = b"") -> None:
        """Send one entry, or else write the line."""
        if not self._sender.send(datagram):
            self._sender.write(line)

    debug = info = warning = error = critical = msg


class _Entry:
    """Makes of an event what ``_Journal`` takes."""

    def __init__(self, render: Any) -> None:
        self._render = render

    def __call__(self, logger: Any, method: str, event: Event) -> tuple[tuple[str, bytes], dict[str, Any]]:
        """Return the line, its priority before it, and the entry."""
        priority, members = journald.PRIORITIES.get(method, journald.PRIORITIES["info"]), dict(event)
        line = str(self._render(logger, method, event))
        return (journald.prefixed(line, priority), journald.entry(line, priority, members)), {}


def _plain(_logger: Any, _method: str, event: Event) -> str:
    time, level, exception = event.pop("time", None), event.pop("level"), event.pop("exception", None)
    words = [*([time] if time else []), f"{level:<7}", str(event.pop("event"))]
    words += [f"{key}={_value(value)}" for key, value in event.items() if value is not None]
    line = " ".join(words)
    return f"{line}\n{exception}" if exception else line


def _value(value: object) -> str:
    text = str(value)
    bare = text.isprintable() and text != "" and not any(sign in text for sign in ' "=')
    return text if bare else json.dumps(text)


def _json(_logger: Any, _method: str, event: Event) -> str:
    return json.dumps(event, default=str)
