"""The YAML of one file as a tree of nodes that know their places. Values are still text: their kinds read them.

Rules:

1. Built from the parser's events, not by a YAML constructor: no tag makes an object, and no plain word turns into a
   date, a sexagesimal number or a boolean (of all words only ``true`` and ``false`` are).
2. A key is a word, and stands once in its mapping. Merge keys (``<<``) and tags are refused.
3. Depth, and the number of nodes with aliases expanded, are bounded: a small file cannot become a large tree.
4. One document to a file. A syntax error ends the file, for what follows it cannot be trusted.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from crewd.config.report import Place, Report

DEPTH_MOST = 20
NODES_MOST = 500_000
SHOWN_MOST = 60

# libyaml's parser where PyYAML was built with it: about ten times as fast
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,100}")
# YAML 1.2's core schema; whatever else is plain is text
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_NUMBER = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value as written. ``plain``: without quotes."""

    place: Place
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether nothing, ``null`` or ``~`` was written."""
        return self.plain and self.text in _NULL

    @property
    def is_number(self) -> bool:
        """Whether it is a number to YAML."""
        return self.plain and _NUMBER.fullmatch(self.text) is not None

    @property
    def is_text(self) -> bool:
        """Whether it is text to YAML: neither null, nor a number, nor ``true`` or ``false``."""
        return not (self.is_null or self.is_number or (self.plain and self.text in {"true", "false"}))


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    place: Place
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Keys and their values, in the order written; every key once."""

    place: Place
    entries: tuple[tuple[ScalarNode, "Node"], ...]


Node = ScalarNode | SequenceNode | MappingNode


def parse(text: str, file: str, report: Report) -> Node | None:
    """Return the file's only document, a null where it is empty; None, and an error reported, where it is not YAML."""
    builder = _Builder(file, report)
    try:
        return builder.build(yaml.parse(text, Loader=_LOADER))
    except _Unusable as cause:
        report.error(cause.place, cause.path, cause.message)
    except yaml.MarkedYAMLError as cause:
        report.error(*_syntax_error(text, file, cause))
    except yaml.YAMLError as cause:
        report.error(Place(file), "yaml", f"is not valid YAML: {shown(str(cause))}")
    return None


def child(path: str, key: str) -> str:
    """Return the path of a key below ``path``; a key that is no plain word is quoted."""
    step = key if _WORD.fullmatch(key) else shown(key)
    return f"{path}.{step}" if path else step


def shown(text: str) -> str:
    """Return the text quoted for a message: one line, no control characters, not too long."""
    quoted = json.dumps(text if len(text) <= SHOWN_MOST else text[:SHOWN_MOST] + "…", ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in quoted)


def found(node: Node) -> str:
    """Return what a node is, as the end of "expects …, found …"."""
    match node:
        case SequenceNode():
            return "a list"
        case MappingNode():
            return "a mapping"
        case ScalarNode(is_null=True):
            return "nothing"
        case ScalarNode(plain=True):
            return node.text if _WORD.fullmatch(node.text) else shown(node.text)
        case _:
            return shown(node.text)


class _Unusable(Exception):  # noqa: N818 - not an error of the program
    """The rest of the file cannot be read."""

    def __init__(self, place: Place, path: str, message: str) -> None:
        self.place, self.path, self.message = place, path, message
        super().__init__(message)


class _Builder:
    def __init__(self, file: str, report: Report) -> None:
        self._file = file
        self._report = report
        self._count = 0
        self._anchors: dict[str, tuple[Node, int]] = {}

    def build(self, events: Iterator[yaml.Event]) -> Node:
        root: Node = ScalarNode(Place(self._file, 1, 1), "", plain=True)
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Unusable(self._place(event), "yaml", "a second document begins: keep one to a file")
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, "", 0)
        return root

    def _place(self, event: yaml.Event) -> Place:
        mark: Any = event.start_mark
        return Place(self._file, int(mark.line) + 1, int(mark.column) + 1)

    def _node(self, event: Any, events: Iterator[Any], path: str, depth: int) -> Node:
        place = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place, path)
        if depth > DEPTH_MOST:
            raise _Unusable(place, path or "yaml", f"is nested more than {DEPTH_MOST} deep")
        if event.tag is not None:
            self._report.error(place, path or "yaml", "a tag is not allowed: remove it, or put the value in quotes")
        before = self._count
        self._grow(1, place, path)
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = ScalarNode(place, str(event.value), not event.style)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = SequenceNode(place, self._items(events, path, depth + 1))
        else:
            node = MappingNode(place, self._entries(events, path, depth + 1))
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._count - before)
        return node

    def _alias(self, event: Any, place: Place, path: str) -> Node:
        if event.anchor not in self._anchors:
            raise _Unusable(
                place, path or "yaml", "the alias has no anchor before it; a value that begins with * needs quotes"
            )
        node, size = self._anchors[event.anchor]
        self._grow(size, place, path)
        return node

    def _grow(self, by: int, place: Place, path: str) -> None:
        self._count += by
        if self._count > NODES_MOST:
            raise _Unusable(place, path or "yaml", f"the file holds more than {NODES_MOST} values, aliases expanded")

    def _items(self, events: Iterator[Any], path: str, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events, f"{path}[{len(items)}]", depth))
        return tuple(items)

    def _entries(self, events: Iterator[Any], path: str, depth: int) -> tuple[tuple[ScalarNode, Node], ...]:
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, path, depth)
            step = child(path, key.text) if isinstance(key, ScalarNode) else path
            value = self._node(next(events), events, step, depth)
            if self._admits(key, path, step, entries) and isinstance(key, ScalarNode):
                entries[key.text] = (key, value)
        return tuple(entries.values())

    def _admits(self, key: Node, path: str, step: str, entries: dict[str, tuple[ScalarNode, Node]]) -> bool:
        if not isinstance(key, ScalarNode):
            self._report.error(key.place, path or "yaml", f"a key must be a word, found {found(key)}")
        elif key.plain and key.text == "<<":
            self._report.error(key.place, step, "merge keys are not allowed: put what workers share under 'defaults'")
        elif key.text in entries:
            first = entries[key.text][0].place.line
            self._report.error(key.place, step, f"is written twice, first in line {first}: remove one")
        else:
            return True
        return False


def _syntax_error(text: str, file: str, cause: yaml.MarkedYAMLError) -> tuple[Place, str, str]:
    """Return place, path and message; what libyaml says of tabs and reserved signs is put in plain words."""
    mark: Any = cause.problem_mark or cause.context_mark
    if mark is None:
        return Place(file), "yaml", f"is not valid YAML: {cause.problem}"
    number, column = int(mark.line), int(mark.column)
    lines = re.split(_LINE_END, text)
    sign = lines[number][column : column + 1] if number < len(lines) else ""
    problem = f"is not valid YAML: {cause.problem}"
    if sign == "\t" or "tab character" in str(cause.problem):
        problem = "a tab indents this line: use spaces"
    elif "cannot start any token" in str(cause.problem):
        problem = f"a value cannot begin with {sign}: put it in quotes"
    elif "mapping values are not allowed" in str(cause.problem):
        problem = "a ':' is not allowed here: indent the line as its neighbours, or put the value in quotes"
    elif cause.context:
        begun: Any = cause.context_mark
        since = f" that begins in line {begun.line + 1}" if begun is not None and begun.line != number else ""
        problem += f" ({cause.context}{since})"
    return Place(file, number + 1, column + 1), "yaml", problem
