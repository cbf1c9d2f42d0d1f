"""An audit in memory."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from crewd.errors import StoreError
from crewd.reconcile.auditing import AuditQuery, Entry, asked
from crewd.reconcile.storage import Retention

ENTRY_BYTES = 300
"""What an entry takes, about as in a real one."""


class FakeAudit:
    """Implements ``reconcile.auditing.Audit``.

    ``trouble``: why each call fails; empty where none does. ``deaf``: entries are stored, and then the call fails all
    the same, as where the database went away before it could answer.
    """

    def __init__(self) -> None:
        self.stored: list[Entry] = []
        self.trouble = ""
        self.deaf = False
        self._last_id = 0

    async def add(self, entries: Sequence[Entry]) -> None:
        """Store these, all or none; what is stored already stays as it is."""
        self._fail("write to")
        known = {(entry.run, entry.sequence) for entry in self.stored}
        for entry in entries:
            if (entry.run, entry.sequence) not in known:
                self._last_id += 1
                self.stored.append(replace(entry, id=self._last_id))
        if self.deaf:
            raise StoreError("cannot write to the fake database: no answer", retryable=True)

    async def entries(self, query: AuditQuery) -> tuple[Entry, ...]:
        """Return what was stored, oldest first."""
        self._fail("read")
        found = [entry for entry in self.stored if _fits(entry, query)]
        return tuple(found[len(found) - min(max(0, query.limit), len(found)) :])

    async def prune(self, retention: Retention, now: float) -> int:
        """Remove what is older than, or beyond, the retention; return how many entries."""
        self._fail("prune")
        before = len(self.stored)
        if isfinite(retention.age_sec):
            self.stored = [entry for entry in self.stored if entry.at >= now - retention.age_sec]
        if retention.size_bytes > 0:
            self.stored = self.stored[max(0, len(self.stored) - retention.size_bytes // ENTRY_BYTES) :]
        return before - len(self.stored)

    def _fail(self, verb: str) -> None:
        if self.trouble:
            raise StoreError(f"cannot {verb} the fake database: {self.trouble}", retryable=True)


def _fits(entry: Entry, query: AuditQuery) -> bool:
    named = query.principal is None or f"{entry.principal} ".startswith(f"{query.principal} ")
    return (
        named
        and (query.what or "") in asked(entry.what, entry.details.get("action"))
        and query.granted in (None, entry.granted)
        and (query.since is None or entry.at >= query.since)
        and (query.until is None or entry.at < query.until)
        and (query.before_id is None or entry.id < query.before_id)
    )
