"""``crewctl top`` on a terminal: looks come on time, keys and changes of the size at once.

Rules:

1. That a daemon is away is said beside what was last seen, and it is asked again with the next look; only where the
   very first look fails it ends.
2. Between two looks nothing is asked: keys show what is there in another order, or another part of it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from crewd.ctl.failures import RequestError
from crewd.ctl.screen import Screen
from crewd.ctl.session import Session
from crewd.ctl.terminal import Terminal, drawn_on
from crewd.ctl.top_screen import Frame, Shot, first_shown, frame
from crewd.ctl.usage import Order, Remembered, flat
from crewd.wording import plain

ORDERS = {"c": Order.CPU, "m": Order.MEMORY, "r": Order.RESTARTS, "n": Order.NAME}
PAGE, ALL = 10, 10**9
MOVES: Mapping[str, int] = {
    "up": -1,
    "k": -1,
    "down": 1,
    "j": 1,
    "page up": -PAGE,
    "page down": PAGE,
    "home": -ALL,
    "g": -ALL,
    "end": ALL,
    "G": ALL,
}
QUIT = "q"


class Drawing:
    """One run of it."""

    def __init__(self, session: Session, ask: Callable[[], dict[str, Any]], order: Order, every_sec: float) -> None:
        self._ask = ask
        self._every_sec = every_sec
        self._screen = session.screen
        self._remembered = Remembered()
        self._shot = Shot(self._looked(), time.time(), self._remembered, order)
        self._frame = Frame(0, 0, plain(session.client.way.where), every_sec)

    def run(self) -> None:
        """Draw until it is quit."""
        with drawn_on() as terminal:
            due = time.monotonic() + self._every_sec
            while True:
                self._draw(terminal)
                pressed = terminal.wait(due - time.monotonic())
                if QUIT in pressed:
                    return
                for key in pressed:
                    self._press(key)
                if time.monotonic() >= due:
                    due = time.monotonic() + self._every_sec
                    self._look()

    def _looked(self) -> dict[str, Any]:
        answer = self._ask()
        self._remembered.look(answer)
        return answer

    def _look(self) -> None:
        try:
            self._shot = replace(self._shot, answer=self._looked(), at=time.time())
            self._frame = replace(self._frame, trouble="")
        except RequestError as failure:
            self._frame = replace(self._frame, trouble=plain(failure))

    def _press(self, key: str) -> None:
        if key in ORDERS:
            self._shot = replace(self._shot, order=ORDERS[key])
            self._frame = replace(self._frame, first=0)
        if key in MOVES:
            count = len(flat(self._shot.answer))
            self._frame = replace(self._frame, first=first_shown(self._frame.first + MOVES[key], count, 1))

    def _draw(self, terminal: Terminal) -> None:
        width, rows = terminal.size()
        self._screen = Screen(width, self._screen.colour, self._screen.symbols)
        terminal.draw(frame(self._shot, replace(self._frame, rows=rows), self._screen))
