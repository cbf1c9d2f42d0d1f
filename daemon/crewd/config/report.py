"""Where a mistake is, and the list of all mistakes: reading goes on after each, so that all are told at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from crewd.errors import ConfigError, Problem

HINTS_MOST = 100


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A spot in a file; ``line`` and ``column`` count from 1, 0 where unknown."""

    file: str
    line: int = 0
    column: int = 0


class Report:
    """The errors and warnings found so far, each once."""

    def __init__(self) -> None:
        self._errors: set[Problem] = set()
        self._warnings: set[Problem] = set()

    def error(self, place: Place, path: str, message: str) -> None:
        """Note what makes the configuration unusable."""
        self._errors.add(Problem(place.file, place.line, place.column, path, message))

    def add(self, errors: Iterable[Problem]) -> None:
        """Note errors that somebody else found."""
        self._errors.update(errors)

    def warn(self, place: Place, path: str, message: str) -> None:
        """Note what is allowed and probably not meant."""
        self._warnings.add(Problem(place.file, place.line, place.column, path, message))

    @property
    def crowded(self) -> bool:
        """Whether there are so many errors that hints, which cost time, help nobody."""
        return len(self._errors) > HINTS_MOST

    def raise_errors(self) -> None:
        """Raise ConfigError where there is any error."""
        if self._errors:
            raise ConfigError(sorted(self._errors))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """All warnings, by place."""
        return tuple(sorted(self._warnings))
