"""The whole of a journal, though its reader lets the engine remove it: hard links, made as the segments come."""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

LOOK_SEC = 0.02


class KeptJournal:
    """A context manager: inside it every segment of ``journal`` is kept in ``kept``."""

    def __init__(self, journal: str, kept: str) -> None:
        self._journal, self.path = Path(journal), Path(kept)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_for_ever, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Look once more, and end."""
        self._over.set()
        self._thread.join()
        self.keep()

    def keep(self) -> None:
        """Link what is not linked yet."""
        for segment in self._segments():
            link = self.path / segment.parent.name / segment.name
            if not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(segment, link)
                except FileNotFoundError:
                    continue  # removed just now; then it was linked before, or the test will say so

    def _segments(self) -> list[Path]:
        """Return what is there now; a generation that goes meanwhile was linked before."""
        found: list[Path] = []
        for generation in sorted(self._journal.glob("*")):
            try:
                found += [generation / name for name in os.listdir(generation) if name.endswith(".jsonl")]
            except (FileNotFoundError, NotADirectoryError):
                continue
        return found

    def lines(self) -> list[tuple[str, bytes]]:
        """Return every whole line with its generation, in order."""
        return [
            (segment.parent.name, line)
            for segment in sorted(self.path.glob("*/*.jsonl"))
            for line in segment.read_bytes().split(b"\n")[:-1]
        ]

    def _keep_for_ever(self) -> None:
        while not self._over.wait(LOOK_SEC):
            self.keep()
