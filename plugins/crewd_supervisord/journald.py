"""supervisord's own log under systemd-journald: with priorities, and with the worker's name where a message is of one.

Rules:

1. Only where standard output is journald's; the log file is as ever. The rendering has supervisord silent, for a
   terminal is not to have its log twice: here it speaks.
2. journald is waited for never: what it does not take goes to standard output, a line with its priority; and where that
   is full, too, or its other end is closed, nowhere: the log file has it.
3. The name is read off the words that supervisor and the engine use; a message in other words has none.
"""

import os
import re
import socket
import sys
from collections.abc import Mapping
from typing import Any

from supervisor import loggers
from supervisor.options import ServerOptions

from crewd.model import journald

IDENTIFIER = "supervisord"
_PRIORITIES = {
    loggers.LevelsByName.CRIT: journald.PRIORITY_CRITICAL,
    loggers.LevelsByName.ERRO: journald.PRIORITY_ERROR,
    loggers.LevelsByName.WARN: journald.PRIORITY_WARNING,
    loggers.LevelsByName.INFO: journald.PRIORITY_INFO,
}
_OF_ONE = re.compile(
    r"(?:spawned: |exited: |stopped: |success: |gave up: |killing |process )'?(([^\s',:]+)-\d+)'?(?=[ ,]|$)"
)
"""How supervisor and the engine begin what they say of one instance."""


def listens(environ: Mapping[str, str]) -> bool:
    """Return whether standard output is journald's."""
    try:
        found = os.fstat(1)
    except OSError:
        return False
    return journald.stream(environ.get("JOURNAL_STREAM", ""), found.st_dev, found.st_ino)


def speak() -> None:
    """Have supervisord's log go to journald, too."""
    stock = ServerOptions.make_logger

    def make_logger(options: Any) -> None:
        options.silent = False
        stock(options)

    loggers.handle_stdout = _handle
    ServerOptions.make_logger = make_logger


def entry(message: str, priority: int) -> bytes:
    """Return the entry of a message."""
    found = _OF_ONE.match(message)
    members = {"worker": found[2], "instance": found[1]} if found else {}
    return journald.entry(message, priority, IDENTIFIER, members)


def _handle(logger: Any, _format: str) -> None:
    handler = Handler(sys.stdout)
    handler.setLevel(logger.level)
    logger.addHandler(handler)


class Handler(loggers.StreamHandler):
    """Sends each record."""

    _socket: socket.socket | None = None

    def emit(self, record: Any) -> None:
        """Send it; what fails is told as supervisor's own handlers tell it."""
        try:
            message = str(record.asdict()["message"])
            priority = _PRIORITIES.get(record.level, journald.PRIORITY_DEBUG)
            if not self._sent(entry(message, priority)):
                _write("".join(f"<{priority}>{line}\n" for line in message.splitlines()))
        except Exception:
            self.handleError()

    def close(self) -> None:
        """Let go of the socket: supervisord closes at a reload what it finds open, and its number is another's then."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        super().close()

    def _sent(self, datagram: bytes) -> bool:
        try:
            # made at the first record: supervisord closes what it finds open when it starts
            self._socket = self._socket or socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.sendto(datagram, socket.MSG_DONTWAIT, journald.SOCKET)
        except OSError:
            return False
        return True


def _write(lines: str) -> None:
    """Write to standard output, which is a socket of journald's, what it takes now."""
    try:
        with socket.fromfd(1, socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            stream.send(lines.encode(errors="replace"), socket.MSG_DONTWAIT)
    except OSError:
        return
