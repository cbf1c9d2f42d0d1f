"""Kinds made of others: a list of one kind, and a mapping with keys of its own."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from crewd.config.key import Section
from crewd.config.kind import Kind, Refused, Schema, Spot, read_items
from crewd.config.reading import read_section
from crewd.config.tree import MappingNode

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class Several(Kind[tuple[T, ...]]):
    """A list. ``example`` is how it is written."""

    kind: Kind[T]
    example: str

    @property
    def words(self) -> str:
        """Give the form."""
        return f"a list such as {self.example}"

    def read(self, spot: Spot) -> tuple[T, ...]:
        """Read all items; the same one twice counts once."""
        return tuple(dict.fromkeys(read_items(self.kind, spot, self.words)))

    def schema(self) -> Schema:
        """Return an array."""
        return {"type": "array", "items": self.kind.schema()}

    def written(self, value: tuple[T, ...]) -> str:
        """Return it in one line."""
        return f"[{', '.join(self.kind.written(item) for item in value)}]"


@dataclass(frozen=True)
class Nested(Kind[S], Generic[S]):
    """A mapping with the keys of a section."""

    section: Section[S]

    @property
    def words(self) -> str:
        """List the keys."""
        return f"a mapping of {', '.join(key.name for key in self.section.keys)}"

    def read(self, spot: Spot) -> S:
        """Read all of it; with any mistake it is refused whole."""
        if not isinstance(spot.node, MappingNode):
            raise spot.expects(self.words)
        settings = read_section(self.section, spot)
        if len(settings) < len(spot.node.entries):
            raise Refused
        return self.section.filled({name: setting.value for name, setting in settings.items()})

    def schema(self) -> Schema:
        """Return an object."""
        properties = {key.name: {"description": key.help, **key.kind.schema()} for key in self.section.keys}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def written(self, value: S) -> str:
        """Return it in one line."""
        shown: Any = value
        pairs = (f"{key.name}: {key.kind.written(getattr(shown, key.field))}" for key in self.section.keys)
        return "{" + ", ".join(pairs) + "}"
