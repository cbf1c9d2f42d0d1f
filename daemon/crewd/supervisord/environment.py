"""The content of an ``environment_file``: lines of ``KEY=value``, read as systemd reads ``EnvironmentFile=``.

Rules, after systemd.exec(5) and ``parse_env_file_internal`` in systemd's env-file.c:

1. Empty lines, and lines that begin with ``#`` or ``;``, say nothing. White space at a line's ends does not count.
2. A value may begin with a quoted part, and more quoted parts may follow it. In ``'…'`` all is literal; in ``"…"`` a
   backslash takes the meaning from ``"``, ``\\``, the backquote and ``$``, and stays before anything else.
3. Outside quotes a backslash takes the meaning from any character. Quotes inside a bare value mean themselves.
4. A backslash at the end of a line joins it with the next, but not in ``'…'``.
5. Stricter than systemd, which skips them: a line without ``=``, a bad name and an open quote are mistakes, all of
   which are reported. A message never shows the line: it may be a secret.
"""

from crewd.errors import ConfigError, Problem
from crewd.supervisord.escape import VARIABLE

_SPACE = " \t\r"
_QUOTES = ("'", '"')
_ESCAPED_IN_QUOTES = '"\\`$'


class _BadLineError(ValueError):
    """What is wrong with the line that is being read."""


def parse(text: str, file: str, path: str) -> dict[str, str]:
    """Return the variables, later lines over earlier ones; raises ConfigError with every mistake.

    ``file`` and ``path`` (of the key in the YAML) are for the messages alone.
    """
    found: dict[str, str] = {}
    problems: list[Problem] = []
    scanner = _Scanner(text)
    while scanner.next_assignment():
        line = scanner.line
        try:
            key = scanner.key()
            found[key] = scanner.value()
        except _BadLineError as why:
            problems.append(Problem(file, line, 1, path, str(why)))
            scanner.skip_line()
    if problems:
        raise ConfigError(problems)
    return found


class _Scanner:
    """One pass over the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def line(self) -> int:
        """Of the character that comes next, from 1."""
        return self._text.count("\n", 0, self._at) + 1

    def next_assignment(self) -> bool:
        """Go to the first character of the next line that says something; return whether there is one."""
        while self._at < len(self._text):
            self._skip(_SPACE + "\n")
            if self._peek() not in ("#", ";"):
                break
            self.skip_line()
        return self._at < len(self._text)

    def skip_line(self) -> None:
        """Go to the beginning of the next line."""
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end + 1

    def key(self) -> str:
        """Read a name and the equals sign."""
        end = self._text.find("\n", self._at)
        name, equals, _ = self._text[self._at : end if end >= 0 else None].partition("=")
        if not equals:
            raise _BadLineError("must be KEY=value, or begin with '#'")
        if not VARIABLE.fullmatch(name.rstrip(_SPACE)):
            raise _BadLineError("a name must be letters, digits and '_', not beginning with a digit")
        self._at += len(name) + 1
        return name.rstrip(_SPACE)

    def value(self) -> str:
        """Read a value and the line break behind it."""
        parts: list[str] = []
        self._skip(_SPACE)
        while self._peek() in _QUOTES:
            parts.append(self._quoted())
            self._skip(_SPACE)
        parts.append(self._bare())
        return "".join(parts)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._peek()
        self._at += 1
        return character

    def _skip(self, characters: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in characters:
            self._at += 1

    def _quoted(self) -> str:
        found: list[str] = []
        begin = self._at
        quote = self._take()
        while (character := self._take()) != quote:
            if not character:
                self._at = begin
                raise _BadLineError("a quote is not closed")
            found.append(self._escaped() if character == "\\" and quote == '"' else character)
        return "".join(found)

    def _escaped(self) -> str:
        """Return what a backslash in double quotes and the character behind it mean."""
        character = self._take()
        if character == "\n":
            return ""
        return character if character in _ESCAPED_IN_QUOTES else "\\" + character

    def _bare(self) -> str:
        found: list[str] = []
        kept = 0
        while (character := self._take()) not in ("", "\n"):
            if character == "\\":
                character = self._take()
                found.append(character.replace("\n", ""))
                kept = len(found)
            else:
                found.append(character)
                kept = kept if character in _SPACE else len(found)
        return "".join(found[:kept])
