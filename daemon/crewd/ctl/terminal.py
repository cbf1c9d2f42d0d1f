"""A terminal that is drawn on in place: the alternate screen, keys as they are pressed, all as it was after it.

Rules:

1. Whatever ends the block, what was on the screen is there again, the cursor is seen, and keys do what they did: also
   after Ctrl-C, TERM, HUP, a mistake, and while it is stopped by Ctrl-Z.
2. A frame is written in one piece, line over line: nothing flickers. A line is cleared before it is written: behind one
   that is as wide as the screen, its last letter would go.
3. Without keys (standard input is no terminal) it is only looked at.
"""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, NoReturn

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""The alternate screen, no cursor, no line wraps."""
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
BEGIN, END = "\x1b[?2026h\x1b[H", "\x1b[?2026l"
"""A frame: a terminal that knows the mode shows it when it is whole."""
CLEAR_LINE = "\x1b[K"

KEYS = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b"\x1b[H": "home",
    b"\x1b[1~": "home",
    b"\x1b[F": "end",
    b"\x1b[4~": "end",
}


class Terminal:
    """The terminal, while it is drawn on. See ``drawn_on``."""

    def __init__(self, wakes: int) -> None:
        self._wakes = wakes
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._modes: list[Any] = []

    def size(self) -> tuple[int, int]:
        """Return columns and rows."""
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = 0, 0
        return columns or 80, rows or 24

    def draw(self, lines: Iterable[str]) -> None:
        """Show these lines, and nothing else; no more than there are rows."""
        sys.stdout.write(BEGIN + "\r\n".join(f"{CLEAR_LINE}{line}" for line in lines) + END)
        sys.stdout.flush()

    def wait(self, seconds: float) -> list[str]:
        """Return the keys that were pressed, as soon as there are any; none when time is up or the size has changed."""
        sources = [self._wakes] if self._keys is None else [self._wakes, self._keys]
        ready, _, _ = select.select(sources, (), (), max(0.0, seconds))
        if self._wakes in ready:
            os.read(self._wakes, 4096)
        if self._keys is None or self._keys not in ready:
            return []
        typed = os.read(self._keys, 4096)
        if not typed:  # it was hung up
            raise SystemExit(128 + signal.SIGHUP)
        return keys(typed)

    def enter(self) -> None:
        """Take the screen and the keys."""
        if self._keys is not None:
            self._modes = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys, termios.TCSADRAIN)
        self._write(ENTER)

    def leave(self) -> None:
        """Give them back."""
        self._write(LEAVE)
        if self._keys is not None and self._modes:
            try:
                termios.tcsetattr(self._keys, termios.TCSADRAIN, self._modes)
            except termios.error:
                pass  # it was hung up

    def pause(self, *_: object) -> None:
        """Stop, as Ctrl-Z asks for, and go on where it was."""
        self.leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.enter()

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            pass  # it was hung up


def keys(typed: bytes) -> list[str]:
    """Return the keys that these bytes are: letters, and names of those that have none. Pure."""
    found: list[str] = []
    while typed:
        sequence = next((one for one in KEYS if typed.startswith(one)), None)
        found.append(KEYS[sequence] if sequence else typed[:1].decode("latin-1"))
        typed = typed[len(sequence or b"x") :]
    return found


@contextmanager
def drawn_on() -> Generator[Terminal]:
    """Draw on the terminal of standard output for the time of the block."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    terminal = Terminal(reads)
    handlers: dict[signal.Signals, Callable[[int, object], object]] = {
        signal.SIGWINCH: _wake,
        signal.SIGTSTP: terminal.pause,
        signal.SIGTERM: _end,
        signal.SIGHUP: _end,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    woken = signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    try:
        terminal.enter()
        yield terminal
    finally:
        terminal.leave()
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reads)
        os.close(writes)


def _wake(_number: int, _frame: object) -> None:
    """Whoever waits is woken by the signal's coming."""


def _end(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
