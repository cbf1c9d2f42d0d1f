"""``GET /workers/{name}/logs``: what a worker wrote, as JSON, as text, or as it is written."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from crewd.api.answering import answer
from crewd.api.envelope import JSON, encoded
from crewd.api.negotiation import asks_for, preferred
from crewd.api.ports import Ports
from crewd.api.refusals import Refusal, Refused
from crewd.api.streaming import SSE, Ending, Pieces, begun, or_silence
from crewd.policy.accounting import worker_of
from crewd.reconcile.output import Line, Lines, OutputQuery, Stream
from crewd.reconcile.selecting import select_one

PLAIN = "text/plain"
TEXT = "text/plain; charset=utf-8"
NO_SNIFFING = {"x-content-type-options": "nosniff"}
CUT = "crewd-cut"
"""The header that tells why there may be more lines than were given."""
DATED = "crewd-dated"
"""The header that tells that some of the lines may be older than was asked for."""
ORDERED = "crewd-ordered"
"""The header that tells that the order of lines of several streams is not known."""
KEEPALIVE_SEC = 15.0
KEEPALIVE = b": keepalive\n\n"


class Which(StrEnum):
    """What may be asked for."""

    STDOUT = "stdout"
    STDERR = "stderr"
    ALL = "all"

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Which streams that are."""
        return tuple(Stream) if self is Which.ALL else (Stream(self.value),)


@dataclass(frozen=True, slots=True)
class Asked:
    """As it was asked for."""

    name: str
    which: Which = Which.STDOUT
    tail: int = 100
    grep: str | None = None
    since: float | None = None
    follow: bool = False


class Logs:
    """The answers. ``keepalive_sec``: how long a stream of messages may be silent."""

    def __init__(self, ports: Ports, ending: Ending, keepalive_sec: float = KEEPALIVE_SEC) -> None:
        self._ports = ports
        self._ending = ending
        self._keepalive_sec = keepalive_sec

    async def answer(self, request: Request, asked: Asked) -> Response:
        """Return it in the form that is preferred."""
        query = self._query(asked)
        if asked.follow or asks_for(request, SSE):
            return await self._follow(query, asked.which, preferred(request, SSE, PLAIN))
        form = preferred(request, JSON, PLAIN)
        found = await self._ports.output.last(query)
        return _plain(found, asked.which) if form == PLAIN else answer(_shape(query, asked.which, found))

    def _query(self, asked: Asked) -> OutputQuery:
        """Return whose output is meant; raises UnknownNames, SeveralInstances, Refused where nothing is known of it."""
        instance = select_one(self._ports.view, asked.name)
        worker = self._ports.view.worker(worker_of(instance))
        if worker is None:
            why = "the configuration in force is not known, nor where it logs to"
            raise Refused(Refusal(404, "LOG_001", f"cannot read {asked.which} of {instance}: {why}"))
        return OutputQuery(worker, instance, asked.which.streams, asked.tail, asked.grep, asked.since)

    async def _follow(self, query: OutputQuery, which: Which, form: str) -> Response:
        """Return the newest lines, and then whatever is written."""
        steps = self._ports.output.follow(query)
        if form == PLAIN:
            return Pieces(await begun(_texts(steps, which)), self._ending, TEXT, NO_SNIFFING)
        messages = _messages(query.instance, steps, self._keepalive_sec)
        return Pieces(await begun(messages), self._ending, SSE, {"cache-control": "no-store"})


def _shape(query: OutputQuery, which: Which, found: Lines) -> dict[str, Any]:
    return {
        "worker_id": worker_of(query.instance),
        "instance": query.instance,
        "stream": which.value,
        "lines": [line.text.decode() for line in found.lines],
        "streams": [line.stream.value for line in found.lines] if which is Which.ALL else None,
        "cut": found.cut,
        "dated": found.dated,
        "ordered": found.ordered,
    }


def _plain(found: Lines, which: Which) -> Response:
    told = {CUT: found.cut, DATED: "" if found.dated else "no", ORDERED: "" if found.ordered else "no"}
    headers = {name: words for name, words in told.items() if words}
    return Response(_text(found.lines, which), headers={"content-type": TEXT, **NO_SNIFFING, **headers})


async def _texts(steps: AsyncGenerator[tuple[Line, ...], None], which: Which) -> AsyncGenerator[bytes, None]:
    async with aclosing(steps):
        async for lines in steps:
            yield _text(lines, which)


async def _messages(
    instance: str, steps: AsyncGenerator[tuple[Line, ...], None], keepalive_sec: float
) -> AsyncGenerator[bytes, None]:
    async with aclosing(or_silence(steps, keepalive_sec)) as pieces:
        begins = b": lines\n\n"
        async for lines in pieces:
            told = KEEPALIVE if lines is None else b"".join(_message(instance, line) for line in lines)
            yield begins + told
            begins = b""


def _message(instance: str, line: Line) -> bytes:
    told = {"instance": instance, "stream": line.stream.value, "line": line.text.decode()}
    return b"event: line\ndata: " + encoded(told) + b"\n\n"


def _text(lines: tuple[Line, ...], which: Which) -> bytes:
    """Return the lines; of several streams each with the name of its own before it."""
    if which is Which.ALL:
        return b"".join(b"%s: %s\n" % (line.stream.value.encode(), line.text) for line in lines)
    return b"".join(line.text + b"\n" for line in lines)
