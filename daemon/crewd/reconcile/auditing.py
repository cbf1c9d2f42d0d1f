"""The audit: who asked for what, and whether it was granted, as a port.

``crewd.store`` has the real one, ``crewd.testing`` the fake; ``auditor`` takes note and stores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from crewd.model.access import How
from crewd.reconcile.port import Verb
from crewd.reconcile.storage import Retention

ACTIONS = tuple(verb.value.replace("_", "-") for verb in Verb)
"""What is done to workers, as the details of an entry name it: the path of a batch does not."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt. No member ever holds a secret."""

    at: float
    """Unix seconds."""
    principal: str
    how: How
    claimed: str | None
    """Whom the request says that it comes from: a claim, and no more."""
    source: str
    """From where: ``unix``, or an address."""
    what: str
    """``POST /api/v1/workers/web/restart``."""
    granted: bool
    status: int
    """Of the answer."""
    result: str
    """``ok``, or the code of the no."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    run: str = ""
    """Which run of a daemon took note of it, and as which of its entries: together they name it."""
    sequence: int = 0
    id: int = 0
    """Its place among all; 0 before it is stored."""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries: the newest ``limit`` of those that fit all conditions, oldest first."""

    principal: str | None = None
    """The whole name, or the words that it begins with: ``uid 0``."""
    what: str | None = None
    """Only where ``asked`` contains this; "" is in all."""
    granted: bool | None = None
    since: float | None = None
    until: float | None = None
    before_id: int | None = None
    limit: int = 100


def asked(what: str, action: object) -> str:
    """Return what was asked for, as people are shown it: ``POST /api/v1/workers/batch action=stop``.

    ``action``: that of the entry's details; None where they name none.
    """
    return f"{what} action={action}" if action in ACTIONS else what


class Audit(Protocol):
    """The stored audit. Raises StoreError."""

    async def add(self, entries: Sequence[Entry]) -> None:
        """Store these, all or none; what is stored already stays as it is."""
        ...

    async def entries(self, query: AuditQuery) -> tuple[Entry, ...]:
        """Return what was stored, oldest first."""
        ...

    async def prune(self, retention: Retention, now: float) -> int:
        """Remove what is older than, or beyond, the retention; return how many entries. ``now``: unix."""
        ...


class Noting(Protocol):
    """Takes note of an attempt: at once, without waiting for the database."""

    def note(self, entry: Entry) -> None:
        """Take note; never fails, loses nothing while the daemon lives, and logs each."""
        ...
