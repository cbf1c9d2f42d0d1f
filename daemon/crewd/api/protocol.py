"""One connection: uvicorn's HTTP over h11, with what it lacks.

Rules:

1. Whoever connects is known before the first request: ``scope["state"]["caller"]``.
2. Nobody holds a connection for nothing: a request has REQUEST_SEC to come, an answer LINGER_SEC to be read.
3. No more than CONNECTIONS at a listener; one too many is closed at once. Over the Unix socket the last RESERVED of
   them are for root and the daemon's own user: nobody else can keep them out.
"""

import asyncio
import os
from typing import Any, cast

from h11 import Data, EndOfMessage, Response
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from crewd.api.callers import Caller
from crewd.api.envelope import JSON, failure

CONNECTIONS = 512
RESERVED = 16
REQUEST_SEC = 10.0
LINGER_SEC = 15.0


class Connection(H11Protocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._patience: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take note of who connected."""
        super().connection_made(transport)
        caller = Caller.of(transport)
        self.app_state = {**self.app_state, "caller": caller, "abort": transport.abort}
        stranger = caller.peer is not None and caller.peer.uid not in (0, os.geteuid())
        if len(self.connections) > (CONNECTIONS - RESERVED if stranger else CONNECTIONS):
            transport.abort()
        self._mind()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        super().data_received(data)
        self._mind()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        super().connection_lost(exc)
        self._forget()
        if self._lingering is not None:
            self._lingering.cancel()  # or else it would fail, and hold all of this until then

    def on_response_complete(self) -> None:
        """See to it that the answer is read, if it is the last one."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._linger()

    def timeout_keep_alive_handler(self) -> None:
        """End what is idle; at once, where not even the last answer was read."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the envelope."""
        body = failure("VALID_001", f"cannot read the request: {msg}", {})
        length = (b"content-length", str(len(body)).encode())
        headers = [(b"content-type", JSON.encode()), length, (b"connection", b"close")]
        for event in (Response(status_code=400, headers=headers), Data(data=body), EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._linger()

    def _mind(self) -> None:
        """Have patience with a request that is still to come."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # uvicorn says it is never None
        if cycle is not None and not cycle.response_complete:
            self._forget()
        elif self._patience is None:
            self._patience = self.loop.call_later(REQUEST_SEC, self.transport.abort)

    def _linger(self) -> None:
        """Let what was answered be read, for a while."""
        self._lingering = self._lingering or self.loop.call_later(LINGER_SEC, self.transport.abort)

    def _forget(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
