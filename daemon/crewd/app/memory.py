"""What the daemon's own part of the configuration said when it was right last: for a start with a broken file.

Otherwise such a daemon would not know whose supervisord it is, what a stop means, how long the workers may take, which
of them are essential, and which database is its own: it would record into another one, and let the journal go. And it
would not know who may come in: what is remembered is all of that or nothing, for in part it might let in more. No
secret is among it.
"""

import json
import os
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

import structlog

from crewd.app.remembered_access import access_members, access_of
from crewd.model.spec import DaemonSpec, OnShutdown, SupervisordOwner
from crewd.reconcile.wanted import Wanted

_log: Any = structlog.get_logger("crewd")


@dataclass(frozen=True, slots=True)
class Memory:
    """One file in the state directory."""

    path: str

    def recall(self) -> Wanted | None:
        """Return what was remembered; None where that is nothing, or cannot be read."""
        try:
            members: Any = json.loads(Path(self.path).read_bytes())
            within = members["stop_within_sec"]
            return Wanted(
                OnShutdown(members["on_shutdown"]),
                SupervisordOwner(members["supervisord"]),
                inf if within is None else float(within),
                essential=frozenset(map(str, members.get("essential", ()))),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def settings(self) -> DaemonSpec | None:
        """Return where it listened and recorded, and whom it let in; None where nothing is remembered."""
        try:
            members: Any = json.loads(Path(self.path).read_bytes())
            return DaemonSpec(
                listen=str(members["listen"]), database=str(members["database"]), **access_of(members["access"])
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def remember(self, wanted: Wanted) -> None:
        """Write it aside and put it in place; where that fails, the old one stays."""
        within = wanted.stop_within_sec if isfinite(wanted.stop_within_sec) else None
        own = DaemonSpec() if wanted.spec is None else wanted.spec.daemon
        members = {
            "on_shutdown": wanted.on_shutdown.value,
            "supervisord": wanted.owner.value,
            "stop_within_sec": within,
            "essential": sorted(wanted.essential),
            "listen": own.listen,
            "database": own.database,
            "access": access_members(own),
        }
        aside = f"{self.path}.new"
        try:
            with open(aside, "w", opener=_private) as file:
                json.dump(members, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self.path)  # noqa: PTH105 - plain strings
        except OSError as error:
            _log.warning("cannot remember the configuration", path=self.path, why=error.strerror)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
