"""What supervisor reads while values are shared is what it reads otherwise."""

from collections.abc import Iterator
from configparser import MissingSectionHeaderError, ParsingError
from io import StringIO
from typing import Any

import pytest
from supervisor.options import UnhosedConfigParser

from crewd.model.table import Entry
from crewd_supervisord.sharing import PIECE_SECTIONS, Shared, share_while_parsing

SECTIONS = 2 * PIECE_SECTIONS + 3
HEAD = "[supervisord]\nlogfile = /tmp/x ; a comment\n"
PROGRAM = """\
[program:w-{0}]
Command=/bin/w  {0} %(here)s [not:a-header]
environment=A="1",
   [indented]
priority=999

"""
TEXT = HEAD + "".join(PROGRAM.format(n) for n in range(SECTIONS))


@pytest.fixture
def sharing() -> Iterator[None]:
    names = ("__init__", "optionxform", "read_file")
    own = {name: vars(UnhosedConfigParser).get(name) for name in names}
    share_while_parsing()
    yield
    for name, value in own.items():
        if value is None:
            delattr(UnhosedConfigParser, name)
        else:
            setattr(UnhosedConfigParser, name, value)


def read(text: str) -> dict[str, dict[str, str]]:
    parser = UnhosedConfigParser()
    parser.read_file(StringIO(text))
    return {section: dict(parser.items(section)) for section in parser.sections()}


class Plain:
    """Has whatever attributes it is given."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


def parsed(text: str) -> str:
    """Return equal text that is another object."""
    return text[:1] + text[1:]


def trouble_with(text: str) -> str:
    with pytest.raises((ParsingError, MissingSectionHeaderError)) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", HEAD, TEXT, TEXT + HEAD.replace("/tmp/x", "/tmp/y")])
def test_a_file_read_in_pieces_says_what_it_says(text: str, request: pytest.FixtureRequest) -> None:
    """Section by section, value by value, in the same order; what stands twice counts the second time."""
    whole = read(text)
    request.getfixturevalue("sharing")

    assert read(text) == whole
    assert list(read(text)) == list(whole)


@pytest.mark.parametrize(
    "text", [f"{TEXT}no value\n", f"x=1\n{TEXT}", f"{TEXT}=\n{TEXT}also none\n", f"{TEXT}[broken\nx=1\n"]
)
def test_what_is_wrong_is_said_of_the_same_line(text: str, request: pytest.FixtureRequest) -> None:
    """In the same words, wherever the pieces were cut."""
    whole = trouble_with(text)
    request.getfixturevalue("sharing")

    assert trouble_with(text) == whole


def test_equal_values_and_names_are_one_object(sharing: None) -> None:
    """Of a thousand programs."""
    sections = list(read(TEXT).values())[1:]

    assert len({id(section["priority"]) for section in sections}) == 1
    assert len({id(name) for section in sections for name in section}) == len(sections[0])


def test_a_packed_configuration_is_equal_and_smaller() -> None:
    """No value changes, nor its type: a bool is no number, and what can be changed is nobody else's too."""
    given: dict[str, Any] = {
        "name": parsed("w-0"),
        "autostart": True,
        "startretries": 1,
        "exitcodes": [1],
        "x": 1.0,
    }
    given |= {f"more_{n}": None for n in range(26)}
    config = Plain(environment={"ID": parsed("w-0")})
    for name, value in given.items():
        setattr(config, name, value)
    group = Plain(name=parsed("w-0"), priority=999, process_configs=[config])
    entry = Entry("w-0", "w", 0, "", "", "")
    Shared().pack(group, entry)

    assert vars(config) == given | {"environment": {"ID": "w-0"}}
    assert [type(value) for value in vars(config).values()] == [dict, *map(type, given.values())]
    assert config.exitcodes is given["exitcodes"]
    assert {id(one) for one in (group.name, config.name, config.environment["ID"])} == {id(entry.instance)}
