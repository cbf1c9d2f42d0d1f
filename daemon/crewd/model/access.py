"""Who asks, and what may be asked by whom: the words of access control. ``docs/reference/access.md`` is the promise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What somebody is to crewd."""

    VIEWER = "viewer"
    """Reads."""
    OPERATOR = "operator"
    """Starts, stops, restarts, resets; reads."""
    ADMIN = "admin"
    """Everything: also what runs code, and who may do what."""
    NODE = "node"
    """A worker node: reports for itself."""
    WORKER = "worker"
    """A worker: reports for itself."""


class Access(StrEnum):
    """What a route asks of whoever comes: a column of the one table of routes."""

    ANYONE = "anyone"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    NODE = "node"
    WORKER = "worker"
    """A worker that reports for itself, or an admin."""


class How(StrEnum):
    """By what somebody was recognised."""

    NOTHING = "nothing"
    PEER = "peer"
    """The kernel told who is at the other end of the Unix socket."""
    LOOPBACK = "loopback"
    """The kernel told who owns the other end of a TCP connection of this machine."""
    TOKEN = "token"  # noqa: S105 - a word
    HMAC = "hmac"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks."""

    name: str
    """For the journal and the audit: ``uid 0 pid 42``, ``token 7f3a``, ``certificate ops``; never a secret."""
    how: How = How.NOTHING
    role: Role | None = None
    """None: anonymous."""
    workers: tuple[str, ...] = ()
    """Globs of the workers that are concerned; empty: all."""
    uid: int | None = None
    source: str = ""
    """From where: ``unix``, or an address with its port."""


ANONYMOUS = Principal("anonymous")


@dataclass(frozen=True, slots=True)
class Tls:
    """What TLS is spoken with: paths of PEM files."""

    certificate: str
    """Of the server, with those between it and its authority behind it."""
    key: str
    client_ca: str | None = None
    """The authorities that certificates of clients must come from; None: no client is asked for one."""


@dataclass(frozen=True, slots=True)
class HmacKey:
    """A key that requests are signed with; its name is public."""

    secret_file: str
    role: Role
    workers: tuple[str, ...] = ()
    """Globs; empty: all workers."""


@dataclass(frozen=True, slots=True)
class Roles:
    """What others than root and the daemon's own user are, by the names that they are recognised by."""

    groups: Mapping[str, Role] = field(default_factory=dict[str, Role])
    """Of the machine."""
    certificates: Mapping[str, Role] = field(default_factory=dict[str, Role])
    """The common name, or a subject alternative name."""
