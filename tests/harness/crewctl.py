"""crewctl, run by itself and on a pseudo-terminal."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from harness.waiting import PATIENCE_SEC, wait_for

COMMAND = (sys.executable, "-c", "from crewd.ctl import main; main()")


def environ(root: Path) -> dict[str, str]:
    """Return the environment in which crewctl runs."""
    return {"PATH": os.environ["PATH"], "CREWD_HOME": str(root), "TZ": "UTC", "LANG": "C.UTF-8"}


def crewctl(root: Path, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run crewctl without a terminal."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environ(root),
        cwd=root,
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE_SEC,
    )


class Terminal:
    """crewctl on a pseudo-terminal, or another program: what it shows, what is typed, how it ends."""

    def __init__(
        self, root: Path, *arguments: str, width: int = 100, rows: int = 24, program: Sequence[str] = COMMAND
    ) -> None:
        self._near, far = os.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", rows, width, 0, 0))
        self.modes_before = termios.tcgetattr(far)
        self._shown = b""
        self._process = subprocess.Popen(
            [*program, *arguments],
            env=environ(root) | {"TERM": "xterm"},
            cwd=root,
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no lock is taken in it
        )
        os.close(far)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                self._shown += os.read(self._near, 65536)
            except OSError:  # the far end is closed
                return

    def __enter__(self) -> Self:
        """The terminal is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_SEC)
        self._reader.join(PATIENCE_SEC)
        os.close(self._near)

    def text(self) -> str:
        """Return all that was shown, without colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._shown.decode()).replace("\r\n", "\n")

    def raw(self) -> str:
        """Return all that was shown."""
        return self._shown.decode()

    def reads(self, text: str) -> None:
        """Wait until something is shown."""
        wait_for(lambda: text in self.text(), what=lambda: f"{text!r} in {self.text()!r}")

    def types(self, text: str) -> None:
        """Type something; \x03 is Ctrl-C."""
        os.write(self._near, text.encode())

    def ends(self) -> int:
        """Return the exit status once it has ended."""
        code = self._process.wait(PATIENCE_SEC)
        self._reader.join(PATIENCE_SEC)
        return code

    def resizes(self, width: int, rows: int) -> None:
        """Give the terminal another size; the kernel tells crewctl."""
        fcntl.ioctl(self._near, termios.TIOCSWINSZ, struct.pack("HHHH", rows, width, 0, 0))

    def signals(self, number: int) -> None:
        """Send crewctl a signal."""
        self._process.send_signal(number)

    def modes(self) -> list[object]:
        """Return how the terminal treats what is typed."""
        return termios.tcgetattr(self._near)

    def frames(self) -> list[list[str]]:
        """Return the lines of each frame that was drawn in place, without colours."""
        drawn = self._shown.decode().split("\x1b[?2026h\x1b[H")[1:]
        whole = [one.partition("\x1b[?2026l")[0] for one in drawn if "\x1b[?2026l" in one]
        return [[re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split("\r+\n", one)] for one in whole]

    def runs(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None
