"""``Idempotency-Key``: a POST that is sent twice is done once. An ASGI layer behind the gate, which knows who asks.

Rules:

1. The same key from the same principal for the same request gives the first answer again. For another request it is
   refused, and so it is while the first is under way: two at once are one.
2. Once it has begun it is not given up when whoever asked hangs up: they will ask again for how it ended.
3. What was not done is not kept: a 5xx, what was not let in, what came too fast, what no route is for. What was done
   and has no answer that may be kept, a stream or a secret, is not done again.
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crewd.api.kept_answers import ANSWER_BYTES, Kept, KeptAnswers, Known, Name
from crewd.api.refusals import Refusal, Refused, invalid
from crewd.model.access import How, Principal

HEADER = b"idempotency-key"
REPLAYED = (b"idempotency-replayed", b"true")
KEY_LENGTH = 255
_KEY = re.compile(rf"[!-~]{{1,{KEY_LENGTH}}}")
WAS_DONE = "was_done"
"""What a handler sets in the request's state where something was done, though the answer is a failure."""
NOT_DONE = frozenset({401, 403, 429})
STREAMS = (b"text/event-stream", b"application/x-ndjson")
_FAILED = 500
_REFUSED = 400
_BY_UID = (How.PEER, How.LOOPBACK)


class Idempotency:
    """The layer."""

    def __init__(self, app: ASGIApp, answers: KeptAnswers) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or answer as before."""
        key = _key(scope) if scope["method"] == "POST" else None
        if key is None:
            await self._app(scope, receive, send)
            return
        body = (await receive()).get("body", b"")  # the gate has read it whole
        name, request = (_who(scope["state"]["principal"]), key), _fingerprint(scope, body)
        known = self._answers.find(name)
        if known is not None:
            await _again(_checked(known, request, key), send)
            return
        self._answers.begin(name, request)
        taking = _Taking(send, scope)
        try:
            await self._app(scope, _once(body), taking.send)
        finally:
            self._end(name, taking)

    def _end(self, name: Name, taking: "_Taking") -> None:
        if not taking.done:
            self._answers.forget(name)
        else:
            self._answers.done(name, taking.answer())


class _Taking:
    """Passes an answer on, and takes it down."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send = send
        self._scope = scope
        self._status = 0
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._body: bytes | None = b""
        self._whole = False

    async def send(self, message: Message) -> None:
        """Pass on a part of it."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple(message["headers"])
            if not _may_be_kept(dict(self._headers)):
                self._body = None
        else:
            self._take(message)
        await self._send(message)

    def _take(self, message: Message) -> None:
        self._whole = not message.get("more_body", False)
        if self._body is not None:
            body = self._body + message.get("body", b"")
            self._body = body if len(body) <= ANSWER_BYTES else None

    @property
    def done(self) -> bool:
        """Whether anything was done that must not be done twice, or said no to for good."""
        failed = self._status >= _FAILED and not self._scope["state"].get(WAS_DONE, False)
        if self._status in NOT_DONE or failed or not self._status or self._scope.get("route") is None:
            return False
        return self.answer() is not None or self._status < _REFUSED

    def answer(self) -> Kept | None:
        """Return it, where it is whole and may be kept."""
        if self._body is None or not self._whole:
            return None
        return Kept(self._status, self._headers, self._body)


def _may_be_kept(headers: Mapping[bytes, bytes]) -> bool:
    stream = headers.get(b"content-type", b"").startswith(STREAMS)
    return not stream and b"no-store" not in headers.get(b"cache-control", b"")


def _key(scope: Scope) -> str | None:
    found = [value.decode("latin-1") for name, value in scope["headers"] if name == HEADER]
    if not found:
        return None
    if len(found) > 1:
        raise invalid("cannot read Idempotency-Key: there are several")
    key = found[0]
    if not _KEY.fullmatch(key):
        raise invalid(f"cannot read Idempotency-Key: it has 1 to {KEY_LENGTH} letters of ASCII, and no blank")
    return key


def _who(principal: Principal) -> str:
    """Return who asks: not by their process, for it may be another one that asks again."""
    name = str(principal.uid) if principal.how in _BY_UID else principal.name
    return f"{principal.how} {principal.role} {name}"


def _fingerprint(scope: Scope, body: bytes) -> bytes:
    made = hashlib.sha256()
    for part in (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body):
        made.update(b"%d:" % len(part))
        made.update(part)
    return made.digest()


def _checked(known: Known, request: bytes, key: str) -> Kept:
    """Return the answer to give again; raise Refused where there is none."""
    if known.request != request:
        message = f"cannot take the request: the Idempotency-Key {key} came with another one before; use a new key"
        raise Refused(Refusal(422, "IDEMPOTENCY_001", message))
    if known.under_way:
        message = f"cannot take the request: the first with the Idempotency-Key {key} is under way; ask again"
        raise Refused(Refusal(409, "IDEMPOTENCY_002", message))
    if known.answer is None:
        message = f"cannot take the request: that with the Idempotency-Key {key} was done, and its answer is not kept"
        raise Refused(Refusal(409, "IDEMPOTENCY_003", message))
    return known.answer


async def _again(kept: Kept, send: Send) -> None:
    headers = [*kept.headers, REPLAYED]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body, "more_body": False})


def _once(body: bytes) -> Receive:
    """Return where the body can be had, once; that whoever asked is gone is not told."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if left:
            return left.pop()
        return await asyncio.get_running_loop().create_future()

    return receive
