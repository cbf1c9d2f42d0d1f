"""The log: to standard error, one line per event, ``key=value``; or JSON when asked.

Under journald each line begins with its priority, ``<N>``, and has no time of its own. A value is quoted where it
would not be one word, and holds no control character: whatever a worker's name or message was, a line stays a line.
"""

import json
import os
import sys
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from typing import Any

import structlog

PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

Event = MutableMapping[str, Any]


class LogFormat(StrEnum):
    """How a line looks."""

    PLAIN = "plain"
    JSON = "json"


def configure(environ: Mapping[str, str], log_format: LogFormat = LogFormat.PLAIN, level: str = "info") -> None:
    """Set up structlog for this process."""
    journald = _is_journal(environ.get("JOURNAL_STREAM", ""))
    render = _json if log_format is LogFormat.JSON else _plain
    processors: list[Any] = [structlog.processors.add_log_level, structlog.processors.format_exc_info]
    if not journald:
        processors.append(structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"))
    processors.append(_Prefixed(render) if journald else render)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _Sink(),
        cache_logger_on_first_use=True,
    )


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


class _Prefixed:
    """Puts the priority before the line, as sd-daemon(3) has it."""

    def __init__(self, render: Any) -> None:
        self._render = render

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        """Return the line."""
        priority = PRIORITIES.get(method, 6)
        return "\n".join(f"<{priority}>{line}" for line in str(self._render(logger, method, event)).split("\n"))


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


def _is_journal(stream: str) -> bool:
    """Return whether standard error is journald's, by device and inode as systemd.exec(5) says."""
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"
