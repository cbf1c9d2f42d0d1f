"""The server: the Unix socket with all of the API, and TCP with what anyone may ask.

Rules:

1. Supervision does not depend on it. What keeps it from listening is said loudly, and tried again every AGAIN_SEC.
2. Neither listener depends on the other: where a port is taken, the Unix socket serves, and its ``/readyz`` says why.
"""

import asyncio
import importlib
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

import structlog

from crewd.api.ports import Ports
from crewd.api.sockets import tcp_host, tcp_socket, unix_socket
from crewd.errors import TargetError

AGAIN_SEC = 10.0
Bound = Callable[[str], AbstractContextManager[socket.socket]]

_log: Any = structlog.get_logger("crewd")


class Server:
    """Both listeners. ``listen`` is ``host:port`` of the loopback interface; "": no TCP."""

    def __init__(self, ports: Ports, socket_path: str, listen: str, again_sec: float = AGAIN_SEC) -> None:
        self._ports = ports
        self._socket_path = socket_path
        self._listen = listen
        self._again_sec = again_sec
        self._troubles: dict[str, str] = {}

    async def serve(self) -> None:
        """Serve until cancelled; what is under way is answered before it ends."""
        await asyncio.to_thread(_load)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(self._socket_path, unix_socket, self._serve_unix))
            if self._listen:
                tasks.create_task(self._keep(self._listen, tcp_socket, self._serve_tcp))

    def troubles(self) -> tuple[str, ...]:
        """Return what keeps us from listening, in sentences."""
        return tuple(self._troubles.values())

    async def _keep(self, where: str, bound: Bound, serve: Callable[[socket.socket], Awaitable[None]]) -> None:
        """Listen there and serve; where that cannot be, say so once, and try again."""
        while True:
            try:
                with bound(where) as listening:
                    self._troubles.pop(where, None)
                    _log.info("listening", on=where)
                    await serve(listening)
            except TargetError as error:
                if str(error) != self._troubles.get(where):
                    _log.error("cannot listen; trying again", why=str(error))
                self._troubles[where] = str(error)
            await asyncio.sleep(self._again_sec)

    async def _serve_unix(self, listening: socket.socket) -> None:
        from crewd.api.app import unix_app  # noqa: PLC0415 - see _load
        from crewd.api.listener import Listener  # noqa: PLC0415
        from crewd.api.streaming import Ending  # noqa: PLC0415

        ending = Ending()
        app = unix_app(self._ports, ending, self.troubles)
        await Listener(app, ending.asked.set).serve_for_ever(listening)

    async def _serve_tcp(self, listening: socket.socket) -> None:
        from crewd.api.app import tcp_app  # noqa: PLC0415 - see _load
        from crewd.api.listener import Listener  # noqa: PLC0415

        app = tcp_app(self._ports, tcp_host(self._listen), self.troubles)
        await Listener(app).serve_for_ever(listening)


def _load() -> None:
    """Import FastAPI and uvicorn, which takes a while: in a thread, so that the loop goes on."""
    for module in ("crewd.api.app", "crewd.api.listener"):
        importlib.import_module(module)
