"""The engine's journal as a test reads it: all generations, in order, through the codec of ``crewd.model``."""

from dataclasses import dataclass
from pathlib import Path

from crewd.model import journal_line
from crewd.model.facts import Event


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and the generation it belongs to."""

    generation: str
    event: Event


def read(journal: str) -> list[Entry]:
    """Return every line of every segment; a torn last line of a segment is left out, any other raises."""
    found: list[Entry] = []
    for segment in sorted(Path(journal).glob("*/*.jsonl")):
        *lines, torn = segment.read_bytes().split(b"\n")
        found.extend(Entry(segment.parent.name, journal_line.decode(line)) for line in lines)
        del torn  # empty, or not yet whole
    return found
