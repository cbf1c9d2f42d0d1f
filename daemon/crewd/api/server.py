"""The server: all of the API on a Unix socket, and on TCP.

Rules:

1. Supervision does not depend on it. What keeps it from listening is said loudly, and tried again every AGAIN_SEC.
2. Neither listener depends on the other: where a port is taken, the Unix socket serves, and its ``/readyz`` says why.
   It says so until there is all that it takes to serve, a certificate that can be used, too.
3. Beyond the loopback interface there is no TCP without TLS: the configuration says so, and this holds it.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog

from crewd.api.ports import Ports
from crewd.api.rules import Rulebook
from crewd.api.sockets import open_for_others, tcp_host, tcp_socket, unix_socket, within_machine
from crewd.api.streaming import Ending
from crewd.errors import TargetError
from crewd.model.access import Tls

if TYPE_CHECKING:
    from crewd.api.app import Application
    from crewd.api.tls import Certificates

AGAIN_SEC = 10.0

_log: Any = structlog.get_logger("crewd")


class Server:
    """Both listeners. ``listen`` is ``host:port``; "": no TCP. ``tls``: what it is spoken with there, if it is."""

    def __init__(
        self, ports: Ports, socket_path: str, listen: str, tls: Tls | None = None, again_sec: float = AGAIN_SEC
    ) -> None:
        self._ports = ports
        self._socket_path = socket_path
        self._listen = listen
        self._tls = tls
        self._again_sec = again_sec
        self._troubles: dict[str, str] = {}
        self._rulebook = Rulebook(ports.configured, ports.secret)
        self._ending = Ending()
        self._app: Application
        self._changes: set[asyncio.Task[None]] = set()
        self._bound = False
        """Whether the Unix socket is ours."""

    async def serve(self) -> None:
        """Serve until cancelled; what is under way is answered before it ends."""
        await asyncio.to_thread(_load)
        from crewd.api.app import Application  # noqa: PLC0415 - see _load

        self._ending = Ending()
        self._app = Application(self._ports, self._rulebook, self._ending, self.troubles)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(self._socket_path, self._serve_unix))
            if self._listen:
                tasks.create_task(self._keep(self._listen, self._serve_tcp))

    def changed(self) -> None:
        """The configuration in force is about to be another one: look at it in the next turn of the event loop."""
        task = asyncio.get_running_loop().create_task(self._open_or_close())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    def troubles(self) -> tuple[str, ...]:
        """Return what keeps us from listening, in sentences."""
        return tuple(self._troubles.values())

    async def _open_or_close(self) -> None:
        """Let others open the Unix socket, or not, as the rules of now have it."""
        others = (await self._rulebook.now()).for_others
        if not self._bound:
            return
        try:
            open_for_others(self._socket_path, others=others)
        except TargetError as error:
            _log.error("cannot let others in, or keep them out", why=str(error))

    async def _keep(self, where: str, serve: Callable[[], Awaitable[None]]) -> None:
        """Listen there and serve; where that cannot be, say so once, and try again."""
        while True:
            try:
                await serve()
            except TargetError as error:
                self._troubled(where, str(error))
            except OSError as cause:  # of whatever else: it must not end the other listener
                self._troubled(where, f"cannot listen on {where}: {cause.strerror or cause}")
            await asyncio.sleep(self._again_sec)

    def _troubled(self, where: str, why: str) -> None:
        if why != self._troubles.get(where):
            _log.error("cannot listen; trying again", why=why)
        self._troubles[where] = why

    def _well(self, where: str) -> None:
        self._troubles.pop(where, None)
        _log.info("listening", on=where)

    async def _serve_unix(self) -> None:
        from crewd.api.admission import UNIX  # noqa: PLC0415 - see _load
        from crewd.api.listener import Listener  # noqa: PLC0415

        with unix_socket(self._socket_path) as listening:
            self._well(self._socket_path)
            self._bound = True
            try:
                await self._open_or_close()
                await Listener(self._app.behind(UNIX), self._ending.asked.set).serve_for_ever(listening)
            finally:
                self._bound = False

    async def _serve_tcp(self) -> None:
        from crewd.api.admission import HOSTS, Door  # noqa: PLC0415 - see _load
        from crewd.api.listener import Listener  # noqa: PLC0415

        within = within_machine(self._listen)
        if not within and self._tls is None:
            raise TargetError(f"cannot listen on {self._listen}: it can be reached from elsewhere, and there is no TLS")
        certificates = await self._certificates()
        app = self._app.behind(Door(HOSTS | {tcp_host(self._listen).lower()}, attributes=within))
        with tcp_socket(self._listen) as listening:
            self._well(self._listen)
            await Listener(app, self._ending.asked.set, certificates).serve_for_ever(listening)

    async def _certificates(self) -> "Certificates | None":
        """Return what TLS is spoken with, None: it is not; raises TargetError where that cannot be used."""
        from crewd.api.tls import Certificates  # noqa: PLC0415 - see _load

        if self._tls is None:
            return None
        certificates = Certificates(self._tls, self._ports.configured)
        await certificates.context()
        return certificates


def _load() -> None:
    """Import FastAPI and uvicorn, which takes a while: in a thread, so that the loop goes on."""
    for module in ("crewd.api.app", "crewd.api.listener"):
        importlib.import_module(module)
