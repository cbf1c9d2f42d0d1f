"""Which supervisord is under test: its version, and how much of it is crewd's.

``plain`` has no plugin: it is the ground truth that the compatibility suite is measured by. ``stock`` has the engine
with supervisor's own loop (the fallback), ``fast`` the engine with its own.
"""

import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
OLD = "4.2.5"
NEW = "4.3.0"


class Mode(StrEnum):
    """How much of supervisord is crewd's."""

    PLAIN = "plain"
    FAST = "fast"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class Edition:
    """One supervisord to test."""

    version: str
    mode: Mode

    def __str__(self) -> str:
        """Return the test id, ``4.3.0-fast``."""
        return f"{self.version}-{self.mode}"

    @property
    def engine(self) -> bool:
        """Whether crewd's engine is loaded."""
        return self.mode is not Mode.PLAIN

    @property
    def library(self) -> Path | None:
        """The folder to put first on PYTHONPATH; None where the environment's own supervisor is meant."""
        return None if self.version == NEW else CHECKOUT / ".cache" / f"supervisor-{self.version}"

    @property
    def environment(self) -> dict[str, str]:
        """All variables that supervisord and supervisorctl are started with."""
        found = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}
        path = [str(self.library)] if self.library is not None else []
        path += filter(None, [os.environ.get("PYTHONPATH")])  # so that the tests themselves can run from elsewhere
        if path:
            found["PYTHONPATH"] = os.pathsep.join(path)
        return found

    @property
    def supervisord(self) -> list[str]:
        """The command that runs supervisord, without its options."""
        return [sys.executable, "-m", "crewd_supervisord.launch" if self.engine else "supervisor.supervisord"]

    @property
    def supervisorctl(self) -> list[str]:
        """The command that runs supervisorctl, without its options."""
        return [sys.executable, "-W", "ignore", "-m", "supervisor.supervisorctl"]


def _param(version: str, mode: Mode) -> object:
    edition = Edition(version, mode)
    missing = edition.library is not None and not edition.library.is_dir()
    skip = pytest.mark.skipif(missing, reason=f"supervisor {version} is not unpacked in .cache (see the Makefile)")
    return pytest.param(edition, id=str(edition), marks=skip)


EDITIONS = [_param(version, mode) for version in (NEW, OLD) for mode in Mode]
ENGINE_EDITIONS = [_param(version, mode) for version in (NEW, OLD) for mode in (Mode.FAST, Mode.STOCK)]
