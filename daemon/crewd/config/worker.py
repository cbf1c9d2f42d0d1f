"""A worker as read: its spec, and where each of its settings was written."""

from dataclasses import dataclass

from crewd.config.reading import Settings
from crewd.config.report import Place, Report
from crewd.config.tree import child
from crewd.model.spec import WorkerSpec


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker and its places. A setting may stand under ``defaults``: then that is its place."""

    spec: WorkerSpec
    settings: Settings
    place: Place
    path: str
    report: Report

    def sets(self, key: str) -> bool:
        """Return whether the key is written, here or under ``defaults``, and right."""
        return key in self.settings

    def error(self, key: str, message: str) -> None:
        """Report what is wrong with a setting."""
        place, path = self.where(key)
        self.report.error(place, path, message)

    def warn(self, key: str, message: str) -> None:
        """Report what is probably not meant."""
        place, path = self.where(key)
        self.report.warn(place, path, message)

    def where(self, key: str) -> tuple[Place, str]:
        """Return where a setting stands; the worker itself where nobody wrote it."""
        if key in self.settings:
            return self.settings[key].place, self.settings[key].path
        return self.place, child(self.path, key)
