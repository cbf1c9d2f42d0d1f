"""What a key of the configuration is: name, kind, where its value goes, what it means.

Everything is generated from such keys: loading, JSON Schema, sample, reference. The default is that of the spec's
own dataclass, so there is no second one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

from crewd.config.kind import Kind

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``field``: the dotted way into the spec, ``""`` where the value is only checked."""

    name: str
    kind: Kind[Any]
    field: str
    help: str
    example: str = ""
    """YAML for the sample, where the default cannot be written down."""
    required: bool = False
    in_defaults: bool = True
    elsewhere: tuple[str, ...] = ()
    """What other programs call it: for hints, not accepted."""


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for one or more keys."""

    name: str
    kind: Kind[Any]
    of: tuple[str, ...]
    means: Callable[[Any], Mapping[str, Any]]
    """Takes the value read to the keys' values."""
    help: str
    example: str


@dataclass(frozen=True, slots=True)
class Section(Generic[S]):
    """The keys of one mapping. ``blank``: the spec with its defaults."""

    name: str
    help: str
    blank: S
    keys: tuple[Key, ...]
    aliases: tuple[Alias, ...] = ()
    misplaced: Mapping[str, str] = field(default_factory=dict[str, str])
    """Keys that stand elsewhere, and what to say where one stands here."""
    otherwise: str = "remove it; `crewd schema --sample` shows all there are"
    """What to say of a key that is like none of these."""

    def default(self, key: Key) -> Any:
        """Return the key's default; None where it has none."""
        return attrgetter(key.field)(self.blank) if key.field and not key.required else None

    def nullable(self, key: Key) -> bool:
        """Return whether ``null`` is a value: it unsets what has no default of its own."""
        return bool(key.field) and not key.required and self.default(key) is None

    def filled(self, values: Mapping[str, Any], **more: Any) -> S:
        """Return the spec with these values, by key name, and ``more`` fields."""
        fields: dict[str, dict[str, Any]] = {"": dict(more)}
        for key in self.keys:
            if key.field and key.name in values:
                inner, _, field = key.field.rpartition(".")
                fields.setdefault(inner, {})[field] = values[key.name]
        outer = fields.pop("")
        for inner, changes in fields.items():
            outer[inner] = replace(getattr(self.blank, inner), **changes)
        blank: Any = self.blank
        return replace(blank, **outer)
