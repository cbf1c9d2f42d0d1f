"""The API's client: HTTP, one connection for each request. How one comes to be is a Way's business.

Rules:

1. Whatever goes wrong is a RequestError with a sentence; an OSError that leaves a command is its own output's.
2. Nothing is tried twice here: what was carried out before the connection broke must not be carried out again.
"""

import json
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlencode

from crewd.ctl import failures
from crewd.ctl.failures import RequestError
from crewd.ctl.ways import Way

ANSWER_SEC = 30.0
"""How long the daemon may take for an answer that waits for nothing."""
OK = 200
GOOD = range(200, 300)
API = "/api/v1"
PIECE_BYTES = 65536

Query = Sequence[tuple[str, str | int]]
Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. ``path`` is below ``/api/v1``; ``timeout_sec`` is for each part of the answer, None: for ever."""

    path: str
    query: Query = ()
    method: str = "GET"
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout_sec: float | None = ANSWER_SEC

    @property
    def target(self) -> str:
        """What stands in the request line."""
        return f"{API}{self.path}" + (f"?{urlencode(self.query)}" if self.query else "")


class _Connection(HTTPConnection):
    """An HTTP connection by that way."""

    def __init__(self, way: Way, timeout_sec: float | None) -> None:
        super().__init__(way.authority, timeout=timeout_sec)
        self._way = way
        self._patience_sec = timeout_sec

    def connect(self) -> None:
        """Connect."""
        self.sock = self._way.connected(self._patience_sec)


class Client:
    """The daemon, asked. Raises RequestError."""

    def __init__(self, way: Way) -> None:
        self.way = way

    def get(self, path: str, query: Query = ()) -> Any:
        """Return the ``data`` of an answer."""
        return self.answer(Request(path, query))

    def answer(self, request: Request) -> Any:
        """Return the ``data`` of an answer."""
        with self._response(request) as response:
            return self.data(self.parsed(self._heard(response.read)))

    def members(self, request: Request, *, also: Collection[int] = ()) -> dict[str, Any]:
        """Return the members of an answer that has no envelope; ``also``: statuses of such answers besides 200."""
        with self._response(request, also) as response:
            return self.parsed(self._heard(response.read))

    def lines(self, request: Request) -> Generator[bytes]:
        """Give the lines of an answer as they come, each with its newline, except perhaps the last.

        Not by the response's own ``readline``, which takes an answer that was broken off for a whole one.
        """
        rest = b""
        for piece in self.pieces(request):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line + b"\n"
        if rest:
            yield rest

    def pieces(self, request: Request) -> Generator[bytes]:
        """Give the bytes of an answer as they come."""
        with self._response(request) as response:
            while piece := self._heard(lambda: response.read1(PIECE_BYTES)):
                yield piece

    @contextmanager
    def _response(self, request: Request, also: Collection[int] = ()) -> Generator[HTTPResponse]:
        connection = _Connection(self.way, request.timeout_sec)
        try:
            response = self._asked(connection, request)
            if response.status not in GOOD and response.status not in also:
                raise self._no(response)
            yield response
        finally:
            connection.close()

    def _asked(self, connection: _Connection, request: Request) -> HTTPResponse:
        content = None if request.body is None else json.dumps(request.body).encode()
        kind = {} if content is None else {"Content-Type": "application/json"}
        try:
            connection.connect()
        except OSError as cause:
            raise self.way.unreachable(cause) from None
        try:
            connection.request(request.method, request.target, content, {**kind, **self.way.headers, **request.headers})
        except TimeoutError as cause:
            raise self.way.unreachable(cause) from None
        except OSError:
            pass  # a no may come before all was read: it is in the answer
        return self._heard(connection.getresponse)

    def _heard(self, read: Callable[[], Part]) -> Part:
        """Read a part of an answer."""
        try:
            return read()
        except TimeoutError as cause:
            raise self.way.unreachable(cause) from None
        except (OSError, IncompleteRead) as cause:
            raise self.way.cut_off(cause) from None
        except HTTPException:
            raise failures.not_crewd(self.way.where) from None

    def _no(self, response: HTTPResponse) -> RequestError:
        """Return what the daemon's no means."""
        envelope = self.parsed(self._heard(response.read), response.status)
        return failures.refused(
            response.status, envelope, known=bool(self.way.headers), again=response.headers.get("Retry-After", "")
        )

    def parsed(self, text: bytes, status: int = OK) -> dict[str, Any]:
        """Return the members of an answer; it is not crewd's where it is not an object of JSON."""
        try:
            members = json.loads(text)
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise failures.not_crewd(self.way.where, status)
        return cast("dict[str, Any]", members)

    def data(self, envelope: Mapping[str, Any]) -> Any:
        """Return the data in an answer's envelope."""
        if envelope.get("success") is not True:
            raise failures.refused(OK, envelope)
        return envelope.get("data")


def segment(name: str) -> str:
    """Return a name as it may stand in a path."""
    return quote(name, safe="")
