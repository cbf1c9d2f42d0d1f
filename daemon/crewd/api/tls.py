"""TLS: what it is spoken with, and the doorstep, where a connection waits until both sides have shaken hands.

Rules:

1. Each connection speaks with what is valid now: a reload brings new certificates, open connections keep theirs.
2. TLS 1.2 at least. Where certificates of clients are accepted, one that is shown must be of those authorities.
3. Nobody stands on the doorstep for long, and no more than WAITING do.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

import structlog

from crewd.errors import TargetError
from crewd.model.access import Tls
from crewd.model.spec import CrewSpec

SHAKE_SEC = 10.0
GOODBYE_SEC = 2.0
WAITING = 64

_log: Any = structlog.get_logger("crewd")


def context_of(tls: Tls) -> ssl.SSLContext:
    """Return what a server speaks TLS with; blocking. Raises TargetError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        # without a password of its own OpenSSL would ask for one on the terminal
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ValueError) as cause:  # SSLError is an OSError
        why = getattr(cause, "strerror", None) or str(cause)
        raise TargetError(f"cannot speak TLS with {tls.certificate} and {tls.key}: {why}", retryable=True) from None
    return context


class Certificates:
    """What TLS is spoken with now. ``configured``: what is in force, the same object as long as it is the same."""

    def __init__(self, tls: Tls, configured: Callable[[], CrewSpec]) -> None:
        self._tls = tls
        self._configured = configured
        self._of: CrewSpec | None = None
        self._context: ssl.SSLContext | None = None
        self._making = asyncio.Lock()

    async def context(self) -> ssl.SSLContext:
        """Return it; raises TargetError where there is none yet. What was good holds until something better is."""
        async with self._making:
            spec = self._configured()
            if self._context is None or spec is not self._of:
                self._context = await self._made(spec.daemon.tls or self._tls)
                self._of = spec
            return self._context

    async def _made(self, tls: Tls) -> ssl.SSLContext:
        try:
            return await asyncio.to_thread(context_of, tls)
        except TargetError as error:
            if self._context is None:
                raise
            _log.error("going on with the certificate as it was", why=str(error))
            return self._context


class Doorstep:
    """Where connections of one listener wait."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._waiting: set[_Visitor] = set()

    def before(self, connection: asyncio.Protocol) -> asyncio.Protocol:
        """Return the protocol that shakes hands, and then hands over to this one."""
        return _Visitor(connection, self._certificates, self._waiting)

    def clear(self) -> None:
        """Send away all who still wait."""
        for visitor in tuple(self._waiting):
            visitor.send_away()


class _Early(asyncio.Protocol):
    """Holds what comes between the handshake and the moment at which the connection is handed over."""

    def __init__(self) -> None:
        self.data = b""
        self.gone = False

    def data_received(self, data: bytes) -> None:
        """Keep it."""
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """There is nobody any more to hand over."""
        self.gone = True


class _Visitor(asyncio.Protocol):
    """A connection that has not shaken hands."""

    def __init__(self, connection: asyncio.Protocol, certificates: Certificates, waiting: "set[_Visitor]") -> None:
        self._connection = connection
        self._certificates = certificates
        self._waiting = waiting
        self._transport: asyncio.Transport
        self._shaking: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._waiting) >= WAITING:
            self._transport.abort()
            return
        self._waiting.add(self)
        self._shaking = asyncio.get_running_loop().create_task(self._shake())

    def send_away(self) -> None:
        """End it."""
        if self._shaking is not None:
            self._shaking.cancel()
        self._transport.abort()

    async def _shake(self) -> None:
        # What comes is for TLS. Paused no earlier: Python 3.11.2 begins to read as soon as the connection was made.
        self._transport.pause_reading()
        early = _Early()
        try:
            secured = await self._secured(early)
        except (OSError, TargetError):
            self._transport.abort()  # it is no TLS, or none of ours: nothing can be said to it
            return
        finally:
            self._waiting.discard(self)
        if secured is None or early.gone:
            return
        secured.set_protocol(self._connection)
        self._connection.connection_made(secured)
        if early.data:
            self._connection.data_received(early.data)

    async def _secured(self, early: _Early) -> asyncio.Transport | None:
        return await asyncio.get_running_loop().start_tls(
            self._transport,
            early,
            await self._certificates.context(),
            server_side=True,
            ssl_handshake_timeout=SHAKE_SEC,
            ssl_shutdown_timeout=GOODBYE_SEC,
        )
