"""What is equal in a thousand programs is there once.

supervisor keeps the values of a program as they were parsed, each by itself; and while it parses, what the lines were
split into piles up. What stays then lies between the holes of what went: memory that the system does not get back.

Rules:

1. Only what cannot be changed is shared: text and whole numbers.
2. What supervisor reads is, value by value, what it would have read.
"""

import sys
from collections.abc import Iterator
from configparser import Error, Interpolation
from typing import Any

from supervisor.options import UnhosedConfigParser

from crewd.model.table import Entry

PIECE_SECTIONS = 250
"""The parser looks at all that it has whenever it was given a piece: small ones would cost their square."""


class Shared:
    """The values seen so far. To be let go of once all are packed: what they share stays."""

    def __init__(self) -> None:
        self._seen: dict[tuple[type, str | int], str | int] = {}

    def one(self, value: Any) -> Any:
        """Return the object that stands for all that are equal."""
        if type(value) is str or type(value) is int:  # no subclass: a bool is equal to a number
            return self._seen.setdefault((type(value), value), value)
        return value

    def pack(self, group_config: Any, entry: Entry) -> None:
        """Let the configuration of a program take no more room than it needs, and share what its entry says, too."""
        self.one(entry.instance)
        self.one(entry.worker_id)
        group_config.name = self.one(group_config.name)
        group_config.priority = self.one(group_config.priority)
        configs: list[Any] = group_config.process_configs
        for config in configs:
            variables: dict[str, Any] = config.environment or {}
            if variables:
                config.environment = self._packed(variables)
            attributes: dict[str, Any] = config.__dict__
            config.__dict__ = self._packed(attributes)  # set one by one, they had room for twice as many

    def _packed(self, members: dict[str, Any]) -> dict[str, Any]:
        return {sys.intern(name): self.one(value) for name, value in members.items()}


class _SharedValues(Interpolation):
    """Interpolates nothing, as in supervisor's parser; it is shown each value that was read."""

    def __init__(self) -> None:
        self._shared = Shared()

    def before_read(self, parser: Any, section: Any, option: Any, value: Any) -> Any:
        """Return the value as it is to be kept."""
        del parser, section, option
        return self._shared.one(value)


def share_while_parsing() -> None:
    """Have supervisor's parser keep equal values, and equal names of options, once; and read in pieces."""
    stock = UnhosedConfigParser.__init__
    stock_read_file = UnhosedConfigParser.read_file

    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("interpolation", _SharedValues())
        stock(self, *args, **kwargs)

    def optionxform(self: Any, optionstr: str) -> str:
        del self
        return sys.intern(optionstr.lower())

    def read_file(self: Any, f: Any, source: Any = None) -> None:
        lines: list[str] = list(f)
        source = getattr(f, "name", None) if source is None else source
        try:
            for piece in _pieces(self, lines):
                stock_read_file(self, piece, source)
        except Error:  # read as a whole, so that what it says of a line has the right number
            stock_read_file(self, lines, source)

    UnhosedConfigParser.__init__ = begin
    UnhosedConfigParser.optionxform = optionxform
    UnhosedConfigParser.read_file = read_file


def _pieces(parser: Any, lines: list[str]) -> Iterator[list[str]]:
    """Yield the lines, cut before the header of a section after every so many."""
    begin, sections = 0, 0
    for number, line in enumerate(lines):
        if line.startswith("[") and parser.SECTCRE.match(line):
            sections += 1
            if sections > PIECE_SECTIONS:
                yield lines[begin:number]
                begin, sections = number, 1
    yield lines[begin:]
