"""The text of one configuration file.

Rules:

1. Only regular files of at most SIZE_MOST bytes are read: a pipe or a device would hang or fill the daemon.
2. The text is UTF-8 without byte order mark, and holds no control character but tab and line ends.
"""

import os
import re
import stat

from crewd.config.report import Place, Report

SIZE_MOST = 8 * 1024 * 1024

_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "UTF-8 without byte order mark",
    b"\xff\xfe": "UTF-8, not UTF-16",
    b"\xfe\xff": "UTF-8, not UTF-16",
}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_text(path: str, report: Report) -> str | None:
    """Return the file's text; None, and an error in the report, where it has none that could be used."""
    try:
        content = _content(path)
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        report.error(Place(path), "file", f"cannot be read: {reason}")
        return None
    for mark, wanted in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            report.error(Place(path, 1, 1), "file", f"begins with a byte order mark: save it as {wanted}")
            return None
    try:
        text = content.decode()
    except UnicodeDecodeError as cause:
        before = content[: cause.start].decode()
        report.error(_place(path, before), "file", f"is not UTF-8: byte 0x{content[cause.start]:02x}; save it as UTF-8")
        return None
    if found := _UNPRINTABLE.search(text):
        code = ord(found[0])
        message = f'holds the control character U+{code:04X}: remove it, or write "\\x{code:02x}"'
        report.error(_place(path, text[: found.start()]), "file", message)
        return None
    return text


def _content(path: str) -> bytes:
    # O_NONBLOCK: opening a pipe nobody writes to must not hang
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(SIZE_MOST + 1)
    finally:
        os.close(descriptor)
    if len(content) > SIZE_MOST:
        raise ValueError(f"it is larger than {SIZE_MOST // 1024 // 1024} MiB")
    return content


def _place(path: str, before: str) -> Place:
    return Place(path, before.count("\n") + 1, len(before) - before.rfind("\n"))
