"""The kinds of values that say who is let in: TLS, roles, keys, hosts, networks."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from crewd.config import accounts
from crewd.config.kind import Kind, Refused, Schema, Spot, one_of, read_items
from crewd.config.kinds import AbsolutePath, Parsed, Text
from crewd.config.tree import MappingNode
from crewd.config.worker_kinds import Account
from crewd.model.access import HmacKey, Role, Roles, Tls

T = TypeVar("T")

ROLES = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
"""What the file may make somebody; ``node`` and ``worker`` are for tokens."""
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
HOST_PATTERN = r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$"
GLOB_PATTERN = r"^[A-Za-z0-9_.*?\[\]!-]+$"
_HOST_MOST = 253
_NAME_MOST = 64


@dataclass(frozen=True)
class RoleWord(Kind[Role]):
    """One of the roles that the file gives."""

    @property
    def words(self) -> str:
        """List them."""
        return one_of([role.value for role in ROLES])

    def read(self, spot: Spot) -> Role:
        """Read the word."""
        text = Text(self.words).read(spot)
        if text not in ROLES:
            raise spot.expects(self.words)
        return Role(text)

    def schema(self) -> Schema:
        """Return the enumeration."""
        return {"enum": [role.value for role in ROLES]}


@dataclass(frozen=True)
class Several(Kind[tuple[T, ...]], Generic[T]):
    """A list of values of one kind."""

    what: str
    of: Kind[T]

    @property
    def words(self) -> str:
        """Say of what."""
        return self.what

    def read(self, spot: Spot) -> tuple[T, ...]:
        """Read all of them."""
        return read_items(self.of, spot, self.words)

    def schema(self) -> Schema:
        """Return an array."""
        return {"type": "array", "items": self.of.schema()}

    def written(self, value: tuple[T, ...]) -> str:
        """Return it in one line."""
        return f"[{', '.join(self.of.written(one) for one in value)}]"


@dataclass(frozen=True)
class ByName(Kind[Mapping[str, T]], Generic[T]):
    """Values of one kind, by names that another kind reads."""

    what: str
    names: Kind[str]
    of: Kind[T]
    pattern: str = "^.+$"

    @property
    def words(self) -> str:
        """Give the form."""
        return self.what

    def read(self, spot: Spot) -> Mapping[str, T]:
        """Read all of them; what is wrong with each is reported."""
        if not isinstance(spot.node, MappingNode):
            raise spot.expects(self.words)
        found: dict[str, T] = {}
        wrong = False
        for key, node in spot.node.entries:
            below = spot.below(key.text, node)
            try:
                name = self.names.read(Spot(key, below.path, spot.report))
                found[name] = self.of.read(below)
            except Refused:
                wrong = True
        if wrong:
            raise Refused
        return found

    def schema(self) -> Schema:
        """Return an object."""
        return {
            "type": "object",
            "propertyNames": {"pattern": self.pattern},
            "additionalProperties": self.of.schema(),
        }

    def written(self, value: Mapping[str, T]) -> str:
        """Return it in one line."""
        return "{" + ", ".join(f"{name}: {self.of.written(one)}" for name, one in value.items()) + "}"


@dataclass(frozen=True)
class Member:
    """A member of a mapping with fixed members."""

    name: str
    kind: Kind[Any]
    help: str
    required: bool = False


@dataclass(frozen=True)
class Members(Kind[T], Generic[T]):
    """A mapping with fixed members; ``made``: what takes them by name."""

    what: str
    made: type[T]
    members: tuple[Member, ...]

    @property
    def words(self) -> str:
        """Give the form."""
        return self.what

    def read(self, spot: Spot) -> T:
        """Read all members; what is wrong with each is reported."""
        if not isinstance(spot.node, MappingNode):
            raise spot.expects(self.words)
        known = {member.name: member for member in self.members}
        values: dict[str, Any] = {}
        wrong = False
        for key, node in spot.node.entries:
            below = spot.below(key.text, node)
            if key.text not in known:
                hint = below.hint(key.text, known, f"there are {', '.join(known)}")
                spot.report.error(key.place, below.path, f"unknown key: {hint}")
                wrong = True
                continue
            try:
                values[key.text] = known[key.text].kind.read(below)
            except Refused:
                wrong = True
        written = {key.text for key, _ in spot.node.entries}
        for member in self.members:
            if member.required and member.name not in written:
                spot.refuse(f"{member.name} is missing: {member.help}")
                wrong = True
        if wrong:
            raise Refused
        return self.made(**values)

    def schema(self) -> Schema:
        """Return an object."""
        schema: Schema = {
            "type": "object",
            "properties": {
                member.name: {"description": member.help, **member.kind.schema()} for member in self.members
            },
            "additionalProperties": False,
        }
        if required := [member.name for member in self.members if member.required]:
            schema["required"] = required
        return schema

    def written(self, value: T) -> str:
        """Return it in one line, without what is as it is anyway."""
        pairs = ((member, getattr(value, member.name)) for member in self.members)
        return "{" + ", ".join(f"{member.name}: {member.kind.written(one)}" for member, one in pairs if one) + "}"


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("write an address, or a network such as 10.0.0.0/8 without bits of a host") from None


def _host(text: str) -> str:
    if not re.fullmatch(HOST_PATTERN, text) or len(text) > _HOST_MOST:
        raise ValueError("write a name or an address as it stands in a URL, without port, such as crewd.example.org")
    return text.lower()


HOSTS = Several("a list of host names", Parsed("a host name", _host, {"type": "string", "pattern": HOST_PATTERN}))
NETWORKS = Several(
    "a list of addresses and networks", Parsed("an address or a network", _network, {"type": "string", "minLength": 1})
)
_GLOBS = Several("a list of globs such as [web-*]", Text("a glob of worker ids", GLOB_PATTERN, 100))

TLS = Members(
    "a mapping with certificate and key",
    Tls,
    (
        Member(
            "certificate", AbsolutePath(), "The server's certificate, PEM, those up to its authority behind it.", True
        ),
        Member(
            "key", AbsolutePath(), "Its private key, PEM, without a passphrase; root:crewd 0640 under systemd.", True
        ),
        Member(
            "client_ca",
            AbsolutePath(),
            "The authorities, PEM, that certificates of clients come from. Without it none is asked for.",
        ),
    ),
)
ROLES_OF = Members(
    "a mapping with groups and certificates",
    Roles,
    (
        Member(
            "groups",
            ByName("a mapping of groups to roles", Account(accounts.GROUPS), RoleWord()),
            "Roles by the groups of this machine, for whoever comes through the Unix socket.",
        ),
        Member(
            "certificates",
            ByName("a mapping of certificates' names to roles", Text("a name in a certificate", most=255), RoleWord()),
            "Roles by the common name or a subject alternative name of a client's certificate.",
        ),
    ),
)
HMAC_KEY = Members(
    "a mapping with secret_file and role",
    HmacKey,
    (
        Member(
            "secret_file",
            AbsolutePath(),
            "The file with the secret; root:crewd 0640 under systemd, else 0600.",
            required=True,
        ),
        Member("role", RoleWord(), "What a request that is signed with it may do.", required=True),
        Member("workers", _GLOBS, "Globs of the workers that it is for; without them all. Not for admins."),
    ),
)
HMAC_KEYS = ByName(
    "a mapping of names to keys",
    Text("a key's name: letters, digits, _ . -", NAME_PATTERN, _NAME_MOST),
    HMAC_KEY,
    NAME_PATTERN,
)
