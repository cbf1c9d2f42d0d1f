r"""A man page in the macros of man(7), which groff and mandoc understand.

Rules:

1. Text is escaped here and nowhere else: no character of it is a command of roff's, and none is typeset as another: a
   hyphen can be copied as the minus that a program expects. Whatever is not ASCII is written as ``\[uXXXX]``.
2. ``code`` between backquotes is bold, where it is not shown as it is.
"""

import re
from collections.abc import Iterable

_ESCAPES = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
_CODE = re.compile(r"`([^`]+)`")
_BOLD, _ITALIC, _ROMAN = "\\fB", "\\fI", "\\fR"


def escaped(text: str) -> str:
    """Return the text as it is to be shown."""
    shown = "".join(_ESCAPES.get(sign) or (sign if sign.isascii() else f"\\[u{ord(sign):04X}]") for sign in text)
    return f"\\&{shown}" if shown.startswith(".") else shown


def bold(text: str) -> str:
    """Return the text in bold."""
    return f"{_BOLD}{escaped(text)}{_ROMAN}"


def italic(text: str) -> str:
    """Return the text in italics."""
    return f"{_ITALIC}{escaped(text)}{_ROMAN}"


def prose(text: str) -> str:
    """Return running text, with what is `code` in bold."""
    parts = _CODE.split(" ".join(text.split()))
    line = "".join(bold(part) if place % 2 else escaped(part) for place, part in enumerate(parts))
    return f"\\&{line}" if line.startswith((".", "'")) else line


class Page:
    """A page that grows from its title on."""

    def __init__(self, title: str, section: int, source: str, manual: str) -> None:
        self._lines = [
            '.\\" made by `python -m crewd.man`, do not edit',
            f'.TH "{escaped(title.upper())}" "{section}" "" "{escaped(source)}" "{escaped(manual)}"',
            ".nh",  # no word is broken,
            ".ad l",  # and no line stretched
        ]

    def text(self) -> str:
        """Return the page."""
        return "\n".join(self._lines) + "\n"

    def heading(self, words: str) -> None:
        """Begin a section."""
        self._lines.append(f".SH {escaped(words)}")

    def below(self, words: str) -> None:
        """Begin a part of a section; ``words`` are roff."""
        self._lines.append(f".SS {words}")

    def line(self, roff: str) -> None:
        """Add a line of roff."""
        self._lines.append(roff)

    def paragraph(self, text: str) -> None:
        """Add running text."""
        self._lines += [".PP", prose(text)]

    def item(self, tag: str, text: str) -> None:
        """Add an entry of a list; ``tag`` is roff."""
        self._lines += [".TP", tag, prose(text)]

    def literal(self, lines: Iterable[str]) -> None:
        """Add lines that are shown as they are."""
        self._lines += [".PP", ".RS 4", ".nf", *(escaped(line) or "\\&" for line in lines), ".fi", ".RE"]
