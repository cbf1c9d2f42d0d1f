"""The other end of ``crewd.supervisord.apply_socket``: one request of the daemon's, answered by root. Rules:

1. Whoever asks is the daemon's user or root: by the kernel's word, not only by the socket's mode.
2. A request is bounded in size and time. Of what it says, one word counts; the rest is hostile, and judged as such.
"""

import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

from crewd.errors import TargetError
from crewd.model.home import Home
from crewd.model.offer import OFFERS_BYTES
from crewd.supervisord.apply_socket import Answer, Request

READ_SEC = 30.0
REQUEST_BYTES = OFFERS_BYTES + 64
_CHUNK = 1024 * 1024
_UCRED = struct.Struct("3i")


def serve(descriptor: int, home: Home, act: Callable[[Request, bytes], Answer]) -> None:
    """Answer the one request on a connected socket. ``act`` does what is asked, with the offers as text."""
    with socket.socket(fileno=descriptor) as connection:
        try:
            request, offers = _read(connection)  # first: who is refused unread sees a broken connection, not why
            _admit(connection, home)
        except TargetError as refused:
            answer = Answer(1, complaint=str(refused))
        else:
            answer = act(request, offers)
        connection.settimeout(READ_SEC)
        try:
            connection.sendall(answer.to_json())
        except OSError:
            return  # nobody waits for it any more


def _admit(connection: socket.socket, home: Home) -> None:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, _ = _UCRED.unpack(credentials)
    if uid not in {0, os.geteuid(), _daemon(home)}:
        raise TargetError(f"cannot apply for uid {uid}: the daemon's user and root may ask")


def _daemon(home: Home) -> int:
    """Return the daemon's user: whose its state is."""
    try:
        return Path(home.lib).stat().st_uid
    except OSError:
        return os.geteuid()


def _read(connection: socket.socket) -> tuple[Request, bytes]:
    deadline, received = time.monotonic() + READ_SEC, bytearray()
    try:
        while chunk := _chunk(connection, deadline):
            received += chunk
            if len(received) > REQUEST_BYTES:
                raise TargetError(f"cannot apply: the request has more than {REQUEST_BYTES} bytes")
    except OSError as cause:
        raise TargetError(f"cannot read the request: {cause.strerror or cause}") from None
    word, _, offers = bytes(received).partition(b"\n")
    try:
        return Request(word.decode("ascii", "replace")), offers
    except ValueError:
        raise TargetError("cannot apply: the request begins with neither check nor apply") from None


def _chunk(connection: socket.socket, deadline: float) -> bytes:
    connection.settimeout(max(0.001, deadline - time.monotonic()))
    return connection.recv(_CHUNK)
