"""Locks in Redis: how one is let go of without taking it from somebody else.

What becomes of a lock, in words:

- NOT THERE: that is what was wanted.
- OURS: its value is one of the worker's (``owner``), or nobody said which values are. It is deleted if it still has
  the value that was read: compare-and-delete, one script in the server.
- SOMEBODY ELSE'S: it is left alone, and that is a failure that names the holder.
- ANYBODY'S: with ``force``, or, where ``owner`` is not set, with the worker stopped here for certain, it is deleted
  whatever its value is by then.
- CHANGING HANDS: its holder let go of it and another took it while it was looked at. It is looked at again, some times.

Rule: the value that was deleted is always known, and told.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

from redis.exceptions import ResponseError

from crewd.plugin import Occasion
from crewd_plugins.resets.owners import owns

TRIES = 3
SHOWN_MOST = 200
NOT_THERE, DELETED, CHANGED = 0, 1, 2

_COMPARE_AND_DELETE = """
local value = redis.call('GET', KEYS[1])
if not value then return 0 end
if value ~= ARGV[1] then return 2 end
redis.call('UNLINK', KEYS[1])
return 1
"""
_DELETE = """
local kind = redis.call('TYPE', KEYS[1]).ok
local value = false
if kind == 'string' then value = redis.call('GET', KEYS[1]) end
if redis.call('UNLINK', KEYS[1]) == 0 then return {0} end
return {1, kind, value}
"""


class Server(Protocol):
    """What is asked of redis-py, whose own types know no bytes."""

    async def get(self, name: bytes) -> bytes | None:
        """GET."""
        ...

    async def eval(self, script: str, numkeys: int, *keys_and_args: bytes) -> Any:
        """EVAL."""
        ...

    async def scan(self, cursor: int, match: bytes, count: int) -> tuple[int, list[bytes]]:
        """SCAN."""
        ...

    async def unlink(self, *names: bytes) -> int:
        """UNLINK."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection."""
        ...


class LeftAlone(Exception):  # noqa: N818 - it was right to
    """The lock is not ours, or no lock."""


@dataclass(frozen=True, slots=True)
class Release:
    """What became of one lock. ``old``: the value that it had; None where it was not there."""

    old: str | None


class Locks:
    """The locks of a server."""

    def __init__(self, client: Server, owner: str | None, *, force: bool) -> None:
        self._client = client
        self._owner = owner
        self._force = force

    async def release(self, key: bytes, occasion: Occasion) -> Release:
        """Let go of it; raises LeftAlone, or what the client raises."""
        if self._force or (self._owner is None and occasion.stopped):
            return await self._delete(key)
        for _ in range(TRIES):
            value = await self._value(key)
            if value is None:
                return Release(None)
            if self._owner is not None and not owns(self._owner, occasion, _text(value)):
                raise LeftAlone(
                    f"its holder is {shown(value)!r}, none of this worker's; force releases it all the same"
                )
            done = await self._evaluated(_COMPARE_AND_DELETE, key, value)
            if done != CHANGED:
                return Release(shown(value) if done == DELETED else None)
        raise LeftAlone("it changes hands all the time: its holders are alive")

    async def _value(self, key: bytes) -> bytes | None:
        try:
            return await self._client.get(key)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            raise LeftAlone("it holds no text, so its holder is not known; force releases it all the same") from None

    async def _delete(self, key: bytes) -> Release:
        found: list[Any] = await self._evaluated(_DELETE, key)
        if found[0] == NOT_THERE:
            return Release(None)
        kind, value = found[1], found[2] if len(found) > 2 else None  # noqa: PLR2004 - Lua's false ends an answer
        return Release(shown(value) if isinstance(value, bytes) else f"({_text(kind)})")

    async def _evaluated(self, script: str, key: bytes, *arguments: bytes) -> Any:
        return await self._client.eval(script, 1, key, *arguments)


async def scanned(client: Server, pattern: bytes, count: int) -> AsyncGenerator[list[bytes], None]:
    """Yield the keys that match, in batches, a key perhaps twice: SCAN never holds the server up, as KEYS would."""
    cursor = 0
    while True:
        cursor, keys = await client.scan(cursor, match=pattern, count=count)
        if keys:
            yield keys
        if not int(cursor):
            return


def escaped(text: str) -> bytes:
    """Return the text as a pattern that matches it alone."""
    return "".join(f"\\{sign}" if sign in "*?[]^\\-" else sign for sign in text).encode()


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def shown(value: bytes) -> str:
    """Return a value as an answer may show it."""
    text = _text(value)
    return text if len(text) <= SHOWN_MOST else text[:SHOWN_MOST] + "…"
