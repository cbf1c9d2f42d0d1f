"""Where supervisord differs from what crewd put in force: edits by hand, and groups that came or went by supervisorctl.

Noticed here, shown by ``crewd.version``, resolved by the next apply. What another plugin adds by itself is no drift:
only what came by ``addProcessGroup``, which ``supervisorctl update`` and ``add`` use, did so behind crewd's back.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from crewd.model.generated import untouched
from crewd.model.table import TableError
from crewd_supervisord.parsing import group_configs

if TYPE_CHECKING:
    from crewd_supervisord.engine import Engine

NAMES_MOST = 5


class Drift:
    """What is known of it."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._by_hand: set[str] = set()
        """Groups that came by the RPC."""
        self.changed: set[str] = set()
        """Those of them that are instances of ours by name, and something else than the table says."""
        self._seen: tuple[int, ...] = ()
        self._edited = False

    def added(self, name: str) -> None:
        """Take note of a group that came by the RPC."""
        self._by_hand.add(name)
        group, entry = self._engine.supervisord.process_groups.get(name), self._engine.table.entries.get(name)
        if group is not None and entry is not None and not self._is_meant(name, group):
            self.changed.add(name)

    @property
    def foreign(self) -> list[str]:
        """The groups that came by the RPC and are nothing of crewd's."""
        table, there = self._engine.table, self._engine.supervisord.process_groups
        self._by_hand &= there.keys()
        return sorted(name for name in self._by_hand if name not in table.entries and name not in table.listeners)

    def resolved(self) -> None:
        """An apply made good what there was."""
        self.changed.clear()

    def sentences(self) -> list[str]:
        """Return each kind of it in a sentence; none where there is no drift."""
        table, there = self._engine.table, self._engine.supervisord.process_groups
        missing = [name for name in (*table.entries, *table.listeners) if name not in there]
        kinds = (
            ("removed behind crewd's back: {}", sorted(set(missing) - self._engine.successors.keys())),
            ("changed behind crewd's back: {}", sorted(self.changed & there.keys())),
            ("added behind crewd's back: {}", self.foreign),
        )
        found = [words.format(_named(names)) for words, names in kinds if names]
        return [*found, *(["supervisord.conf was edited by hand"] if self._conf_edited() else [])]

    def _is_meant(self, name: str, group: Any) -> bool:
        """Return whether the group is configured as the file of the table says; read anew, for this is rare."""
        from crewd_supervisord.boot import load_table  # noqa: PLC0415 - it imports the engine, which imports this

        try:
            entry = load_table(self._engine.directory).entries[name]
            meant = group_configs(self._engine.options, [entry.section])[name]
        except (OSError, TableError, ValueError, KeyError):
            return False
        return bool(meant.process_configs == group.config.process_configs)

    def _conf_edited(self) -> bool:
        """Return whether the configuration in force was edited; read only when the file is another than before."""
        path = f"{self._engine.directory}/current/supervisord.conf"
        try:
            found = os.stat(path)
            seen = (found.st_ino, found.st_size, found.st_mtime_ns)
            if seen != self._seen:
                with open(path, encoding="utf-8", errors="surrogateescape") as file:
                    self._edited = not untouched(file.read())
                self._seen = seen
        except OSError:
            return False
        return self._edited


def _named(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - NAMES_MOST} more" if len(shown) > NAMES_MOST else ""
    return ", ".join(shown[:NAMES_MOST]) + more
