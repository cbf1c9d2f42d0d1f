"""The kinds of single values: flags, numbers, words, texts, paths, durations, sizes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import TypeVar

from crewd.config import quantities
from crewd.config.kind import Kind, Schema, Spot, one_of
from crewd.config.tree import ScalarNode, shown

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

TEXT_MOST = 100_000
"""Linux passes no argument and no variable over 128 KiB to a program."""
DURATION_MOST_SEC = 3650 * 86400.0

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_UNSAFE = {"\0": "a NUL", "\r": "a carriage return", "\n": "a line break"}
# supervisord answers with its settings over XML-RPC, where one such character makes the whole answer unreadable
_CONTROL = re.compile("[^\t\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CUT = re.compile(r"^\s|\s$|(?:^|\s)[;#]")


@dataclass(frozen=True)
class Flag(Kind[bool]):
    """``true`` or ``false``, and no other word."""

    @property
    def words(self) -> str:
        """Say both."""
        return "true or false"

    def read(self, spot: Spot) -> bool:
        """Read the word."""
        node = spot.node
        if isinstance(node, ScalarNode) and node.plain and node.text in {"true", "false"}:
            return node.text == "true"
        raise spot.expects(self.words)

    def schema(self) -> Schema:
        """Return a boolean."""
        return {"type": "boolean"}

    def written(self, value: bool) -> str:
        """Return it as YAML's word."""
        return "true" if value else "false"


@dataclass(frozen=True)
class Whole(Kind[int]):
    """A whole number, ``least`` to ``most``."""

    least: int
    most: int

    @property
    def words(self) -> str:
        """Say the bounds."""
        return f"a whole number from {self.least} to {self.most}"

    def read(self, spot: Spot) -> int:
        """Read decimal digits."""
        node = spot.node
        if isinstance(node, ScalarNode) and node.plain and _WHOLE.fullmatch(node.text):
            number = int(node.text)
            if self.least <= number <= self.most and str(number) == node.text:
                return number
        raise spot.expects(self.words)

    def schema(self) -> Schema:
        """Return an integer with its bounds."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Choice(Kind[E]):
    """One word of several. ``refused``: words that are known but cannot be had, and why."""

    words_of: type[E]
    refused: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def _open(self) -> list[str]:
        return [word.value for word in self.words_of if word.value not in self.refused]

    @property
    def words(self) -> str:
        """List them."""
        return one_of(self._open)

    def read(self, spot: Spot) -> E:
        """Read the word; ``null`` is a word where it is among the choices."""
        node = spot.node
        if not isinstance(node, ScalarNode):
            raise spot.expects(self.words)
        if node.text in self.refused:
            raise spot.refuse(f"{node.text}: {self.refused[node.text]}")
        if node.text not in self._open:
            raise spot.expects(self.words)
        return self.words_of(node.text)

    def schema(self) -> Schema:
        """Return the enumeration."""
        words: list[str | None] = [*self._open]
        return {"enum": [*words, None] if "null" in words else words}


@dataclass(frozen=True)
class Text(Kind[str]):
    """Text without NUL and line breaks. ``pattern``: what it must match, said by ``what``."""

    what: str = "text"
    pattern: str = "^.+$"
    most: int = TEXT_MOST
    controls: bool = False
    """Whether control characters are allowed."""
    numbers: bool = False
    """Whether a number is taken as the text it is written as."""

    @property
    def words(self) -> str:
        """Say what is meant."""
        return self.what

    def read(self, spot: Spot) -> str:
        """Read text, quoted or plain."""
        node = spot.node
        if not isinstance(node, ScalarNode) or node.is_null:
            raise spot.expects(self.words)
        if not (node.is_text or (self.numbers and node.is_number)):
            example = "" if spot.secret else f', "{node.text}"'
            raise spot.refuse(f"expects {self.words}{spot.found}: write it in quotes{example}")
        if fault := self.fault(node.text):
            raise spot.refuse(fault)
        if not re.fullmatch(self.pattern, node.text):
            raise spot.expects(self.words)
        return node.text

    def fault(self, text: str) -> str | None:
        """Return what keeps the text from being carried to supervisord; None where nothing does."""
        if unsafe := next((name for sign, name in _UNSAFE.items() if sign in text), None):
            return f"holds {unsafe}, which no value may"
        if not self.controls and _CONTROL.search(text):
            return "holds a control character: remove it"
        return f"is longer than {self.most} characters" if len(text) > self.most else None

    def schema(self) -> Schema:
        """Return a string that matches the pattern."""
        text: Schema = {"type": "string", "maxLength": self.most, "pattern": self.pattern}
        return {"anyOf": [text, {"type": "number"}]} if self.numbers else text

    def written(self, value: str) -> str:
        """Return it bare where that is text to YAML, quoted elsewhere."""
        return value if re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./-]*", value) else shown(value)


def uncut(text: str, spot: Spot) -> str:
    """Return the text; Refused, where supervisord's parser would take away part of it."""
    if _CUT.search(text):
        raise spot.refuse("holds white space at an end, or before ; or #, which supervisord cuts: change it")
    return text


@dataclass(frozen=True)
class AbsolutePath(Kind[str]):
    """An absolute path that supervisord's configuration can carry. ``optional``: a leading ``-`` is allowed."""

    optional: bool = False

    @property
    def words(self) -> str:
        """Say that it is absolute."""
        return "an absolute path" + (", or - and an absolute path" if self.optional else "")

    @property
    def _text(self) -> Text:
        return Text(self.words, "^-?/.*$" if self.optional else "^/.*$", 4096)

    def read(self, spot: Spot) -> str:
        """Read the path."""
        return uncut(self._text.read(spot), spot)

    def schema(self) -> Schema:
        """Return a string."""
        return self._text.schema()


@dataclass(frozen=True)
class Duration(Kind[float]):
    """Seconds, ``least`` to ``most``. ``above``: more than ``least``; ``endless``: ``infinity`` is allowed."""

    least: float = 0.0
    most: float = DURATION_MOST_SEC
    above: bool = False
    endless: bool = False

    @property
    def words(self) -> str:
        """Say the bounds that are not plain."""
        least = f" from {quantities.written_duration(self.least)}" if self.least else ""
        return "a duration" + (" above 0" if self.above else least) + (" or infinity" if self.endless else "")

    def read(self, spot: Spot) -> float:
        """Read a number of seconds, or numbers with units."""
        node = spot.node
        if not isinstance(node, ScalarNode) or node.is_null:
            raise spot.expects(self.words)
        try:
            seconds = quantities.duration(node.text)
        except ValueError as cause:
            raise spot.refuse(f"expects {self.words}{spot.found}: {cause}") from None
        if seconds == inf and self.endless:
            return seconds
        if (seconds <= self.least) if self.above else (seconds < self.least):
            raise spot.expects(self.words)
        if seconds > self.most:
            raise spot.refuse(f"is too long: at most {quantities.written_duration(self.most)}{spot.found}")
        return seconds

    def schema(self) -> Schema:
        """Return a number of seconds or text with units."""
        least = {"exclusiveMinimum" if self.above else "minimum": self.least}
        kinds: list[Schema] = [
            {"type": "number", **least, "maximum": self.most},
            {"type": "string", "pattern": quantities.DURATION_PATTERN},
        ]
        return {"anyOf": [*kinds, {"const": "infinity"}] if self.endless else kinds}

    def written(self, value: float) -> str:
        """Return it with its unit."""
        return quantities.written_duration(value)


@dataclass(frozen=True)
class Size(Kind[int]):
    """Bytes."""

    most: int = 2**31 - 1
    """XML-RPC, with which supervisord answers, has no larger numbers."""

    @property
    def words(self) -> str:
        """Give an example."""
        return "a size such as 50MiB"

    def read(self, spot: Spot) -> int:
        """Read bytes, or a number with a unit."""
        node = spot.node
        if not isinstance(node, ScalarNode) or node.is_null:
            raise spot.expects(self.words)
        try:
            count = quantities.size(node.text)
        except ValueError as cause:
            raise spot.refuse(f"expects {self.words}{spot.found}: {cause}") from None
        if count > self.most:
            raise spot.refuse(f"is too large: at most {quantities.written_size(self.most)}{spot.found}")
        return count

    def schema(self) -> Schema:
        """Return a number of bytes or text with a unit."""
        text = {"type": "string", "pattern": quantities.SIZE_PATTERN}
        return {"anyOf": [{"type": "integer", "minimum": 0, "maximum": self.most}, text]}

    def written(self, value: int) -> str:
        """Return it with its unit."""
        return quantities.written_size(value)


@dataclass(frozen=True)
class Parsed(Kind[T]):
    """Text that a function reads; its ValueError says what is wrong."""

    what: str
    parse: Callable[[str], T]
    text: Schema
    show: Callable[[T], str] = str
    secret: bool = False
    """Whether no message may repeat what was written."""

    @property
    def words(self) -> str:
        """Say what is meant."""
        return self.what

    def read(self, spot: Spot) -> T:
        """Hand the text to the function."""
        spot = spot.hidden() if self.secret else spot
        node = spot.node
        if not isinstance(node, ScalarNode) or node.is_null:
            raise spot.expects(self.words)
        try:
            return self.parse(node.text)
        except ValueError as cause:
            raise spot.refuse(f"expects {self.words}{spot.found}: {cause}") from None

    def schema(self) -> Schema:
        """Return what was given."""
        return dict(self.text)

    def written(self, value: T) -> str:
        """Return the text that is read as the value."""
        return self.show(value)
