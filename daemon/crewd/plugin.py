"""The public API of plugins: one class, one entry point, one word in the YAML. Nothing else of crewd is promised.

A plugin is a class, registered by an entry point of a group; its name there is the word after ``type:``. The group:
``crewd.resets``, what a manual restart clears, a ``Reset``. Its life:

1. The options are read from the YAML by the fields of its options, a frozen dataclass; what is wrong with one is told
   at its file, line and column. ``__post_init__`` may look at several together, and raises ``OptionError``.
2. ``__init__`` is given them. No I/O: ``crewd check`` does this much, and touches nothing.
3. ``open()``, then ``perform()`` for one act after another, then ``close()``: for each restart anew. ``close()`` comes
   after a half-failed ``open()``, too. All of it happens on the event loop: what blocks belongs into a thread.
4. A module imports what it needs at its top. An entry point that names an extra (``module:Class [extra]``) is refused
   with a sentence where that is not installed.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast
from urllib.parse import unquote, urlsplit

from crewd.errors import CrewdError, PluginError
from crewd.policy.signing import Question, sign

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "RESETS",
    "Act",
    "Form",
    "NoAnswer",
    "Occasion",
    "Option",
    "OptionError",
    "PluginError",
    "Question",
    "Reset",
    "Step",
    "masked",
    "option",
    "secrets_of",
    "sign",
]

RESETS = "crewd.resets"
MASK = "***"
DEADLINE_SEC = 10.0
_OPTION = "crewd.option"

O = TypeVar("O")  # noqa: E741 - options


class OptionError(CrewdError):
    """An option cannot be what it is. ``name``: whose place is told; the message begins as "expects …" would."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class NoAnswer(CrewdError):  # noqa: N818 - a state of the world
    """The other side is there and does not answer: the acts that are left are not tried, for each would wait again."""


# -- options


class Form(StrEnum):
    """What a text is, where it is not any."""

    TEXT = "text"
    PATH = "path"
    """An absolute path."""
    USER = "user"
    """A user of this machine."""
    ARGV = "argv"
    """A program with its arguments; the field is a tuple of texts."""


@dataclass(frozen=True, slots=True)
class Option:
    """What is known of one option besides its name, type and default."""

    help: str
    form: Form = Form.TEXT
    pattern: str = "^.+$"
    what: str = "text"
    """What the pattern means, said after "expects"."""
    secret: bool = False
    """No message, answer or log repeats it, nor the password of a URL in it."""
    least: float = 0
    most: float = inf


def option(help: str, *, default: Any = dataclasses.MISSING, **about: Any) -> Any:  # noqa: A002 - as argparse has it
    """Return a field of an options dataclass; ``about`` is of ``Option``. Without a default it is required.

    Types: ``str``, ``bool``, ``int``, ``float`` (a duration in seconds), ``tuple[str, ...]``, ``Mapping[str, str]``,
    and any of them ``| None``, where None is the default.
    """
    known = Option(help, **about)
    return field(default=default, repr=not known.secret, metadata={_OPTION: known})


def option_of(declared: "dataclasses.Field[Any]") -> Option:
    """Return what is known of a field."""
    known = declared.metadata.get(_OPTION)
    if not isinstance(known, Option):
        raise PluginError(f"cannot read option {declared.name!r}: it is not declared by crewd.plugin.option")
    return known


def secrets_of(options: Any) -> tuple[str, ...]:
    """Return what no text may repeat of these options: secret ones, and the passwords of their URLs."""
    found: set[str] = set()
    for declared in dataclasses.fields(options):
        value = getattr(options, declared.name)
        if not (option_of(declared).secret and isinstance(value, str)):
            continue
        found.add(value)
        try:
            password = urlsplit(value).password or ""
        except ValueError:
            continue
        found |= {password, unquote(password)}
    return tuple(found - {""})


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return the text without the secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


# -- resets


@dataclass(frozen=True, slots=True)
class Occasion:
    """Which worker is restarted by hand."""

    worker_id: str
    instances: tuple[str, ...] = ()
    stopped: bool = False
    """It is certain that none of its instances has a process."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to be done, known before anything is touched. ``action`` is the word in the answer."""

    action: str
    key: str


@dataclass(frozen=True, slots=True)
class Step:
    """What became of an act, or of a part of one: one object of ``actions`` in the answer."""

    action: str
    key: str | None = None
    wallet: str | None = None
    """Instead of the key, where the key is that of a wallet."""
    success: bool = True
    error: str = ""
    """"cannot <verb> <object>: <cause>"; empty where it succeeded."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the answer says: values of JSON."""


class Reset(ABC, Generic[O]):
    """What a manual restart clears."""

    options_type: ClassVar[type[Any]]
    """The frozen dataclass of its options."""

    def __init__(self, options: O) -> None:
        self.options = options

    @property
    def deadline_sec(self) -> float:
        """How long all of it may take, from ``open`` on."""
        return DEADLINE_SEC

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may repeat, as far as it is known by now."""
        return secrets_of(self.options)

    @abstractmethod
    def acts(self) -> tuple[Act, ...]:
        """Return what is to be done, in order. No I/O."""

    async def open(self) -> None:
        """Connect, read files. What it raises is why every act failed."""

    @abstractmethod
    def perform(self, act: Act, occasion: Occasion) -> AsyncGenerator[Step, None]:
        """Do it, and yield what became of it, in as many steps as it takes.

        What it raises is a step that failed; acts behind it are tried all the same, but after NoAnswer. What is there
        no longer was cleared: that is a success. Nothing that is not named by the options is touched.
        """

    async def close(self) -> None:
        """Let go of everything; what it raises is not told."""


# -- finding them


@cache
def plugins(group: str) -> "Mapping[str, EntryPoint]":
    """Return the entry points of a group, by the word that means them."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - takes a while, and most crews have no plugin

    return {entry.name: entry for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)}


@cache
def reset_type(word: str) -> type[Reset[Any]]:
    """Return the plugin that a word means; raises PluginError."""
    return cast("type[Reset[Any]]", _loaded(RESETS, word, "reset", Reset))


def _loaded(group: str, word: str, noun: str, wanted: type[Any]) -> type[Any]:
    entry = plugins(group).get(word)
    if entry is None:
        known = ", ".join(plugins(group)) or "none"
        raise PluginError(f"cannot use {noun} type {word!r}: there is no such plugin; installed are {known}")
    try:
        found: Any = entry.load()
    except ModuleNotFoundError as missing:
        if not entry.extras:
            raise _broken(noun, word, missing) from None
        distribution = entry.dist.name if entry.dist else "crewd"
        extras = ",".join(entry.extras)
        raise PluginError(f"cannot use {noun} type {word!r}: install {distribution}[{extras}]") from None
    except Exception as error:  # noqa: BLE001 - a plugin's module may raise anything
        raise _broken(noun, word, error) from None
    if not (isinstance(found, type) and issubclass(found, wanted)):
        raise PluginError(f"cannot use {noun} type {word!r}: {entry.value} is no {wanted.__name__}")
    return found


def _broken(noun: str, word: str, error: Exception) -> PluginError:
    return PluginError(f"cannot use {noun} type {word!r}: its plugin cannot be loaded: {error!r}")
