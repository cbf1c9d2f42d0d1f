"""The policy table: what the engine needs to know of each instance beyond supervisord's own configuration.

``crewd-apply`` writes it beside the configuration, in the same generation folder; the engine only reads it.
JSON, one object; ``inf`` is written as the string "infinity".
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, cast

from crewd.model.spec import (
    CLEAN_EXITS,
    ExitStatusSet,
    JournalSync,
    KillMode,
    Loop,
    RestartMode,
    RestartPolicy,
)

TABLE_VERSION = 1


class TableError(ValueError):
    """The text is not a policy table of a version that this code knows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One instance."""

    instance: str
    worker_id: str
    slot: int
    section: str
    """The text of its ``[program:…]`` section, header included, exactly as in the configuration beside."""
    fingerprint: str
    """Of all settings that a change of needs a restart for, log paths and the environment file's content included."""
    settings: str
    """Of all settings."""
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    timeout_stop_sec: float = 10.0
    kill_mode: KillMode = KillMode.MIXED
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """The variables that the configuration's format cannot carry; set over those that it does."""
    stdin_null: bool = True
    """Standard input is /dev/null; otherwise a pipe from supervisord."""
    setpriv: bool = False
    """Its command begins with setpriv, which reports its own failures as status 126 and 127."""


@dataclass(frozen=True, slots=True)
class Table:
    """The whole table."""

    name: str
    """Of the generation folder: a hash of the configuration and of all entries."""
    entries: Mapping[str, Entry] = field(default_factory=dict[str, Entry])
    """By instance name."""
    loop: Loop = Loop.AUTO
    journal_sync: JournalSync = JournalSync.NONE
    log_directory: str = ""
    listeners: Mapping[str, str] = field(default_factory=dict[str, str])
    """The text of each ``[eventlistener:…]`` section, header included, by name."""


def encode(table: Table) -> str:
    """Return the table as JSON text, keys sorted."""
    members = asdict(table)
    members["version"] = TABLE_VERSION
    return json.dumps(_plain(members), sort_keys=True, indent=1, allow_nan=False, ensure_ascii=True) + "\n"


def decode(text: str | bytes) -> Table:
    """Return the table; raises TableError saying what is wrong."""
    try:
        raw = json.loads(text)
    except ValueError as cause:
        raise TableError(f"cannot read policy table: {cause}") from None
    members = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    if members.get("version") != TABLE_VERSION:
        raise TableError(f"cannot read policy table: version {members.get('version')!r}, not {TABLE_VERSION}")
    try:
        policies: dict[str, RestartPolicy] = {}
        entries = {str(name): _entry(entry, policies) for name, entry in members["entries"].items()}
        return Table(
            name=str(members["name"]),
            entries=entries,
            listeners={str(name): str(section) for name, section in members["listeners"].items()},
            loop=Loop(members["loop"]),
            journal_sync=JournalSync(members["journal_sync"]),
            log_directory=str(members["log_directory"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise TableError(f"cannot read policy table: {type(cause).__name__}: {cause}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, frozenset):
        return sorted(cast("frozenset[int]", value))
    if value == inf:
        return "infinity"
    return value


def _entry(members: Mapping[str, Any], policies: dict[str, RestartPolicy]) -> Entry:
    """Return the entry; equal policies become one object."""
    values: dict[str, Any] = dict(members)
    known = repr(members["policy"])
    if known not in policies:
        policies[known] = _policy(members["policy"])
    values["policy"] = policies[known]
    values["timeout_stop_sec"] = _seconds(members["timeout_stop_sec"])
    values["kill_mode"] = KillMode(members["kill_mode"])
    values["environment"] = dict(members["environment"])
    return Entry(**values)


def _policy(members: Mapping[str, Any]) -> RestartPolicy:
    values: dict[str, Any] = {key: _seconds(value) for key, value in members.items()}
    for key in ("success_exit_status", "restart_prevent_exit_status", "restart_force_exit_status"):
        values[key] = _status_set(values[key])
    values["restart"] = RestartMode(values["restart"])
    return RestartPolicy(**values)


def _seconds(value: Any) -> Any:
    return inf if value == "infinity" else value


def _status_set(members: Mapping[str, Any]) -> ExitStatusSet:
    found = ExitStatusSet(frozenset(members["codes"]), frozenset(members["signals"]))
    return CLEAN_EXITS if found == CLEAN_EXITS else found
