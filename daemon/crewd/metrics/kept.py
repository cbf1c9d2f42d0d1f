"""Lines that were made once are kept while what they were made of is the same object."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from crewd.metrics.pace import unhurried

S = TypeVar("S")
Chunks = tuple[bytes, ...]
"""The lines of one worker or instance, a piece for each family: a family's lines must stand together on the page."""


class Kept(Generic[S]):
    """The chunks of all, by name; ``make`` makes them of the name and a source that is never changed in place."""

    def __init__(self, make: Callable[[str, S], Chunks]) -> None:
        self._make = make
        self._kept: dict[str, tuple[S, Chunks]] = {}

    def chunks(self, sources: Iterable[tuple[str, S]]) -> list[Chunks]:
        """Return the chunks in the order of the sources; those of all others are forgotten."""
        before, self._kept = self._kept, {}
        for name, source in unhurried(sources):
            kept = before.get(name)
            self._kept[name] = kept if kept is not None and kept[0] is source else (source, self._make(name, source))
        return [chunks for _, chunks in self._kept.values()]
