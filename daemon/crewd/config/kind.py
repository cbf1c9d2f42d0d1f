"""What a value of the configuration can be: each kind reads a node, describes itself in words and as JSON Schema.

Rules:

1. ``read`` returns the value or, having reported every mistake in it, raises Refused. It never stops at the first.
2. Messages read "expects …, found …": what is wrong, and what to write instead. What may be a secret is not repeated.
3. Nothing is converted in silence: a number where text is due is refused, and so is a quoted number where one is due.
"""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from crewd.config.report import Report
from crewd.config.tree import SHOWN_MOST, Node, ScalarNode, SequenceNode, child, found

T = TypeVar("T")
Schema = dict[str, Any]


class Refused(Exception):  # noqa: N818 - a value's end, not the program's
    """The value is wrong; the report says why."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A node at its path, and where to report what is wrong with it."""

    node: Node
    path: str
    report: Report
    secret: bool = False
    """Whether what is written here may be a secret: a variable's value, a URL."""

    @property
    def found(self) -> str:
        """Return the end of "expects …": what is there, as far as it may be told."""
        told = not (self.secret and isinstance(self.node, ScalarNode))
        return f", found {found(self.node)}" if told else ""

    def hidden(self) -> "Spot":
        """Return the same spot, of which no message repeats what is written."""
        return replace(self, secret=True)

    def refuse(self, message: str) -> Refused:
        """Report the mistake, and return what to raise."""
        self.report.error(self.node.place, self.path, message)
        return Refused()

    def expects(self, words: str) -> Refused:
        """Report that something else was expected."""
        if isinstance(self.node, ScalarNode) and self.node.is_null:
            return self.refuse(f"is empty: expects {words}")
        return self.refuse(f"expects {words}{self.found}")

    def warn(self, message: str) -> None:
        """Report what is allowed and probably not meant."""
        self.report.warn(self.node.place, self.path, message)

    def hint(self, word: str, known: Iterable[str], otherwise: str) -> str:
        """Return "did you mean X?", or ``otherwise`` where no known word is near, or errors are too many to help."""
        near = [] if self.report.crowded else difflib.get_close_matches(word[:SHOWN_MOST], list(known), 1, 0.7)
        return f"did you mean {near[0]}?" if near else otherwise

    def item(self, index: int, node: Node) -> "Spot":
        """Return the spot of a list's item."""
        return replace(self, node=node, path=f"{self.path}[{index}]")

    def below(self, key: str, node: Node) -> "Spot":
        """Return the spot of a mapping's value."""
        return replace(self, node=node, path=child(self.path, key))


class Kind(ABC, Generic[T]):
    """What a value can be."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What it is, to be said after "expects"."""

    @abstractmethod
    def read(self, spot: Spot) -> T:
        """Return the value; Refused when the report has what is wrong."""

    @abstractmethod
    def schema(self) -> Schema:
        """Return the JSON Schema of its values."""

    def written(self, value: T) -> str:
        """Return the value as YAML."""
        return str(value)


def read_items(kind: Kind[T], spot: Spot, words: str) -> tuple[T, ...]:
    """Return the list's values; every wrong one is reported before Refused is raised."""
    if not isinstance(spot.node, SequenceNode):
        raise spot.expects(words)
    values: list[T] = []
    for index, node in enumerate(spot.node.items):
        try:
            values.append(kind.read(spot.item(index, node)))
        except Refused:
            pass
    if len(values) < len(spot.node.items):
        raise Refused
    return tuple(values)


def one_of(words: Iterable[str]) -> str:
    """Return "a, b or c"."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
