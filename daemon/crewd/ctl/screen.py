"""Where the output goes: how wide it is, whether it shows colours, which letters it has.

Rules:

1. Colour says nothing that the words, or a glyph, do not say too.
2. Only a terminal has a width: what goes into a file or a pipe is never cut.
"""

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TextIO

NARROW = 80
"""The width where a terminal does not tell."""

_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "alarm": "1;31"}
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")


@dataclass(frozen=True, slots=True)
class Screen:
    """Standard output, as it is."""

    width: int | None = None
    """In cells; None: no terminal, nothing is cut."""
    colour: bool = False
    symbols: bool = True
    """Whether it has more than the letters of ASCII."""
    drawable: bool = False
    """Whether it is a terminal that can be drawn on in place."""

    @classmethod
    def of(cls, output: TextIO, environ: Mapping[str, str], color: str) -> "Screen":
        """Return how ``output`` is; ``color``: auto, always, never."""
        terminal = output.isatty()
        plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
        colour = color == "always" or (color == "auto" and terminal and not plain)
        symbols = (output.encoding or "").lower().replace("-", "").startswith("utf")
        drawable = terminal and environ.get("TERM", "") not in {"", "dumb"}
        return cls(_width(output, environ) if terminal else None, colour, symbols, drawable)

    @property
    def terminal(self) -> bool:
        """Whether somebody looks at it."""
        return self.width is not None

    def paint(self, colour: str, text: str) -> str:
        """Return the text in a colour, where colours are shown; "" is none."""
        return f"\x1b[{_SGR[colour]}m{text}\x1b[0m" if self.colour and colour and text else text

    def sign(self, symbol: str, ascii_sign: str) -> str:
        """Return the symbol, or what stands for it in ASCII."""
        return symbol if self.symbols else ascii_sign

    def fit(self, text: str) -> str:
        """Return the text, cut where it is wider than the screen."""
        return text if self.width is None else cut(text, self.width, self.sign("…", "~"))


def _width(output: TextIO, environ: Mapping[str, str]) -> int:
    if environ.get("COLUMNS", "").isdecimal() and int(environ["COLUMNS"]):
        return int(environ["COLUMNS"])
    try:
        return os.get_terminal_size(output.fileno()).columns or NARROW
    except OSError:
        return NARROW


@lru_cache(maxsize=1024)
def cells(text: str) -> int:
    """Return how wide the text is on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_cells(sign) for sign in text)


def _cells(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """Return the text in at most ``width`` cells; where something was cut off, an ellipsis says so."""
    if cells(text) <= width:
        return text
    room = width - len(ellipsis)
    kept = ""
    for sign in text:
        room -= _cells(sign)
        if room < 0:
            break
        kept += sign
    return (kept.rstrip() + ellipsis)[: max(0, width)]


def harmless(line: str) -> str:
    """Return a line of a worker's output without what a terminal would obey; its blanks stay as they are."""
    bare = _ESCAPES.sub("", line).expandtabs()
    return bare if bare.isprintable() else "".join(map(_shown, bare)).rstrip()


def _shown(sign: str) -> str:
    if sign.isspace():
        return "" if unicodedata.category(sign) == "Cc" else " "
    return "" if unicodedata.category(sign).startswith("C") else sign
