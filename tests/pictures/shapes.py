"""Shapes in SVG, and the area that a panel draws in."""

from dataclasses import dataclass
from html import escape
from itertools import pairwise

LETTER = 6.4
"""About as wide is a letter of the usual size."""


@dataclass(frozen=True)
class Area:
    """A rectangle to draw in."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Return its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Return its lower edge."""
        return self.y + self.height

    def without(self, left: float = 0, bottom: float = 0) -> "Area":
        """Return what remains when something is drawn at an edge."""
        return Area(self.x + left, self.y, self.width - left, self.height - bottom)


def rectangle(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    kind: str = "",
    fill: str = "",
    opacity: float = 1,
    corner: int = 0,
) -> str:
    """Return a rectangle of a class, or of a colour."""
    look = f' class="{kind}"' if kind else f' fill="{fill}"'
    look += f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    look += f' rx="{corner}"' if corner else ""
    return f'<rect x="{x:.4g}" y="{y:.5g}" width="{width:.4g}" height="{height:.4g}"{look}/>'


def text(
    x: float,
    y: float,
    words: str,
    *,
    kind: str = "t",
    fill: str = "",
    size: int = 12,
    bold: bool = False,
    anchor: str = "",
) -> str:
    """Return text of a class, or of a colour."""
    look = f' fill="{fill}"' if fill else f' class="{kind}"'
    look += f' style="font-size:{size}px"' if size != 12 else ""
    look += ' font-weight="600"' if bold else ""
    look += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{look}>{escape(words)}</text>'


def path(
    data: str, *, kind: str = "", stroke: str = "", width: float = 1.5, fill: str = "none", opacity: float = 1
) -> str:
    """Return a path."""
    look = f' class="{kind}"' if kind else ""
    look += f' stroke="{stroke}" stroke-width="{width:.3g}"' if stroke else ""
    look += f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    return f'<path d="{data}" fill="{fill}"{look}/>'


def joined(points: list[tuple[float, float]], start: str = "M") -> str:
    """Return the path through points, by whole pixels: each step is told from the point before."""
    whole = [(round(x), round(y)) for x, y in points]
    steps = [f"{start}{whole[0][0]} {whole[0][1]}"]
    for (x, y), (next_x, next_y) in pairwise(whole):
        steps.append(f"l{next_x - x} {next_y - y}" if next_y != y else f"h{next_x - x}")
    return "".join(steps)


def cut(words: str, width: float) -> str:
    """Return words, shortened to a width."""
    most = int(width / LETTER)
    return words if len(words) <= most else f"{words[: max(most - 1, 1)]}…"
