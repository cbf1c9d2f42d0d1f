"""The auditor: takes note of every attempt at once, and has it stored as soon as the database takes it.

What becomes of an entry, in words:

- NOTED: it is a line of the log, and in the queue. Both before ``note`` returns.
- STORED: it is in the database. Until that is certain it stays in the queue; a batch whose outcome nobody knows is
  written again, and is there once, for its entries have numbers.
- LOST: the queue was full, or the daemon ended while the database was away. The log has it, and says so; the numbers
  in the database have a hole.

Rules:

1. Nobody waits for the database to take note.
2. The queue is bounded in entries and in bytes: what an attacker sends is not kept in memory without end.
3. Refusals by the thousand are counted (``floods``).
4. No entry holds a secret, a control character, or more than DETAILS_MOST, whatever the request was.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

import structlog

from crewd.errors import StoreError
from crewd.reconcile.auditing import Audit, Entry
from crewd.reconcile.floods import SPAN_SEC, Floods
from crewd.reconcile.port import Clock
from crewd.reconcile.storage import Retention
from crewd.reconcile.tokens import without_secrets

WAITING_MOST = 20_000
WAITING_BYTES_MOST = 16 * 1024 * 1024
BATCH_MOST = 500
TEXT_MOST = 500
DETAILS_MOST = 128 * 1024
"""Of the details as JSON: a thousand names of workers fit."""
LISTED_MOST = 20
"""So many items of a list stand in the line of the log, where the entry has a place with all of them."""
ENTRY_BYTES = 1000
"""What an entry takes in memory besides its texts, about."""
AGAIN_SEC = 0.5
AGAIN_MOST_SEC = 15.0
PRUNE_SEC = 600.0

_log: Any = structlog.get_logger("crewd")


@dataclass(slots=True)
class Backlog:
    """How far the auditor is. One writer: the auditor."""

    waiting: int = 0
    """Entries that are not stored yet."""
    lost: int = 0
    """Entries that never will be, since the daemon began: they are in its log."""
    trouble: str = ""
    """Why nothing is stored now; empty where all is well."""


class Auditor:
    """Implements ``reconcile.auditing.Noting``. ``retention``: what of the audit is kept, by now."""

    def __init__(
        self,
        audit: Audit,
        clock: Clock,
        backlog: Backlog | None = None,
        retention: Callable[[], Retention | None] = lambda: None,
    ) -> None:
        self.backlog = backlog or Backlog()
        self._audit = audit
        self._clock = clock
        self._retention = retention
        self._run = secrets.token_hex(8)
        self._sequence = 0
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._storing = asyncio.Lock()
        self._overflowing = False
        self._floods = Floods()

    def note(self, entry: Entry) -> None:
        """Take note; never fails, loses nothing while the daemon lives, and logs each."""
        if not self._floods.takes(entry):
            self._note(entry)

    async def run(self) -> None:
        """Store, and remove what is too old, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store_for_ever())
            tasks.create_task(self._prune_for_ever())
            tasks.create_task(self._sum_up_for_ever())

    async def settled(self, within_sec: float) -> bool:
        """Wait until all that was noted is stored; return whether that came true in time."""
        try:
            async with asyncio.timeout(within_sec):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def flush(self, within_sec: float) -> None:
        """Store what waits, for the daemon ends; what cannot be stored by then is in the log alone, which says so."""
        self._sum_up()
        try:
            async with asyncio.timeout(within_sec):
                while self._waiting:
                    await self._store()
        except (StoreError, TimeoutError) as error:
            why = str(error) or f"no answer within {within_sec:g} s"
            count = len(self._waiting)
            self.backlog.lost += count
            _log.error("cannot store the audit: entries are in this log alone", entries=count, why=why)
            self._forget(count)

    def _note(self, entry: Entry) -> None:
        self._sequence += 1
        entry = _bounded(replace(entry, run=self._run, sequence=self._sequence))
        size = _size(entry)
        room = len(self._waiting) < WAITING_MOST and self._bytes + size <= WAITING_BYTES_MOST
        _tell(entry, stored=room)
        if not room:
            self._lose()
            return
        self._waiting.append(entry)
        self._bytes += size
        self.backlog.waiting = len(self._waiting)
        self._empty.clear()
        self._more.set()

    async def _store_for_ever(self) -> None:
        pause = AGAIN_SEC
        while True:
            await self._more.wait()
            self._more.clear()
            try:
                while self._waiting:
                    await self._store()
                    pause = AGAIN_SEC
            except StoreError as error:
                self._troubled(str(error))
                self._more.set()
                await self._clock.sleep(pause)
                pause = min(AGAIN_MOST_SEC, pause * 2)

    async def _store(self) -> None:
        async with self._storing:
            batch = tuple(islice(self._waiting, BATCH_MOST))
            await self._audit.add(batch)
            self._forget(len(batch))
        self._well()

    def _forget(self, count: int) -> None:
        """Let the oldest go."""
        for _ in range(count):
            self._bytes -= _size(self._waiting.popleft())
        self.backlog.waiting = len(self._waiting)
        if not self._waiting:
            self._empty.set()

    def _lose(self) -> None:
        self.backlog.lost += 1
        if not self._overflowing:
            self._overflowing = True
            _log.error("cannot keep the audit in memory: entries are in this log alone", waiting=len(self._waiting))

    def _troubled(self, trouble: str) -> None:
        if trouble != self.backlog.trouble:
            _log.error("cannot store the audit", why=trouble, kept="its entries are in this log, and wait")
        self.backlog.trouble = trouble

    def _well(self) -> None:
        if self.backlog.trouble or self._overflowing:
            _log.info("storing the audit again", waiting=len(self._waiting), lost=self.backlog.lost)
        self.backlog.trouble, self._overflowing = "", False

    async def _sum_up_for_ever(self) -> None:
        while True:
            await self._clock.sleep(SPAN_SEC)
            self._sum_up()

    def _sum_up(self) -> None:
        for entry in self._floods.over(self._clock.time()):
            self._note(entry)

    async def _prune_for_ever(self) -> None:
        while True:
            await self._clock.sleep(PRUNE_SEC)
            retention = self._retention()
            if retention is None or self.backlog.trouble:
                continue
            try:
                pruned = await self._audit.prune(retention, self._clock.time())
            except StoreError as error:
                _log.warning("cannot prune the audit", why=str(error))
            else:
                if pruned:
                    _log.info("pruned", audit=pruned)


def _tell(entry: Entry, *, stored: bool) -> None:
    say = _log.info if entry.granted else _log.warning
    say(
        "audit",
        principal=entry.principal,
        how=entry.how.value,
        claimed=entry.claimed,
        source=entry.source,
        what=entry.what,
        granted=entry.granted,
        status=entry.status,
        result=entry.result,
        details=json.dumps(_shortened(entry.details) if stored else entry.details) if entry.details else None,
        lost=None if stored else True,
    )


def _shortened(details: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value[:LISTED_MOST] if isinstance(value, list) else value for key, value in details.items()}


def _bounded(entry: Entry) -> Entry:
    return replace(
        entry,
        principal=_text(entry.principal),
        claimed=None if entry.claimed is None else _text(entry.claimed),
        source=_text(entry.source),
        what=_text(entry.what),
        result=_text(entry.result),
        details=_details(entry.details),
    )


def _text(text: str) -> str:
    """Return it in one line, without secrets and without what no database or terminal should be given."""
    text = without_secrets(text[: 4 * TEXT_MOST])
    if not (text.isascii() and text.isprintable()):
        text = "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)
    return text if len(text) <= TEXT_MOST else f"{text[:TEXT_MOST]}…"


def _details(details: Mapping[str, Any]) -> Mapping[str, Any]:
    if not details:
        return {}
    kept = cast("dict[str, Any]", _clean(details))
    size = len(json.dumps(kept))
    return kept if size <= DETAILS_MOST else {"cut": size}


def _clean(value: object) -> object:
    match value:
        case bool() | int() | float() | None:
            return value
        case Mapping():
            members = cast("Mapping[object, object]", value)
            return {_text(str(key)): _clean(member) for key, member in members.items()}
        case list() | tuple():
            return [_clean(item) for item in cast("list[object]", value)]
        case _:
            return _text(str(value))


def _size(entry: Entry) -> int:
    texts = (entry.principal, entry.claimed or "", entry.source, entry.what, entry.result)
    return ENTRY_BYTES + sum(map(len, texts)) + (len(str(entry.details)) if entry.details else 0)
