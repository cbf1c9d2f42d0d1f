"""What goes into the audit: an ASGI layer around the gate, so that it sees who was turned away there, too.

Rules:

1. Every attempt is noted that was refused, whatever its status, that changes something, or that shows what only an
   operator or an admin may see. What anybody who may read did read is not: a dashboard would leave room for nothing
   else.
2. An answer that goes on is noted when it begins; one that never comes, when whoever asked is given up.
3. Of a request, what is kept is its method, its path without the query, and the user that it claims. Handlers
   say more in ``scope["state"]["details"]``, which a replayed answer has not.
"""

import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crewd.model.access import ANONYMOUS, Access, Principal
from crewd.reconcile.auditing import Entry, Noting

CONFIGURATIONS = "/worker-configs"
BODY_BYTES = 64 * 1024
"""Larger bodies are not read for the user that they claim."""
CLAIM = b"x-crewd-user"
"""The header that names the user; it goes before what the body says."""
NO_BYTES = 64 * 1024
NOT_GRANTED = frozenset({401, 403, 429})
"""Refusals also of somebody whom the gate let in: by a handler, or for there is too much."""
UNANSWERED = "UNANSWERED"
"""The result where nobody waited for the answer, or the daemon ended before it."""
_ERROR = 400
_QUIET = frozenset({Access.ANYONE, Access.VIEWER, Access.WORKER, Access.NODE})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Noted:
    """The layer. ``access``: what each route asks for, by method and path."""

    def __init__(
        self,
        app: ASGIApp,
        noting: Noting,
        access: Mapping[tuple[str, str], Access],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._noting = noting
        self._access = access
        self._wall = wall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, and take note of what came of it."""
        attempt = _Attempt(scope, receive, send, self._note)
        try:
            await self._app(scope, attempt.receive, attempt.send)
        finally:
            attempt.end()

    def _note(self, scope: Scope, status: int, result: str, claimed: str | None) -> None:
        state = cast("Mapping[str, Any]", scope["state"])
        granted = state.get("let_in", False) and status not in NOT_GRANTED
        if granted and self._is_quiet(scope):
            return
        principal = cast("Principal", state.get("principal", ANONYMOUS))
        self._noting.note(
            Entry(
                at=self._wall(),
                principal=principal.name,
                how=principal.how,
                claimed=claimed,
                source=principal.source or _client(scope),
                what=f"{scope['method']} {_path(scope)}",
                granted=granted,
                status=status,
                result=result,
                details=state.get("details", {}),
            )
        )

    def _is_quiet(self, scope: Scope) -> bool:
        route = scope.get("route")
        if route is None:
            return scope["method"] in _SAFE
        access = self._access.get((scope["method"], route.path), Access.ADMIN)
        reports = access in (Access.WORKER, Access.NODE)
        return access in _QUIET and (reports or scope["method"] in _SAFE)


class _Attempt:
    """One request, and its answer as far as it matters."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, note: Callable[[Scope, int, str, str | None], None]
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._note = note
        self._noted = False
        self._status = 0
        self._body: bytes | None = b""
        self._no = b""

    async def receive(self) -> Message:
        """Pass a part of the request on."""
        message = await self._receive()
        if message["type"] == "http.request" and self._body is not None:
            body = self._body + message.get("body", b"")
            self._body = body if len(body) <= BODY_BYTES else None
        return message

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on; a no is read, for its code stands in it."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if self._status < _ERROR:
                self._end("ok")
        elif not self._noted:
            self._no += message.get("body", b"")[:NO_BYTES]
            if not message.get("more_body") or len(self._no) >= NO_BYTES:
                self._end(_code(self._no))
        await self._send(message)

    def end(self) -> None:
        """Take note, where that was not done yet."""
        self._end(UNANSWERED)

    def _end(self, result: str) -> None:
        if not self._noted:
            self._noted = True
            claimed = None if _configures(self._scope) else _claimed(self._body)
            self._note(self._scope, self._status, result, _named(self._scope) or claimed)


def _code(no: bytes) -> str:
    """Return the code in the envelope of a refusal."""
    error = _members(_members(_read(no)).get("error"))
    return str(error.get("code", ""))


def _named(scope: Scope) -> str | None:
    """Return the user that a header names."""
    found = next((value for name, value in scope.get("headers", ()) if name == CLAIM), b"")
    return found.decode("utf-8", "replace") or None


def _configures(scope: Scope) -> bool:
    """Return whether it is about a configuration: the user in its body is whom the worker is to run as."""
    return CONFIGURATIONS in scope["path"]


def _claimed(body: bytes | None) -> str | None:
    """Return the user that a body names."""
    if not body or b'"user"' not in body:
        return None
    user = _members(_read(body)).get("user")
    return user if isinstance(user, str) else None


def _read(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _path(scope: Scope) -> str:
    """Return the path as it was asked for, in ASCII."""
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else raw.partition(b"?")[0].decode("ascii", "backslashreplace")


def _client(scope: Scope) -> str:
    """Return from where it comes, where admission does not tell."""
    client: Collection[Any] | None = scope.get("client")
    if not client:
        return "unix"
    host, port = client
    return f"{host}:{port}"
