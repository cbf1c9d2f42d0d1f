"""Who asks, and what may be asked by whom: the words of access control. ``docs/reference/access.md`` is the promise."""

from dataclasses import dataclass
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
