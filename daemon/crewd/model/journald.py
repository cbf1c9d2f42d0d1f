"""systemd-journald's native protocol, as systemd.io/JOURNAL_NATIVE_PROTOCOL has it: an entry as one datagram.

Rules:

1. Every value goes in the form with a length before it: no text can end its field and begin another.
2. A field's name is made of what may stand in one, and begins with letters of ours: nobody can name a trusted field.
3. A value that is too long is cut, so that an entry of ours fits into a datagram.
4. Nothing is looked at or sent here. The daemon and the engine each do so themselves: the engine imports no more of
   crewd than ``model`` and ``policy``, which do no I/O.
"""

import re
import struct
from collections.abc import Mapping

SOCKET = "/run/systemd/journal/socket"
PRIORITY_CRITICAL, PRIORITY_ERROR, PRIORITY_WARNING, PRIORITY_INFO, PRIORITY_DEBUG = 2, 3, 4, 6, 7
PREFIX = "CREWD_"
NAME_MOST = 64
MESSAGE_MOST = 48 * 1024
VALUE_MOST = 4 * 1024
"""In bytes. 25 fields of that, and the message, are less than a datagram may be by default."""

_NO_NAME = re.compile(r"[^A-Z0-9_]")


def entry(message: str, priority: int, identifier: str, members: Mapping[str, object]) -> bytes:
    """Return the datagram of an entry. ``members`` are its own: their names in capitals, behind PREFIX."""
    own = {_name(key): value for key, value in members.items() if value is not None}
    fields = {"MESSAGE": message, "PRIORITY": priority, "SYSLOG_IDENTIFIER": identifier, **own}
    return b"".join(_field(name, str(value)) for name, value in fields.items())


def stream(variable: str, device: int, inode: int) -> bool:
    """Return whether a file is the one that ``JOURNAL_STREAM`` speaks of: systemd.exec(5)."""
    return variable == f"{device}:{inode}"


def _name(key: str) -> str:
    return (PREFIX + _NO_NAME.sub("_", key.upper()))[:NAME_MOST]


def _field(name: str, value: str) -> bytes:
    most = MESSAGE_MOST if name == "MESSAGE" else VALUE_MOST
    data = value.encode("utf-8", "backslashreplace")
    if len(data) > most:
        data = data[:most].decode("utf-8", "ignore").encode()  # a character is cut off, not through
    return b"%s\n%s%s\n" % (name.encode("ascii"), struct.pack("<Q", len(data)), data)
