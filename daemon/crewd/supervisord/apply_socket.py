"""Asks root for an apply over a socket: where the daemon is not root, ``crewd-apply`` is a unit of its own.

One connection is one apply. The daemon writes one line, ``check`` or ``apply``, and behind it the workers made over the
API as ``crewd.model.offer`` has them, and closes its side; it reads one JSON object, ``Answer``. It does not say which
file is read, nor where anything is written: the unit does.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from crewd.model.offer import Offer, encode
from crewd.reconcile.port import ApplyFailed, ApplyResult
from crewd.supervisord.applier import DEADLINE_SEC, read_result


class Request(StrEnum):
    """What can be asked for."""

    CHECK = "check"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Answer:
    """What ``crewd-apply`` said, as it says it to a parent: exit code, standard output, standard error."""

    code: int
    output: str = ""
    complaint: str = ""

    def to_json(self) -> bytes:
        """Return what travels."""
        return json.dumps(asdict(self)).encode()


class ApplySocket:
    """Implements ``reconcile.port.Renderer``."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def apply(self, offers: Sequence[Offer]) -> ApplyResult:
        """Load, admit, render, verify, switch, and tell a running engine."""
        return await self._ask(Request.APPLY, offers)

    async def check(self, offers: Sequence[Offer]) -> ApplyResult:
        """Load, admit, render and verify; touch nothing."""
        return await self._ask(Request.CHECK, offers)

    async def _ask(self, request: Request, offers: Sequence[Offer]) -> ApplyResult:
        try:
            async with asyncio.timeout(DEADLINE_SEC):
                text = await self._exchange(f"{request}\n".encode() + encode(offers))
        except TimeoutError:
            return ApplyFailed(f"cannot apply: crewd-apply took longer than {DEADLINE_SEC:g} s")
        except OSError as cause:
            return ApplyFailed(f"cannot ask crewd-apply at {self._path}: {cause.strerror or cause}")
        return _read(text)

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(request)
            await writer.drain()
            writer.write_eof()
            return await reader.read()
        finally:
            writer.close()


def _read(text: bytes) -> ApplyResult:
    if not text:
        return ApplyFailed("cannot apply: crewd-apply ended without an answer; its unit's journal says why")
    try:
        members: Any = json.loads(text)
        code, output, complaint = int(members["code"]), str(members["output"]), str(members["complaint"])
    except (ValueError, TypeError, KeyError) as cause:
        return ApplyFailed(f"cannot read the answer of crewd-apply: {cause!r}")
    return read_result(code, output.encode(), complaint)
