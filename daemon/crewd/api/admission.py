"""Who is let in.

- Over the Unix socket: root and the daemon's own user, by the credentials of the process that connected. The socket's
  mode is not relied on. What anybody may ask for is given to anybody.
- Over TCP: anybody on the machine, for what anybody may ask; and only by a Host that means this machine, so that no web
  page reaches it by a name of its own (DNS rebinding).
"""

import os
import socket
import struct
from collections.abc import Callable, Collection
from typing import NamedTuple

from starlette.types import Scope

from crewd.api.refusals import Refusal, Refused
from crewd.model.access import ANONYMOUS, How, Principal, Role

HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_UCRED = struct.Struct("3i")


class Peer(NamedTuple):
    """A process at the other end of a Unix socket, as it was when it connected."""

    uid: int
    pid: int

    def principal(self, role: Role | None) -> Principal:
        """Return who that is."""
        return Principal(f"uid {self.uid} pid {self.pid}", How.PEER, role, uid=self.uid, source="unix")


def peer_of(connection: socket.socket | None) -> Peer | None:
    """Return who is at the other end; None where that cannot be known, as over TCP."""
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(uid, pid)


def peers_only(open_paths: Collection[str]) -> Callable[[Scope], None]:
    """Return the admission of the Unix socket; ``open_paths`` are for anybody."""
    admitted = {0, os.geteuid()}

    def admit(scope: Scope) -> None:
        peer: Peer | None = scope["state"].get("peer")
        role = Role.ADMIN if peer is not None and peer.uid in admitted else None
        scope["state"]["principal"] = ANONYMOUS if peer is None else peer.principal(role)
        if scope["path"] not in open_paths and role is None:
            whose = "an unknown user" if peer is None else f"user {peer.uid}"
            raise _refused(f"cannot let {whose} in: only root and the user that crewd runs as may ask")

    return admit


def hosts_only(listening: str) -> Callable[[Scope], None]:
    """Return the admission of TCP; ``listening`` is the host that is listened on."""
    hosts = HOSTS | {listening.lower()}

    def admit(scope: Scope) -> None:
        named = [value.decode("latin-1") for key, value in scope["headers"] if key == b"host"]
        if len(named) != 1 or _without_port(named[0]) not in hosts:
            raise _refused(f"cannot answer for the host {named[0] if named else ''!r}: it is not this machine")
        scope["state"]["principal"] = ANONYMOUS

    return admit


def _without_port(host: str) -> str:
    name, colon, port = host.strip().lower().rpartition(":")
    return name if colon and port.isdecimal() else host.strip().lower()


def _refused(message: str) -> Refused:
    return Refused(Refusal(403, "AUTH_002", message))
