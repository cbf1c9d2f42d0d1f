"""What every request passes before it is routed: who may come in, how much at once; and what goes wrong behind.

Rules:

1. Nothing is served that was not let in: also what does not exist is refused to whoever may not ask.
2. The body is read here, whole, within BODY_BYTES and BODY_SEC. No answer needs it in pieces.
3. Every error becomes an answer in the envelope. One that nobody expected is logged; the client is told no more.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crewd.api.envelope import JSON, failure
from crewd.api.refusals import INTERNAL, Refusal, Refused, invalid, refusal_of, too_much

BODY_BYTES = 1024 * 1024
BODY_SEC = 10.0
REQUESTS = 64
"""So many requests are dealt with at once, streams included."""

_log: Any = structlog.get_logger("crewd")

Admit = Callable[[Scope], None]
"""Raises Refused for whoever is not let in."""


class Gate:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, admit: Admit, requests: int = REQUESTS) -> None:
        self._app = app
        self._admit = admit
        self._free = requests
        self._most = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Deal with one request."""
        answer = _Answer(send)
        try:
            self._admit(scope)
            await self._let_in(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            await answer.refuse(_said(error, scope), scope)

    async def _let_in(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        if not self._free:
            raise too_much(f"cannot answer: {self._most} requests are under way")
        self._free -= 1
        try:
            await self._app(scope, await _with_body(scope, receive), answer.send)
        finally:
            self._free += 1


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
        await self._send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _said(error: Exception, scope: Scope) -> Refusal:
    refusal = refusal_of(error)
    if refusal is INTERNAL:
        _log.error("internal error", path=scope.get("path"), error=repr(error), exc_info=error)
    return refusal


async def _with_body(scope: Scope, receive: Receive) -> Receive:
    """Read the body; return where it can be had, and afterwards that the client is gone."""
    body: bytes | None = await _body(scope, receive)

    async def replay() -> Message:
        nonlocal body
        if body is None:
            return await receive()
        read, body = body, None
        return {"type": "http.request", "body": read, "more_body": False}

    return replay


async def _body(scope: Scope, receive: Receive) -> bytes:
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
