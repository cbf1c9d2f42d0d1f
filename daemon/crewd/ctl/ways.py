"""The ways to a daemon: its Unix socket, and an address over TLS. The client is the same for both.

Rules:

1. A token goes to an address alone: on the Unix socket the kernel tells who asks.
2. Nothing is sent before the other end has shown a certificate that is trusted for its name. Without TLS only this very
   machine is spoken to. There is no switch for less.
"""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from crewd.ctl import failures, tls_failures
from crewd.ctl.failures import RequestError

CONNECT_SEC = 10.0
"""How long another machine may take to answer a knock; for what it is asked then, each request has its own time."""


class Way(Protocol):
    """How a daemon is reached."""

    @property
    def where(self) -> str:
        """What sentences call it."""
        ...

    @property
    def authority(self) -> str:
        """What stands in the header Host."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with every request."""
        ...

    def connected(self, timeout_sec: float | None) -> socket.socket:
        """Return a socket at whose other end the daemon is; raises OSError."""
        ...

    def unreachable(self, cause: OSError) -> RequestError:
        """Return why nobody could be asked, and what to do about it."""
        ...

    def cut_off(self, cause: Exception | None = None) -> RequestError:
        """Return what to say where the connection ended in the middle of an answer."""
        ...


@dataclass(frozen=True, slots=True)
class UnixWay:
    """A socket in the file system."""

    path: str

    authority = "localhost"

    @property
    def where(self) -> str:
        """Its path."""
        return self.path

    @property
    def headers(self) -> Mapping[str, str]:
        """None: the kernel tells who asks."""
        return {}

    def connected(self, timeout_sec: float | None) -> socket.socket:
        """Connect."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout_sec)
            made.connect(self.path)
        except OSError:
            made.close()
            raise
        return made

    def unreachable(self, cause: OSError) -> RequestError:
        """Return why nobody could be asked."""
        return failures.unreachable(self.path, cause)

    def cut_off(self, cause: Exception | None = None) -> RequestError:  # noqa: ARG002 - a socket says no more
        """Return what to say where the daemon ended."""
        return failures.cut_off(self.path)


@dataclass(frozen=True, slots=True)
class TcpWay:
    """An address. ``context``: None where it is of this machine, and spoken to without TLS."""

    host: str
    port: int
    context: ssl.SSLContext | None
    token: str = field(default="", repr=False)

    @property
    def authority(self) -> str:
        """``host:port``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def where(self) -> str:
        """Its URL."""
        return f"{'http' if self.context is None else 'https'}://{self.authority}"

    @property
    def headers(self) -> Mapping[str, str]:
        """The token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def connected(self, timeout_sec: float | None) -> socket.socket:
        """Connect, and have the certificate checked."""
        within_sec = CONNECT_SEC if timeout_sec is None else min(CONNECT_SEC, timeout_sec)
        made = socket.create_connection((self.host, self.port), within_sec)
        try:
            # a machine that vanishes says nothing: who follows for ever is to notice all the same
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                made = self.context.wrap_socket(made, server_hostname=self.host)
            made.settimeout(timeout_sec)
        except OSError:
            made.close()
            raise
        return made

    def unreachable(self, cause: OSError) -> RequestError:
        """Return why nobody could be asked."""
        return tls_failures.unreachable(self.where, cause)

    def cut_off(self, cause: Exception | None = None) -> RequestError:
        """Return what to say where the connection ended: with TLS 1.3 a no to our certificate comes that late."""
        return tls_failures.cut_off(self.where, cause)
