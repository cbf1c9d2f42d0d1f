"""Refusals by the thousand: each is counted, but not each gets an entry, or whoever may do nothing could push what
others did out of the audit, and fill the disk with it.

Rules:

1. Only what was refused is ever summed up; what was granted has its entry, always.
2. Within a span of SPAN_SEC each source has EACH_MOST entries, and all together have ALL_MOST; the rest is counted,
   and the count is an entry when the span is over.
3. Sources are bounded: those beyond SOURCES_MOST are counted as one.
"""

from dataclasses import dataclass, replace

from crewd.reconcile.auditing import Entry

SPAN_SEC = 60.0
EACH_MOST = 30
ALL_MOST = 120
SOURCES_MOST = 100
REPEATED = "REPEATED"
"""The result of an entry that stands for several."""


@dataclass(slots=True)
class _Flood:
    """What came from one source within the span."""

    told: int = 0
    summed: int = 0
    last: Entry | None = None


class Floods:
    """Which refusals are told one by one, and how many were not."""

    def __init__(self) -> None:
        self._told = 0
        self._sources: dict[str, _Flood] = {}

    def takes(self, entry: Entry) -> bool:
        """Return whether the entry is one of too many: then it is counted, and ``over`` will tell."""
        if entry.granted:
            return False
        source = _source(entry)
        if source not in self._sources and len(self._sources) >= SOURCES_MOST:
            source = ""
        flood = self._sources.setdefault(source, _Flood())
        if flood.told < EACH_MOST and self._told < ALL_MOST:
            flood.told += 1
            self._told += 1
            return False
        flood.summed += 1
        flood.last = entry
        return True

    def over(self, at: float) -> list[Entry]:
        """Begin a new span; return an entry for each source of which some were only counted."""
        ended, self._sources, self._told = self._sources, {}, 0
        return [_sum(flood.last, flood.summed, at) for flood in ended.values() if flood.last is not None]


def _source(entry: Entry) -> str:
    """Return where it comes from: without a port or a pid, of which everybody has many."""
    who = entry.principal.partition(" pid ")[0]
    return f"{who} {entry.source.rpartition(':')[0] or entry.source}"


def _sum(last: Entry, count: int, at: float) -> Entry:
    details = {"times": count, "last": last.result}
    return replace(last, at=at, claimed=None, result=REPEATED, details=details)
