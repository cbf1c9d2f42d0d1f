"""Who sent the XML-RPC request that is being answered: by the peer credentials of its Unix socket, or its address."""

import socket
import struct
from typing import Any

_UCRED = struct.Struct("3i")


class Caller:
    """The connection whose request is being answered; None outside a request."""

    def __init__(self) -> None:
        self.channel: Any = None

    def who(self) -> str:
        """Return ``uid:N pid:M``, an address, or ``-``."""
        if self.channel is None:
            return "-"
        try:
            connection: Any = self.channel.socket
            if connection.family != socket.AF_UNIX:
                return str(connection.getpeername()[0])
            pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        except (OSError, AttributeError):
            return "-"
        return f"uid:{uid} pid:{pid}"
