"""The XML-RPC client: supervisord over its Unix socket, with a deadline for each call as a whole.

Rules:

1. One connection per call, closed after it: nothing is shared, so any thread may call.
2. Every failure is a TargetError: EngineAbsent where nobody listens, ForeignSupervisord where somebody else does,
   EngineFault where the answer is no.
3. It speaks crewd's RPC version 1; the answers are described in ``docs/reference/``.
"""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeVar, cast
from xml.parsers.expat import ExpatError
from xmlrpc.client import Fault, ProtocolError, ResponseError, ServerProxy, Transport

from crewd.errors import TargetError
from crewd.reconcile.port import EngineAbsent, EngineFault, EngineVersion, ForeignSupervisord, Verb

DEADLINE_SEC = 10.0

UNKNOWN_METHOD = 1
INCORRECT_PARAMETERS = 2
SHUTDOWN_STATE = 6
BAD_NAME = 10
FAILED = 30
"""supervisor's fault codes (supervisor.xmlrpc.Faults) that mean something here."""

Json = dict[str, Any]
T = TypeVar("T")


class Client:
    """Calls the engine; blocks for at most ``deadline_sec`` per call."""

    def __init__(self, socket_path: str, deadline_sec: float = DEADLINE_SEC) -> None:
        self._path = socket_path
        self._deadline_sec = deadline_sec

    def version(self) -> EngineVersion:
        """Return who answers."""
        members = self._json("crewd.version")
        try:
            return _version(members)
        except (KeyError, TypeError, ValueError) as cause:
            raise TargetError(f"cannot read the answer of crewd.version: {cause!r}") from None

    def version_members(self) -> Json:
        """Return all that ``crewd.version`` says."""
        return self._json("crewd.version")

    def status(self, instances: Iterable[str] | None = None) -> Json:
        """Return ``{"generation", "sequence", "instances": [...]}`` of these instances, or of all."""
        return self._json("crewd.status", *(() if instances is None else (list(instances),)))

    def why(self, instance: str) -> Json:
        """Return an instance's last exits with the verdict on each, its policy and what is due."""
        return self._json("crewd.why", instance)

    def apply(self, name: str) -> Json:
        """Let the engine take over the rendering ``current``, whose name must be ``name``; return what it did."""
        return self._json("crewd.apply", name)

    def acknowledge(self, generation: str, sequence: int) -> None:
        """Let the engine remove the journal up to and including this line."""
        self.call("crewd.acknowledge", generation, sequence)

    def start(self, instances: Iterable[str], who: str) -> Json:
        """Start these; return what was done, by instance. Queued: the journal tells when it happened."""
        return self._json("crewd.start", list(instances), who)

    def stop(self, instances: Iterable[str], who: str, *, force: bool = False) -> Json:
        """Stop these, as ``start`` starts; with ``force`` by SIGKILL at once."""
        return self._forced("crewd.stop", instances, who, force=force)

    def restart(self, instances: Iterable[str], who: str, *, force: bool = False) -> Json:
        """Stop and start these, as ``start`` starts; with ``force`` they are stopped by SIGKILL at once."""
        return self._forced("crewd.restart", instances, who, force=force)

    def reset_failed(self, instances: Iterable[str], who: str) -> Json:
        """Forget the history of these, so that one that was given up may run again."""
        return self._json("crewd.reset_failed", list(instances), who)

    def pid(self) -> int:
        """Return supervisord's process id."""
        return int(self.call("supervisor.getPID"))

    def state(self) -> str:
        """Return supervisord's state: RUNNING, RESTARTING, SHUTDOWN or FATAL."""
        return str(self.call("supervisor.getState")["statename"])

    def shutdown(self) -> None:
        """Ask supervisord to end, with all workers."""
        self.call("supervisor.shutdown")

    def call(self, method: str, *arguments: Any) -> Any:
        """Call any method; raises TargetError."""
        transport = _UnixTransport(self._path, time.monotonic() + self._deadline_sec)
        try:
            with ServerProxy("http://localhost", transport=transport) as proxy:
                # supervisord says 400 to <nil/>, and nothing here is ever None
                return getattr(proxy, method)(*arguments)
        except Fault as fault:
            raise self._fault(method, fault) from None
        except (FileNotFoundError, ConnectionRefusedError) as cause:
            raise EngineAbsent(f"cannot call {method}: nobody listens on {self._path}: {_words(cause)}") from None
        except TimeoutError:
            raise TargetError(
                f"cannot call {method}: no answer within {self._deadline_sec:g} s on {self._path}", retryable=True
            ) from None
        except PermissionError as cause:
            raise TargetError(f"cannot call {method}: {self._path}: {_words(cause)}") from None
        except OSError as cause:
            raise TargetError(f"cannot call {method}: {self._path}: {_words(cause)}", retryable=True) from None
        except (ProtocolError, ResponseError, HTTPException, ExpatError, UnicodeError) as cause:
            raise ForeignSupervisord(
                f"cannot call {method}: what listens on {self._path} does not speak supervisord's XML-RPC: {cause!r}"
            ) from None

    def _fault(self, method: str, fault: Fault) -> TargetError:
        if fault.faultCode == UNKNOWN_METHOD and method == "crewd.version":
            return ForeignSupervisord(
                f"cannot use the supervisord on {self._path}: crewd's engine is not loaded in it; "
                "end it, or let crewd use another socket"
            )
        again = fault.faultCode == SHUTDOWN_STATE
        return EngineFault(f"cannot call {method}: {fault.faultString}", fault.faultCode, retryable=again)

    def _forced(self, method: str, instances: Iterable[str], who: str, *, force: bool) -> Json:
        if not force:
            return self._json(method, list(instances), who)
        try:
            return self._json(method, list(instances), who, True)
        except EngineFault as fault:
            if fault.code != INCORRECT_PARAMETERS:
                raise
            message = (
                f"cannot call {method} by force: the engine in supervisord is older and cannot; restart supervisord"
            )
            raise EngineFault(message, fault.code) from None

    def _json(self, method: str, *arguments: Any) -> Json:
        answer = self.call(method, *arguments)
        try:
            members = json.loads(answer)
        except (TypeError, ValueError) as cause:
            raise TargetError(f"cannot read the answer of {method}: {cause}") from None
        if not isinstance(members, dict):
            raise TargetError(f"cannot read the answer of {method}: not an object")
        return cast("Json", members)


class AsyncClient:
    """The same for the loop, one thread for the time of a call. Implements ``reconcile.port.Engine``.

    ``timed`` is told of every call: the method, and how many seconds it took.
    """

    def __init__(self, client: Client, timed: Callable[[str, float], object] = lambda _method, _sec: None) -> None:
        self._client = client
        self._timed = timed

    async def version(self) -> EngineVersion:
        """Return who answers."""
        return await self._call("version", self._client.version)

    async def acknowledge(self, generation: str, sequence: int) -> None:
        """Let the engine remove the journal up to and including this line."""
        await self._call("acknowledge", self._client.acknowledge, generation, sequence)

    async def command(
        self, verb: Verb, instances: Sequence[str], who: str, *, force: bool = False
    ) -> Mapping[str, str]:
        """Ask for it; return what was done, in words, by instance."""
        verbs: dict[Verb, Callable[[Sequence[str], str], Json]] = {
            Verb.START: self._client.start,
            Verb.STOP: partial(self._client.stop, force=force),
            Verb.RESTART: partial(self._client.restart, force=force),
            Verb.RESET_FAILED: self._client.reset_failed,
        }
        done = await self._call(verb.value, verbs[verb], instances, who)
        return {name: str(what) for name, what in done.items()}

    async def why(self, instance: str) -> Json:
        """Return an instance's last exits with the verdict on each, its policy and what is due."""
        return await self._call("why", self._client.why, instance)

    async def shutdown(self) -> None:
        """Ask supervisord to end, with all workers."""
        await self._call("shutdown", self._client.shutdown)

    async def _call(self, method: str, call: Callable[..., T], *arguments: Any) -> T:
        begun = time.monotonic()
        try:
            return await asyncio.to_thread(call, *arguments)
        finally:
            self._timed(method, time.monotonic() - begun)


def _version(members: Mapping[str, Any]) -> EngineVersion:
    journal: Mapping[str, Any] = members.get("journal") or {}
    return EngineVersion(
        rpc=int(members["rpc"]),
        engine=str(members.get("engine") or ""),
        supervisor=str(members.get("supervisor") or ""),
        pid=int(members["pid"]),
        generation=str(members["generation"]),
        table=str(members.get("table") or ""),
        mode=str(members.get("mode") or ""),
        mode_reason=str(members.get("mode_reason") or ""),
        sequence=int(journal.get("sequence") or 0),
        journal_error=str(journal.get("error") or ""),
        drift=tuple(str(sentence) for sentence in members.get("drift") or ()),
    )


def _words(cause: OSError) -> str:
    return cause.strerror or repr(cause)


class _DeadlineSocket(socket.socket):
    """A socket whose reads all together end at a deadline; ``sendall`` keeps its timeout as a whole by itself."""

    deadline = 0.0

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """Read with what is left of the time."""
        self.settimeout(_left(self.deadline))
        return super().recv_into(*arguments, **options)


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, deadline: float) -> None:
        super().__init__("localhost")
        self._path = path
        self._deadline = deadline

    def connect(self) -> None:
        """Connect to the Unix socket."""
        connection = _DeadlineSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.deadline = self._deadline
        connection.settimeout(_left(self._deadline))
        try:
            connection.connect(self._path)
        except BaseException:
            connection.close()
            raise
        self.sock = connection


class _UnixTransport(Transport):
    def __init__(self, path: str, deadline: float) -> None:
        super().__init__()
        self._path = path
        self._deadline = deadline

    def make_connection(self, host: Any) -> HTTPConnection:
        """Return a connection to the socket, whatever the host."""
        connection = _UnixConnection(self._path, self._deadline)
        self._connection = host, connection  # so that it is closed, whatever happens
        return connection

    def request(self, *arguments: Any, **options: Any) -> Any:
        """Ask once: the stock transport would send a command again when the connection breaks."""
        return self.single_request(*arguments, **options)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
