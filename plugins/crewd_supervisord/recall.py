"""What earlier generations left in the journal: the records with which a new one begins.

Rules:

1. The newest segment with a readable snapshot counts, folded with everything behind it.
2. After a reboot nothing counts: all that is not disabled starts, with empty windows.
3. A whole line that cannot be understood (a newer engine's) is skipped and counted: what is behind it counts all the
   same. A last line without its end is torn, as if it had not been written. Nothing here raises.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crewd.model import journal_line, record
from crewd.model.facts import Event, GenerationEnded, Removed, SegmentOpened
from crewd.model.record import Record
from crewd.policy.fold import fold
from crewd_supervisord.journal import GENERATION_DIGITS, generations, segments


@dataclass(slots=True)
class Recalled:
    """The end of the last generation that left anything behind."""

    previous: str | None = None
    sequence: int = 0
    boot_id: str = ""
    clean: bool = True
    """Whether it ended in order."""
    records: dict[str, Record] = field(default_factory=dict[str, Record])
    skipped: int = 0
    """How many lines could not be understood."""


def next_generation(directory: str) -> str:
    """Return a name for a new generation: one number higher than any on disk."""
    names = generations(directory)
    number = int(names[-1][:GENERATION_DIGITS]) + 1 if names else 1
    return f"{number:0{GENERATION_DIGITS}d}-{secrets.token_hex(3)}"


def recall(directory: str, boot_id: str) -> Recalled:
    """Return what the newest readable generation tells; records only if it was of this boot."""
    for generation in reversed(generations(directory)):
        found = _read(directory, generation)
        if found is not None:
            if found.boot_id != boot_id:
                found.records = {}
            return found
    return Recalled()


def _read(directory: str, generation: str) -> Recalled | None:
    paths = [path for _, path in segments(directory, generation)]
    for start in range(len(paths) - 1, -1, -1):
        found = Recalled(generation, clean=False)
        whole = False
        for path in paths[start:]:
            for event in events(path):
                whole = _take(found, event) or whole
        if whole:
            return found
    return None


def _take(found: Recalled, event: Event | None) -> bool:
    """Fold one event into ``found``; returns whether it was a snapshot."""
    if event is None:
        found.skipped += 1
        found.clean = False
        return False
    found.sequence = event.sequence
    fact = event.fact
    found.clean = isinstance(fact, GenerationEnded)
    if isinstance(fact, SegmentOpened):
        found.boot_id = fact.boot_id
        found.records = records_of(fact.records)
        return True
    if isinstance(fact, Removed):
        found.records.pop(fact.instance, None)
        return False
    name = getattr(fact, "instance", None)
    if name is not None:
        found.records[name] = fold(found.records.get(name, Record()), event)
    return False


def records_of(raw: Mapping[str, Mapping[str, Any]]) -> dict[str, Record]:
    """Return the records of a snapshot; one that cannot be read is left out."""
    found: dict[str, Record] = {}
    for name, members in raw.items():
        try:
            found[name] = record.from_json(members)
        except (ValueError, TypeError, KeyError):
            continue
    return found


def events(path: str) -> Iterator[Event | None]:
    """Yield the events of one segment, None for each whole line that cannot be understood; a torn last line ends it."""
    try:
        with open(path, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield _event(line)
    except OSError:
        return


def _event(line: bytes) -> Event | None:
    try:
        return journal_line.decode(line)
    except journal_line.JournalLineError:
        return None
