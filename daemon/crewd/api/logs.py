"""``GET /workers/{name}/logs``: what a worker wrote, as text."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response

from crewd.api.ports import Ports
from crewd.api.refusals import Refusal, Refused
from crewd.api.streaming import Ending, Pieces, begun
from crewd.policy.accounting import worker_of
from crewd.reconcile.output import OutputQuery, Stream
from crewd.reconcile.selecting import select_one

TEXT = "text/plain; charset=utf-8"
NO_SNIFFING = {"x-content-type-options": "nosniff"}
CUT = "crewd-cut"
"""The header that tells why there may be more lines than were given."""


def query(ports: Ports, name: str, stream: Stream, lines: int, grep: str | None) -> OutputQuery:
    """Return whose output is meant; raises UnknownNames, SeveralInstances, and Refused where nothing is known of it."""
    instance = select_one(ports.view, name)
    worker = ports.view.worker(worker_of(instance))
    if worker is None:
        message = f"cannot read {stream} of {instance}: the configuration in force is not known, nor where it logs to"
        raise Refused(Refusal(404, "LOG_001", message))
    return OutputQuery(worker, instance, stream, lines, grep)


async def last(ports: Ports, asked: OutputQuery) -> Response:
    """Return the newest lines."""
    found = await ports.output.last(asked)
    cut = {CUT: found.cut} if found.cut else {}
    return Response(_text(found.lines), headers={"content-type": TEXT, **NO_SNIFFING, **cut})


async def follow(ports: Ports, asked: OutputQuery, ending: Ending) -> Response:
    """Return the newest lines, and then whatever is written."""
    return Pieces(await begun(_pieces(ports.output.follow(asked))), ending, TEXT, NO_SNIFFING)


async def _pieces(steps: AsyncGenerator[tuple[bytes, ...], None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(steps):
        async for lines in steps:
            yield _text(lines)


def _text(lines: tuple[bytes, ...]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
