"""From time and value to a place in a panel, and the lines of the clock."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from pictures.shapes import Area, path, text

T = TypeVar("T")
EVERY_SEC = (30, 60, 120, 300, 600, 1800, 3600)
LINES_MOST = 6


@dataclass(frozen=True)
class Scale:
    """An area, the times at its left and right edge, and the value at its upper one."""

    area: Area
    start: float
    end: float
    top: float

    def x(self, at: float) -> float:
        """Return the place of a time; one that is not shown is at the edge."""
        return min(max(self.area.x + self.length(at - self.start), self.area.x), self.area.right)

    def length(self, seconds: float) -> float:
        """Return how wide so much time is."""
        return self.area.width * seconds / (self.end - self.start)

    def y(self, value: float) -> float:
        """Return the place of a value."""
        return self.area.bottom - self.area.height * value / self.top


def clock_lines(scale: Scale) -> list[str]:
    """Return a line and the time for each round time of the day."""
    length = scale.end - scale.start
    every = next((step for step in EVERY_SEC if length / step <= LINES_MOST), EVERY_SEC[-1])
    out = list[str]()
    at = (scale.start // every + 1) * every
    while at < scale.end:
        x = scale.x(at)
        out.append(path(f"M{x:.0f} {scale.area.y:.0f}v{scale.area.height:.0f}", kind="g"))
        words = time.strftime("%H:%M" if every >= 60 else "%H:%M:%S", time.gmtime(at))
        out.append(text(x, scale.area.bottom + 16, words, kind="m", size=10, anchor="middle"))
        at += every
    return out


def stretches(samples: Iterable[tuple[float, T]], step: float) -> list[tuple[float, float, T]]:
    """Return from when to when the same value was there; where samples are missing, a stretch ends."""
    found = list[tuple[float, float, T]]()
    for at, value in samples:
        if found and found[-1][2] == value and at - found[-1][1] < step / 2:
            found[-1] = (found[-1][0], at + step, value)
        else:
            found.append((at, at + step, value))
    return found
