"""The kinds of values that only a worker has: its command, variables, statuses, accounts, log files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from crewd.config import accounts, command
from crewd.config.kind import Kind, Refused, Schema, Spot, read_items
from crewd.config.kinds import AbsolutePath, Text, Whole
from crewd.config.quantities import SIGNALS, signal_number
from crewd.config.tree import MappingNode, ScalarNode, SequenceNode, shown
from crewd.model.spec import ExitStatusSet

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
ID_MOST = 100
"""With slot, stream and rotation number a log file's name stays below 255 bytes."""
ID_RESERVED = ("all", "batch", "stats")
INSTANCE_PLACEHOLDER = "{instance}"

_NAME_MOST = 1000
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_RESERVED_VARIABLES = ("CREWD_", "SUPERVISOR_", "WORKER_ID")
_LABEL = r"^[A-Za-z0-9][A-Za-z0-9_./-]*$"
_ARGUMENT = Text("text", "^.*$")
_TEXT_OR_NUMBER = Text("text or a number", "^.*$", controls=True, numbers=True)
_NO_STATUS = ExitStatusSet()


def wrong_id(text: str, what: str) -> str | None:
    """Return what is wrong with a worker's id or a listener's name; None where nothing is."""
    if text in ID_RESERVED:
        return f"is a reserved word: choose another {what}"
    if len(text) > ID_MOST:
        return f"is longer than {ID_MOST} characters: choose a shorter {what}"
    if not re.fullmatch(ID_PATTERN, text):
        return f"is no {what}: use letters, digits, _ . -, beginning with a letter or digit"
    return None


@dataclass(frozen=True)
class Command(Kind[tuple[str, ...]]):
    """A program with its arguments: a list, or a string to be split into words."""

    @property
    def words(self) -> str:
        """Give both forms."""
        return "a list such as [python3, -m, mail], or one string"

    def read(self, spot: Spot) -> tuple[str, ...]:
        """Read either form."""
        if isinstance(spot.node, ScalarNode) and spot.node.is_text:
            argv = self._split(spot, spot.node.text)
        elif isinstance(spot.node, SequenceNode):
            argv = read_items(_ARGUMENT, spot, self.words)
        else:
            raise spot.expects(self.words)
        if not argv or not argv[0]:
            raise spot.refuse("names no program: write it first, such as [python3, -m, mail]")
        if "/" in argv[0] and not argv[0].startswith("/"):
            raise spot.refuse(
                f"the program {shown(argv[0])} depends on where supervisord was started: "
                "write an absolute path, or a bare name to be found on PATH"
            )
        return argv

    def _split(self, spot: Spot, text: str) -> tuple[str, ...]:
        try:
            words = command.split(text)
        except ValueError as cause:
            raise spot.refuse(str(cause)) from None
        if fault := next((fault for word in words.argv if (fault := _ARGUMENT.fault(word))), None):
            raise spot.refuse(fault)
        for sign in dict.fromkeys(words.wildcards):
            spot.warn(f"{sign} reaches the program as it stands, for no shell expands it: quote it if that is meant")
        return words.argv

    def schema(self) -> Schema:
        """Return both forms."""
        items = {"type": "array", "minItems": 1, "items": {"type": "string"}}
        return {"anyOf": [items, {"type": "string", "minLength": 1}]}

    def written(self, value: tuple[str, ...]) -> str:
        """Return the list."""
        return f"[{', '.join(Text().written(word) for word in value)}]"


@dataclass(frozen=True)
class Arguments(Command):
    """A program with its arguments, as a list alone: who writes it is a program, and no string needs splitting."""

    @property
    def words(self) -> str:
        """Give the form."""
        return 'a list of texts such as ["python3", "-m", "mail"]'

    def _split(self, spot: Spot, text: str) -> tuple[str, ...]:  # noqa: ARG002 - whatever it says
        raise spot.refuse(f"expects {self.words}, found one text: no shell splits it")

    def schema(self) -> Schema:
        """Return an array."""
        return {"type": "array", "minItems": 1, "items": {"type": "string"}}


@dataclass(frozen=True)
class Pairs(Kind[Mapping[str, str]]):
    """Names and texts: variables, which may be secrets, or labels."""

    what: str
    name_pattern: str
    reserved: tuple[str, ...] = ()
    value: Text = _TEXT_OR_NUMBER
    secret: bool = True

    @property
    def words(self) -> str:
        """Give the form."""
        return f"a mapping of {self.what} such as {{NAME: text}}"

    def read(self, spot: Spot) -> Mapping[str, str]:
        """Read all pairs; what is wrong with each is reported."""
        spot = spot.hidden() if self.secret else spot
        if not isinstance(spot.node, MappingNode):
            raise spot.expects(self.words)
        pairs: dict[str, str] = {}
        for key, node in spot.node.entries:
            wrong = self._wrong(key.text)
            if wrong:
                spot.report.error(key.place, spot.below(self._told(key.text), node).path, wrong)
                continue
            try:
                pairs[key.text] = self.value.read(spot.below(key.text, node))
            except Refused:
                pass
        if len(pairs) < len(spot.node.entries):
            raise Refused
        return pairs

    def _told(self, name: str) -> str:
        """Return a wrong name as it may be told: ``NAME=text`` was meant to be a pair."""
        return name.partition("=")[0] if self.secret else name

    def _wrong(self, name: str) -> str | None:
        if not re.fullmatch(self.name_pattern, name) or len(name) > _NAME_MOST:
            return f"is no name for {self.what}: it must match {self.name_pattern}"
        for prefix in self.reserved:
            if name.startswith(prefix):
                return f"is reserved: names that begin with {prefix} are set by the supervisor"
        return None

    def schema(self) -> Schema:
        """Return an object."""
        names: Schema = {"pattern": self.name_pattern}
        if self.reserved:
            names["not"] = {"pattern": f"^(?:{'|'.join(self.reserved)})"}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.value.schema()}

    def written(self, value: Mapping[str, str]) -> str:
        """Return it in one line."""
        return "{" + ", ".join(f"{name}: {self.value.written(text)}" for name, text in value.items()) + "}"


ENVIRONMENT = Pairs("variables", _VARIABLE, _RESERVED_VARIABLES)
LABELS = Pairs("labels", _LABEL, value=Text("text or a number", "^.*$", numbers=True), secret=False)


@dataclass(frozen=True)
class _Status(Kind[ExitStatusSet]):
    """One exit status: a code or a signal."""

    @property
    def words(self) -> str:
        """Give both forms."""
        return "a number from 0 to 255 or a signal's name such as SIGTERM"

    def read(self, spot: Spot) -> ExitStatusSet:
        """Read either form."""
        node = spot.node
        if isinstance(node, ScalarNode) and node.is_number:
            return ExitStatusSet(codes=frozenset({Whole(0, 255).read(spot)}))
        try:
            if isinstance(node, ScalarNode):
                return ExitStatusSet(signals=frozenset({signal_number(node.text)}))
        except ValueError:
            pass
        raise spot.expects(self.words)

    def schema(self) -> Schema:
        """Return both forms."""
        names = [*SIGNALS, *(f"SIG{name}" for name in SIGNALS)]
        return {"anyOf": [Whole(0, 255).schema(), {"enum": names}]}


@dataclass(frozen=True)
class Statuses(Kind[ExitStatusSet]):
    """Exit statuses, added to ``always``."""

    always: ExitStatusSet = _NO_STATUS

    @property
    def words(self) -> str:
        """Give an example."""
        return "a list of exit codes and signals such as [2, SIGTERM]"

    def read(self, spot: Spot) -> ExitStatusSet:
        """Read the list."""
        statuses = [self.always, *read_items(_Status(), spot, self.words)]
        return ExitStatusSet(
            frozenset[int]().union(*(status.codes for status in statuses)),
            frozenset[int]().union(*(status.signals for status in statuses)),
        )

    def schema(self) -> Schema:
        """Return an array."""
        return {"type": "array", "items": _Status().schema()}

    def written(self, value: ExitStatusSet) -> str:
        """Return what stands beyond ``always``."""
        signals = {signal_number(name): name for name in reversed(SIGNALS)}
        codes = [str(code) for code in sorted(value.codes - self.always.codes)]
        return f"[{', '.join([*codes, *(signals[number] for number in sorted(value.signals - self.always.signals))])}]"


@dataclass(frozen=True)
class Account(Kind[str]):
    """A user or group that exists, by name or number."""

    database: accounts.Database

    @property
    def words(self) -> str:
        """Say which."""
        return f"the name of a {self.database.what}"

    def read(self, spot: Spot) -> str:
        """Read the name, and look it up."""
        text = Text(self.words, numbers=True).read(spot)
        name = self.database.find(text)
        if name is None:
            raise spot.refuse(
                f"there is no {self.database.what} {shown(text)} on this machine: create it, or name another"
            )
        return name

    def schema(self) -> Schema:
        """Return a name or a number."""
        return {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}]}


@dataclass(frozen=True)
class LogPath(Kind[str]):
    """Where an output stream goes."""

    @property
    def words(self) -> str:
        """List the forms."""
        return f"auto, none, or an absolute path (in which {INSTANCE_PLACEHOLDER} stands for the instance's name)"

    def read(self, spot: Spot) -> str:
        """Read a word or a path."""
        node = spot.node
        if not isinstance(node, ScalarNode) or not (node.text in {"auto", "none"} or node.text.startswith("/")):
            raise spot.expects(self.words)
        if node.text in {"auto", "none"}:
            return node.text
        path = AbsolutePath().read(spot)
        if unknown := re.search(r"\{[^}]*\}?", path.replace(INSTANCE_PLACEHOLDER, "")):
            raise spot.refuse(f"{shown(unknown[0])} is no placeholder: {INSTANCE_PLACEHOLDER} is the only one")
        return path

    def schema(self) -> Schema:
        """Return words and paths."""
        return {"type": "string", "pattern": "^(?:auto|none|/.*)$"}
