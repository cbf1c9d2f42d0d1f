"""An answer that comes piece by piece, for as long as somebody reads and the daemon runs.

Rules:

1. It ends as soon as the reader goes, the daemon ends, or nothing could be sent for STALL_SEC.
2. Nothing is left waiting: what makes the pieces is closed in every case.
3. A mistake after the first piece can only end the connection: the reader sees that the answer is not whole.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from crewd.errors import CrewdError

STALL_SEC = 30.0
SSE = "text/event-stream"
T = TypeVar("T")

_log: Any = structlog.get_logger("crewd")


class Ending:
    """Whether the daemon ends: what would go on for ever ends then."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()


class Pieces(Response):
    """The answer; see ``begun`` for pieces whose first may be a refusal."""

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        ending: Ending,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(None, headers=headers, media_type=media_type)
        del self.headers["content-length"]
        self._pieces = pieces
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; raises Refused where too many answers go on already."""
        try:
            scope["state"]["goes_on"]()
        except CrewdError:
            await self._pieces.aclose()
            raise
        sending = asyncio.create_task(self._send(scope, send))
        gone = asyncio.create_task(disconnected(receive))
        ends = asyncio.create_task(self._ending.asked.wait())
        try:
            await asyncio.wait((sending, gone, ends), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, ends, sending):
                task.cancel()
            await asyncio.gather(gone, ends, sending, return_exceptions=True)
            await self._pieces.aclose()
        if not sending.cancelled():
            sending.result()  # a mistake is for the gate
        if gone.cancelled():
            await _bounded(scope, send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        try:
            async for piece in self._pieces:
                await _bounded(scope, send, {"type": "http.response.body", "body": piece, "more_body": True})
        except CrewdError as error:
            _log.warning("an answer was broken off", path=scope["path"], why=str(error))
            scope["state"]["abort"]()


async def begun(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Return the same pieces once the first is there: what goes wrong before is an answer of its own."""
    first = await anext(pieces)

    async def rest() -> AsyncGenerator[bytes, None]:
        async with aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    return rest()


async def or_silence(steps: AsyncGenerator[T, None], silence_sec: float) -> AsyncGenerator[T | None, None]:
    """Yield the same steps, and None after so long without one. Closing it closes them."""
    async with aclosing(steps):
        ahead = asyncio.ensure_future(anext(steps))
        try:
            while True:
                done, _ = await asyncio.wait((ahead,), timeout=silence_sec)
                if not done:
                    yield None
                    continue
                try:
                    step = ahead.result()
                except StopAsyncIteration:
                    return
                yield step
                ahead = asyncio.ensure_future(anext(steps))
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)


async def _bounded(scope: Scope, send: Send, message: Mapping[str, Any]) -> None:
    """Send it, or end the connection where the reader does not read."""
    try:
        async with asyncio.timeout(STALL_SEC):
            await send(dict(message))
    except TimeoutError:
        scope["state"]["abort"]()


async def disconnected(receive: Receive) -> None:
    """Wait until whoever asked is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
