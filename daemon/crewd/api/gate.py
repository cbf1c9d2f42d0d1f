"""What every request passes before it is routed: who may come in, how much at once; and what goes wrong behind.

Rules:

1. Nothing is served that was not let in: also what does not exist is refused to whoever may not ask.
2. The body is read here, whole, within BODY_BYTES and BODY_SEC. No answer needs it in pieces.
3. Who was let in is marked (``let_in`` in the scope's state): the status alone does not tell it.
4. Every error becomes an answer in the envelope. One that nobody expected is logged; the client is told no more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crewd.api.admission import Whole
from crewd.api.envelope import JSON, failure
from crewd.api.refusals import INTERNAL, Refusal, Refused, invalid, refusal_of
from crewd.api.seats import Seat, Seats
from crewd.model.access import ANONYMOUS, Access, Principal, Role

BODY_BYTES = 1024 * 1024
BODY_SEC = 10.0
REQUESTS = 64
"""So many requests are dealt with at once."""
PUBLIC = 32
"""And so many of those that anybody may ask: they take nobody's place."""
STREAMS = 256
"""So many answers go on at once; they are no longer among the requests once they have begun."""

_log: Any = structlog.get_logger("crewd")

Admit = Callable[[Scope, Access, Whole], Awaitable[Principal]]
"""Raises Refused for whoever is not let in; sets the principal in the scope's state in any case."""


class Gate:
    """An ASGI application around another one. ``access`` is the column of the table of routes, by method and path."""

    def __init__(
        self,
        app: ASGIApp,
        admit: Admit,
        access: Callable[[str, str], Access],
        requests: int = REQUESTS,
        streams: int = STREAMS,
    ) -> None:
        self._app = app
        self._admit = admit
        self._access = access
        self._requests = Seats(requests, "requests are under way")
        self._public = Seats(PUBLIC, "requests of anybody are under way")
        self._streams = Seats(streams, "answers go on just now")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Deal with one request."""
        state = scope["state"]
        state["principal"], state["let_in"] = ANONYMOUS, False
        access = state["access"] = self._access(scope["method"], scope["path"])
        body, answer = _Body(scope, receive), _Answer(send)
        try:
            principal = await self._admit(scope, access, body.whole)
            state["let_in"] = True
            if access is Access.ANYONE:
                body.read = b""  # nobody looks at it, so nobody waits for it
            await self._let_in(scope, body, answer, principal)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            await answer.refuse(_said(error, scope), scope)

    async def _let_in(self, scope: Scope, body: "_Body", answer: "_Answer", principal: Principal) -> None:
        public = scope["state"]["access"] is Access.ANYONE
        seat = Seat(self._public if public else self._requests, admin=principal.role is Role.ADMIN)

        def goes_on() -> None:
            """Give the seat of a request back for one of those that go on for long."""
            seat.change(self._streams)

        scope["state"]["goes_on"] = goes_on
        try:
            await body.whole()
            await self._app(scope, body.replay, answer.send)
        finally:
            seat.leave()


class _Answer:
    """Whether one was begun, and whether it is whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False
        self._whole = False

    async def send(self, message: Message) -> None:
        """Pass it on."""
        self._begun = True
        self._whole = message["type"] == "http.response.body" and not message.get("more_body")
        await self._send(message)

    async def refuse(self, refusal: Refusal, scope: Scope) -> None:
        """Answer no; an answer that was begun and is not whole is broken off."""
        if self._begun:
            if not self._whole:
                scope["state"]["abort"]()
            return
        body = failure(refusal.code, refusal.message, refusal.details)
        headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(body)).encode())]
        # what is left of the request is not read
        headers.append((b"connection", b"close"))
        headers += [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
        await self._send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _said(error: Exception, scope: Scope) -> Refusal:
    refusal = refusal_of(error)
    if refusal is INTERNAL:
        _log.error("internal error", path=scope.get("path"), error=repr(error), exc_info=error)
    return refusal


class _Body:
    """The body of a request: read once, whole, and then had again as if it had just come."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._given = False
        self.read: bytes | None = None
        """None before it was read."""

    async def whole(self) -> bytes:
        """Return it; raises Refused where it is too large, or does not come."""
        if self.read is None:
            self.read = await _read(self._scope, self._receive)
        return self.read

    async def replay(self) -> Message:
        """Return it as the message that it came in, and afterwards that the client is gone."""
        if self._given or self.read is None:
            return await self._receive()
        self._given = True
        return {"type": "http.request", "body": self.read, "more_body": False}


async def _read(scope: Scope, receive: Receive) -> bytes:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if len(length) > len(str(BODY_BYTES)) or int(length) > BODY_BYTES:
        raise _too_large()
    body = b""
    try:
        async with asyncio.timeout(BODY_SEC):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise invalid("cannot read the request: it broke off")
                body += message.get("body", b"")
                if len(body) > BODY_BYTES:
                    raise _too_large()
                if not message.get("more_body"):
                    return body
    except TimeoutError:
        raise invalid(f"cannot read the request: its body did not come within {BODY_SEC:g} s") from None


def _too_large() -> Refused:
    return Refused(Refusal(413, "VALID_001", f"cannot read the request: more than {BODY_BYTES // 1024} KiB"))
