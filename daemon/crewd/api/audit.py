"""``/audit``: who asked for what, page by page, the newest first page."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from crewd.api.answering import answer
from crewd.api.envelope import iso
from crewd.api.event_list import before, span
from crewd.api.parameters import Moment, RowCursor
from crewd.api.ports import Ports
from crewd.reconcile.auditing import AuditQuery, Entry

ENTRIES, ENTRIES_MOST = 100, 1000
SETTLE_SEC = 1.0
"""So long an answer waits for what was noted before to be stored."""

TEXT_MOST = 500
_TEXT = r"^[^\x00-\x1f\x7f]*$"


@dataclass(frozen=True, slots=True)
class AuditRoutes:
    """The answers."""

    ports: Ports

    async def audit(
        self,
        *,
        principal: Annotated[
            str | None,
            Query(max_length=TEXT_MOST, pattern=_TEXT, description="Of whom, or words that their name begins with."),
        ] = None,
        what: Annotated[
            str | None,
            Query(max_length=TEXT_MOST, pattern=_TEXT, description="Only where path or action have this."),
        ] = None,
        granted: Annotated[bool | None, Query(description="Only what was granted, or only what was not.")] = None,
        since: Moment = None,
        until: Moment = None,
        limit: Annotated[int, Query(ge=1, le=ENTRIES_MOST, description="The newest so many.")] = ENTRIES,
        cursor: RowCursor = None,
    ) -> Response:
        """Who asked for what.

        Every attempt to change something or to see what is confidential, and every one that was refused: who, by what
        recognised, from where, and what came of it.
        """
        when = span(self.ports, since, until)
        query = AuditQuery(principal, what, granted, when.since, when.until, before(cursor), limit)
        await self.ports.auditor.settled(SETTLE_SEC)
        found = await self.ports.audit.entries(query)
        backlog = self.ports.auditor.backlog
        return answer(
            {
                "entries": [shape(entry) for entry in found],
                "next_cursor": str(found[0].id) if len(found) == limit else None,
                "waiting": backlog.waiting,
                "lost": backlog.lost,
            }
        )


def shape(entry: Entry) -> dict[str, Any]:
    """Return an entry as the API shows it."""
    return {
        "id": entry.id,
        "at": iso(entry.at),
        "principal": entry.principal,
        "how": entry.how.value,
        "claimed": entry.claimed,
        "source": entry.source,
        "what": entry.what,
        "granted": entry.granted,
        "status": entry.status,
        "result": entry.result,
        "details": dict(entry.details),
    }
