"""uvicorn, put to our use: it serves one application on one socket until it is cancelled, and then ends in order.

Rules:

1. No signal handler, no logging and no clock of its own: signals are the daemon's, errors are dealt with in the gate,
   and an idle server does nothing.
2. When it ends, what is under way has GRACE_SEC to be answered; then it is cut off.
"""

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from crewd.api.protocol import Connection
from crewd.api.sockets import BACKLOG
from crewd.api.tls import Certificates, Doorstep

GRACE_SEC = 2
KEEP_ALIVE_SEC = 15
HEAD_BYTES = 64 * 1024
"""So large a request may be without its body: a thousand names fit into its path."""


class Listener(uvicorn.Server):
    """One of them. ``ends`` is called when it begins to end: what would go on for ever is to end then.

    ``certificates``: what TLS is spoken with; None: none is.
    """

    def __init__(
        self, app: ASGIApp, ends: Callable[[], object] = lambda: None, certificates: Certificates | None = None
    ) -> None:
        self._ends = ends
        self._doorstep = None if certificates is None else Doorstep(certificates)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("Any", self._connection),  # uvicorn only ever calls it
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SEC,
                timeout_graceful_shutdown=GRACE_SEC,
                h11_max_incomplete_event_size=HEAD_BYTES,
            )
        )

    async def serve_for_ever(self, listening: socket.socket) -> None:
        """Serve until cancelled; the socket is closed then."""
        try:
            await self.serve([listening])
        finally:
            if self._doorstep is not None:
                self._doorstep.clear()
            for connection in tuple(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)  # they are closed in the next turn of the event loop

    def _connection(self, **options: Any) -> asyncio.Protocol:
        connection = Connection(**options)
        return connection if self._doorstep is None else self._doorstep.before(connection)

    async def main_loop(self) -> None:
        """Wait to be cancelled; what is under way is answered before that goes on."""
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self._ends()
            await self._accept_no_more()
            await self.shutdown()
            raise

    async def _accept_no_more(self) -> None:
        """Let what was accepted become a connection first: asyncio of Python 3.13 trips over it once it is closed."""
        for server in self.servers:
            for listening in server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
        await asyncio.sleep(0)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals alone."""
        yield
