"""An object of JSON as a tree of nodes, so that the kinds that read the YAML read it too.

Rules:

1. It is hostile: depth and size are bounded, a member stands once, NaN and Infinity are nothing.
2. A text of JSON is a quoted one, all else is plain: what the YAML refuses as a number, a text or a flag is refused.
3. Numbers keep the digits that they were written with.
"""

import json
from dataclasses import dataclass
from typing import Any, cast

from crewd.config.report import Place, Report
from crewd.config.tree import DEPTH_MOST, MappingNode, Node, ScalarNode, SequenceNode, child
from crewd.model.offer import DOCUMENT_BYTES

WHOLE = "document"
"""What a complaint is about that is about all of it."""


@dataclass(frozen=True, slots=True)
class _Number:
    text: str


@dataclass(frozen=True, slots=True)
class _Members:
    pairs: list[tuple[str, Any]]


class _Unusable(Exception):  # noqa: N818 - not an error of the program
    """The document cannot be used at all."""


def parse_document(text: str, place: Place, report: Report) -> MappingNode | None:
    """Return the object; None, and an error reported, where there is none that could be read."""
    try:
        root = _Builder(place, report).node(_loaded(text), "", 0)
    except _Unusable as why:
        report.error(place, WHOLE, str(why))
        return None
    if isinstance(root, MappingNode):
        return root
    report.error(place, WHOLE, "expects an object of JSON")
    return None


def _loaded(text: str) -> Any:
    if len(text) > DOCUMENT_BYTES:
        raise _Unusable(f"is longer than {DOCUMENT_BYTES} characters")
    try:
        return json.loads(
            text, object_pairs_hook=_Members, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant
        )
    except RecursionError:
        raise _Unusable(f"is nested more than {DEPTH_MOST} deep") from None
    except ValueError as cause:
        raise _Unusable(f"is not JSON: {cause}") from None


def _no_constant(word: str) -> Any:
    raise _Unusable(f"is not JSON: {word} is no number")


class _Builder:
    def __init__(self, place: Place, report: Report) -> None:
        self._place = place
        self._report = report

    def node(self, value: Any, path: str, depth: int) -> Node:
        if depth > DEPTH_MOST:
            raise _Unusable(f"is nested more than {DEPTH_MOST} deep")
        match value:
            case _Members(pairs):
                return MappingNode(self._place, tuple(self._entries(pairs, path, depth)))
            case list():
                items = enumerate(cast("list[Any]", value))
                nodes = (self.node(item, f"{path}[{index}]", depth + 1) for index, item in items)
                return SequenceNode(self._place, tuple(nodes))
            case str():
                return ScalarNode(self._place, value, plain=False)
            case _Number(text):
                return ScalarNode(self._place, text, plain=True)
            case _:
                return ScalarNode(self._place, {True: "true", False: "false"}.get(value, "null"), plain=True)

    def _entries(self, pairs: list[tuple[str, Any]], path: str, depth: int) -> list[tuple[ScalarNode, Node]]:
        seen: set[str] = set()
        entries: list[tuple[ScalarNode, Node]] = []
        for key, value in pairs:
            step = child(path, key)
            if key in seen:
                self._report.error(self._place, step, "is written twice: remove one")
                continue
            seen.add(key)
            entries.append((ScalarNode(self._place, key, plain=False), self.node(value, step, depth + 1)))
        return entries
