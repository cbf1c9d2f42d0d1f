"""What the bench asks of a peer."""

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Site:
    """Where and what a peer has to run."""

    folder: Path
    n: int
    logs: bool
    stamper: Path
    stamp_file: Path

    def worker(self, slot: int) -> str:
        """The name of a slot's service."""
        return f"w-{slot}"

    def command(self, slot: int) -> list[str]:
        """The command line of a slot's worker."""
        return [str(self.stamper), str(self.stamp_file), str(slot)]


class Peer(ABC):
    """One supervisor on one site."""

    name: str
    stop_signal = signal.SIGTERM
    slow = False
    """Takes a second for what others do in milliseconds: gets fewer rounds."""
    most = 3000
    """How many workers it can hold, or has the patience of the bench for."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @abstractmethod
    def prepare(self) -> None:
        """Write all files; the time for this is nobody's."""

    @abstractmethod
    def command(self) -> list[str]:
        """What is executed to start everything."""

    @property
    def environment(self) -> dict[str, str]:
        """Of the supervisor."""
        return ENVIRONMENT

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it."""
        output = (self.site.folder / "output").open("ab")
        with output:
            return subprocess.Popen(
                self.command(), env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def begin_stop(self, process: subprocess.Popen[bytes]) -> None:
        """Tell it to end, workers and all."""
        process.send_signal(self.stop_signal)

    def last_words(self) -> str:
        """Return the end of its output."""
        return (self.site.folder / "output").read_text(errors="replace")[-500:]

    @abstractmethod
    def ask_all(self) -> None:
        """Ask for the state of all workers, the fastest way it has."""

    def ask_one(self) -> bool:
        """Ask for the state of one worker over its RPC; False where it has none."""
        return False
