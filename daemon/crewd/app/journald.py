"""The log under systemd-journald: each event with its members as fields, so that a worker's are found by its name.

What cannot be sent goes to standard error, which is the journal's as well: a line with its priority, without fields.
Where that is full, too, it is lost: who waited for a journald that stands still would stand still.
"""

import os
import socket
from collections.abc import Mapping
from typing import Any

from crewd.model import journald
from crewd.policy.accounting import worker_of

IDENTIFIER = "crewd"
PRIORITIES = {
    "debug": journald.PRIORITY_DEBUG,
    "info": journald.PRIORITY_INFO,
    "warning": journald.PRIORITY_WARNING,
    "error": journald.PRIORITY_ERROR,
    "critical": journald.PRIORITY_CRITICAL,
}
_NO_FIELDS = frozenset({"level", "exception"})
"""The priority says the one, the message has the other."""


def listens(environ: Mapping[str, str]) -> bool:
    """Return whether standard error is journald's."""
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return journald.stream(environ.get("JOURNAL_STREAM", ""), found.st_dev, found.st_ino)


def prefixed(line: str, priority: int) -> str:
    """Return the line, or each of several, with its priority before it, as sd-daemon(3) has it."""
    return "\n".join(f"<{priority}>{part}" for part in line.split("\n"))


def entry(line: str, priority: int, event: Mapping[str, Any]) -> bytes:
    """Return the entry for an event that is worded as ``line``."""
    members = {key: value for key, value in event.items() if key not in _NO_FIELDS}
    if isinstance(instance := event.get("instance"), str):
        members.setdefault("worker", worker_of(instance))
    return journald.entry(line, priority, IDENTIFIER, members)


class Sender:
    """Sends entries; waits for nobody."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def send(self, datagram: bytes) -> bool:
        """Return whether journald took it."""
        try:
            self._socket.sendto(datagram, socket.MSG_DONTWAIT, journald.SOCKET)
        except OSError:
            return False
        return True

    def write(self, line: str) -> None:
        """Write the line to standard error, which is a socket of journald's, where it takes it now."""
        try:
            with socket.fromfd(2, socket.AF_UNIX, socket.SOCK_STREAM) as stream:
                stream.send(f"{line}\n".encode(errors="replace"), socket.MSG_DONTWAIT)
        except OSError:
            return
