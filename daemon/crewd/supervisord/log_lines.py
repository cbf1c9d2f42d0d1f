"""Lines out of bytes, forwards and backwards, each bounded. Pure: no file is known here.

Rules:

1. A line is what stands between newlines. One longer than LINE_MOST is cut, and says so at its end.
2. Whatever a worker writes, only so much of it is held: a worker that never ends its line costs one line.
"""

from collections.abc import Generator, Iterable

LINE_MOST = 64 * 1024
"""So many bytes of a line are shown."""
CUT = b" [cut]"


def shown(line: bytes) -> bytes:
    """Return the line as it may be shown: no longer than it may be, bytes that are no UTF-8 replaced."""
    if len(line) > LINE_MOST:
        line = line[:LINE_MOST] + CUT
    return line if line.isascii() else line.decode("utf-8", "replace").encode()


class Splitter:
    """Bytes that are appended become lines. The last one waits for its newline."""

    def __init__(self) -> None:
        self._partial = b""
        self._skipping = False
        """The rest of a line that was cut is being passed over."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are whole by now."""
        *whole, partial = data.split(b"\n")
        if whole:
            whole[0] = self._partial + whole[0]
            if self._skipping:
                del whole[0]
            self._partial, self._skipping = b"", False
        self._partial += b"" if self._skipping else partial
        if len(self._partial) > LINE_MOST:
            whole.append(self._partial)
            self._partial, self._skipping = b"", True
        return whole


def backwards(blocks: Iterable[bytes]) -> Generator[bytes]:
    """Yield lines of what the blocks hold, the newest block first: lines in order inside of what is yielded at once.

    What is yielded is joined by newlines. Each block lies right before the one that came before it.
    """
    tail, begun = b"", False
    for block in blocks:
        data = block + tail
        if not begun and block:
            begun, data = True, data.removesuffix(b"\n")
        head, newline, whole = data.partition(b"\n")
        tail = head[: LINE_MOST + 1]  # one more than is shown, so that the cut is seen
        if newline:
            yield whole
    if begun:
        yield tail
