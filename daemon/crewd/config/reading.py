"""A mapping of the YAML read by the keys of its section: values by key name, each still with its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crewd.config.key import Alias, Key, Section
from crewd.config.kind import Kind, Refused, Spot
from crewd.config.report import Place
from crewd.config.tree import MappingNode, Node, ScalarNode


@dataclass(frozen=True, slots=True)
class Setting:
    """A value as it was set, and where."""

    value: Any
    spot: Spot

    @property
    def place(self) -> Place:
        """Where the value stands."""
        return self.spot.node.place

    @property
    def path(self) -> str:
        """Its path, the alias's where that was written."""
        return self.spot.path


Settings = Mapping[str, Setting]


def entries(spot: Spot, words: str) -> tuple[tuple[ScalarNode, Node], ...]:
    """Return a mapping's entries; none, where nothing was written, or where it is no mapping, which is reported."""
    if isinstance(spot.node, MappingNode):
        return spot.node.entries
    if not (isinstance(spot.node, ScalarNode) and spot.node.is_null):
        spot.expects(words)
    return ()


def read_section(section: Section[Any], spot: Spot) -> Settings:
    """Return the settings of a section, aliases resolved. A wrong value is reported and left out."""
    keys = {key.name: key for key in section.keys}
    aliases = {alias.name: alias for alias in section.aliases}
    settings: dict[str, Setting] = {}
    names: dict[str, str] = {}
    for key_node, node in entries(spot, "a mapping of keys"):
        below = spot.below(key_node.text, node)
        known = keys.get(key_node.text) or aliases.get(key_node.text)
        if known is None:
            below.report.error(key_node.place, below.path, _unknown(below, key_node.text, section))
            continue
        of = known.of if isinstance(known, Alias) else (known.name,)
        if other := next((names[name] for name in of if name in names), None):
            below.report.error(key_node.place, below.path, f"says the same as {other!r} beside it: remove one of them")
            continue
        names.update(dict.fromkeys(of, key_node.text))
        settings.update(_read(section, known, below))
    return settings


def _read(section: Section[Any], known: Key | Alias, spot: Spot) -> Iterator[tuple[str, Setting]]:
    null = isinstance(spot.node, ScalarNode) and spot.node.is_null
    values: Mapping[str, Any]
    if null and isinstance(known, Key) and section.nullable(known):
        values = {known.name: None}
    else:
        kind: Kind[Any] = known.kind
        try:
            value = kind.read(spot)
        except Refused:
            return
        values = known.means(value) if isinstance(known, Alias) else {known.name: value}
    for name, value in values.items():
        yield name, Setting(value, spot)


def _unknown(spot: Spot, word: str, section: Section[Any]) -> str:
    if word in section.misplaced:
        return section.misplaced[word]
    for key in section.keys:
        if word in key.elsewhere:
            return f"unknown key: did you mean {key.name}?"
    known = [*(key.name for key in section.keys), *(alias.name for alias in section.aliases)]
    return f"unknown key: {spot.hint(word, known, section.otherwise)}"
