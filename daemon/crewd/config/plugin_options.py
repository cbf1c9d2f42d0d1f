"""The options of a plugin as keys of the configuration: made from the fields of its options dataclass.

So an option is read as strictly as any key: unknown ones, wrong types and bounds are told at their places. What is
secret is never repeated by a message.
"""

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import inf
from types import SimpleNamespace
from typing import Any, Union, get_args, get_origin, get_type_hints

from crewd.config import accounts
from crewd.config.key import Key, Section
from crewd.config.kind import Kind, Refused, Schema, Spot, read_items
from crewd.config.kinds import AbsolutePath, Duration, Flag, Text, Whole
from crewd.config.reading import read_section
from crewd.config.tree import MappingNode
from crewd.config.worker_kinds import Account, Command, Pairs
from crewd.errors import PluginError
from crewd.plugin import Form, Option, OptionError, option_of

_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


@dataclass(frozen=True)
class Secret(Kind[str]):
    """A text that no message repeats."""

    text: Text

    @property
    def words(self) -> str:
        """Say what is meant."""
        return self.text.what

    def read(self, spot: Spot) -> str:
        """Read it; what was written instead is not told."""
        return self.text.read(spot.hidden())

    def schema(self) -> Schema:
        """Return a string."""
        return self.text.schema()


@dataclass(frozen=True)
class Texts(Kind[tuple[str, ...]]):
    """A list of texts."""

    text: Text

    @property
    def words(self) -> str:
        """Say of what."""
        return f"a list of {self.text.what}s"

    def read(self, spot: Spot) -> tuple[str, ...]:
        """Read each; one twice is a mistake."""
        texts = read_items(self.text, spot, self.words)
        if twice := next((text for at, text in enumerate(texts) if text in texts[:at]), None):
            raise spot.refuse(f"names {Text().written(twice)} twice: remove one")
        return texts

    def schema(self) -> Schema:
        """Return an array."""
        return {"type": "array", "items": self.text.schema(), "uniqueItems": True}

    def written(self, value: tuple[str, ...]) -> str:
        """Return the list."""
        return f"[{', '.join(map(self.text.written, value))}]"


@cache
def section_of(word: str, options_type: type[Any]) -> Section[Any]:
    """Return the options as a section; raises PluginError where they are not declared as they should be."""
    if not (isinstance(options_type, type) and dataclasses.is_dataclass(options_type)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise PluginError(f"cannot use plugin {word!r}: its options_type is no dataclass")
    hints = get_type_hints(options_type)
    fields = dataclasses.fields(options_type)
    keys = tuple(_key(field, hints[field.name]) for field in fields)
    blank = SimpleNamespace(**{field.name: field.default for field in fields if not _required(field)})
    return Section(word, options_type.__doc__ or "", blank, keys)


def read_options(word: str, options_type: type[Any], spot: Spot) -> Any:
    """Return the options; Refused when the report has what is wrong. ``spot``: the mapping without its ``type``."""
    section = section_of(word, options_type)
    settings = read_section(section, spot)
    written = {key.text for key, _ in spot.node.entries} if isinstance(spot.node, MappingNode) else set[str]()
    missing = [key.name for key in section.keys if key.required and key.name not in written]
    for name in missing:
        spot.refuse(f"{name} is missing: a reset of type {word} needs it")
    if missing or written - set(settings):
        raise Refused
    try:
        return options_type(**{name: setting.value for name, setting in settings.items()})
    except OptionError as wrong:
        place = settings[wrong.name].spot if wrong.name in settings else spot
        raise place.refuse(str(wrong)) from None


def _required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING


def _key(field: "dataclasses.Field[Any]", hint: Any) -> Key:
    known = option_of(field)
    return Key(field.name, _kind(field.name, hint, known), field.name, known.help, required=_required(field))


def _kind(name: str, hint: Any, known: Option) -> Kind[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
    text = Text(known.what, known.pattern)
    if hint is bool:
        return Flag()
    if hint is int:
        return Whole(int(known.least), int(min(known.most, 2**53)))
    if hint is float:
        most = Duration().most if known.most == inf else known.most
        return Duration(known.least, most, above=not known.least)
    if hint is str:
        forms: Mapping[Form, Kind[Any]] = {Form.PATH: AbsolutePath(), Form.USER: Account(accounts.USERS)}
        return Secret(text) if known.secret else forms.get(known.form, text)
    if hint == tuple[str, ...]:
        return Command() if known.form is Form.ARGV else Texts(text)
    if hint == Mapping[str, str]:
        return Pairs("parameters", _NAME)
    raise PluginError(f"cannot read option {name!r}: {hint} is no type of an option")
