"""Who is at the other end of a connection: what the kernel and TLS tell of it, before anything is asked.

Rules:

1. What stands here nobody could write into a request.
2. Nothing blocks the event loop: /proc and the database of accounts are read in a thread, once for a connection.
"""

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from crewd.policy.attribution import Address, owner
from crewd.policy.provenance import is_loopback

SO_PEERGROUPS = 59
"""Linux has it since 4.13; Python does not name it."""
ESTABLISHED = 1
"""TCP_ESTABLISHED of the kernel."""
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_UCRED = struct.Struct("3i")
_GROUPS_BYTES = 1024
"""Python reads no more: 256 groups."""
_NAMES = ("DNS", "email", "URI")


class Peer(NamedTuple):
    """A process at the other end of a Unix socket, as it was when it connected."""

    uid: int
    pid: int
    gid: int
    groups: frozenset[int] | None
    """Its supplementary groups; None where the kernel does not tell."""


class Caller:
    """The other end of one connection. ``peer`` over a Unix socket, ``client`` and ``server`` over TCP."""

    def __init__(
        self,
        peer: Peer | None,
        client: Address | None = None,
        server: Address | None = None,
        names: Iterable[str] = (),
        connection: Any = None,
    ) -> None:
        self.peer = peer
        self._connection = connection
        self.client = client
        self.server = server
        self.names = tuple(names)
        """By which a certificate calls it that was verified."""
        self._groups: frozenset[int] | None = None
        self._owner: asyncio.Task[int | None] | None = None

    @classmethod
    def of(cls, transport: asyncio.BaseTransport) -> "Caller":
        """Return who is at the other end of a connection that was just made."""
        connection: Any = transport.get_extra_info("socket")
        if connection is not None and connection.family == socket.AF_UNIX:
            return cls(_peer(connection))
        ends = (transport.get_extra_info(name) for name in ("peername", "sockname"))
        client, server = (None if end is None else Address(str(end[0]), int(end[1])) for end in ends)
        return cls(None, client, server, _names(transport.get_extra_info("peercert")), connection)

    async def groups(self) -> frozenset[int]:
        """Return all groups of a peer: those of the process, where the kernel tells, else those of its user."""
        if self.peer is None:
            return frozenset()
        if self._groups is None:
            told = self.peer.groups
            named = await asyncio.to_thread(_groups_of, self.peer) if told is None else told
            self._groups = named | {self.peer.gid}
        return self._groups

    async def owner(self) -> int | None:
        """Return the uid that owns the other end of a connection within this machine; None where that is not known.

        Looked up once: a socket keeps its owner.
        """
        client, server = self.client, self.server
        if client is None or server is None or not (is_loopback(client.host) and is_loopback(server.host)):
            return None
        if self._owner is None:
            self._owner = asyncio.create_task(asyncio.to_thread(_owner, client, server, self._connection))
        return await asyncio.shield(self._owner)


def _peer(connection: Any) -> Peer:
    pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    try:
        raw: bytes = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:  # an older kernel, or more groups than fit
        return Peer(uid, pid, gid, None)
    return Peer(uid, pid, gid, frozenset(struct.unpack(f"{len(raw) // 4}I", raw)))


def _groups_of(peer: Peer) -> frozenset[int]:
    """Return the groups that the database of accounts has for the user."""
    try:
        return frozenset(os.getgrouplist(pwd.getpwuid(peer.uid).pw_name, peer.gid))
    except (KeyError, OSError):
        return frozenset()


def _owner(client: Address, server: Address, connection: Any) -> int | None:
    """Return the owner, looked up twice: a line is not of one moment, and its socket may be closed in between.

    Two ends have one pair of addresses: while ours is established, the line is our peer's. Once it is not, somebody
    else may have the peer's port.
    """
    found = _look_up(client, server)
    same = found is not None and found == _look_up(client, server)
    return found if same and _established(connection) else None


def _established(connection: Any) -> bool:
    """Return whether our end is still connected, by the first byte of ``struct tcp_info``."""
    try:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED
    except OSError:
        return False


def _look_up(client: Address, server: Address) -> int | None:
    for table in TABLES:
        try:
            text = Path(table).read_text(encoding="ascii")
        except OSError:  # a kernel without IPv6
            continue
        if (uid := owner(text, client, server)) is not None:
            return uid
    return None


def _names(certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the common names and the subject alternative names of a verified certificate."""
    if not certificate:
        return ()
    subject = (pair for part in certificate.get("subject", ()) for pair in part)
    common = [value for kind, value in subject if kind == "commonName"]
    return (*common, *(value for kind, value in certificate.get("subjectAltName", ()) if kind in _NAMES))
