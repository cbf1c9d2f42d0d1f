"""The policy table: what the engine needs to know of each instance beyond supervisord's own configuration.

``crewd-apply`` writes it beside the configuration, in the same generation folder; the engine only reads it.
JSON, one object; ``inf`` is written as the string "infinity". A reader skips members that it does not know: an engine
that runs on through an upgrade is told what it understands. What it must not skip comes with another TABLE_VERSION.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
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
_NO_VARIABLES: Mapping[str, str] = {}


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


_ENTRY = frozenset(one.name for one in fields(Entry))
_POLICY = frozenset(one.name for one in fields(RestartPolicy))


def encode(table: Table) -> str:
    """Return the table as JSON text, keys sorted."""
    members = asdict(table)
    members["version"] = TABLE_VERSION
    return json.dumps(_plain(members), sort_keys=True, indent=1, allow_nan=False, ensure_ascii=True) + "\n"


def decode(text: str | bytes) -> Table:
    """Return the table; raises TableError saying what is wrong.

    Each object becomes what it means as soon as it is read: a thousand entries are never there twice.
    """
    policies: dict[str, RestartPolicy] = {}
    try:
        raw = json.loads(text, object_hook=lambda members: _meant(members, policies))
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise TableError(f"cannot read policy table: {type(cause).__name__}: {cause}") from None
    members = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    if members.get("version") != TABLE_VERSION:
        raise TableError(f"cannot read policy table: version {members.get('version')!r}, not {TABLE_VERSION}")
    try:
        return Table(
            name=str(members["name"]),
            entries={str(name): _entry(entry) for name, entry in members["entries"].items()},
            listeners={str(name): str(section) for name, section in members["listeners"].items()},
            loop=Loop(members["loop"]),
            journal_sync=JournalSync(members["journal_sync"]),
            log_directory=str(members["log_directory"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise TableError(f"cannot read policy table: {type(cause).__name__}: {cause}") from None


def _meant(members: dict[str, Any], policies: dict[str, RestartPolicy]) -> Any:
    """Return what an object of the text means. Environments hold text alone, so none is taken for anything else."""
    if isinstance(members.get("codes"), list):
        return _status_set(members)
    if isinstance(members.get("success_exit_status"), ExitStatusSet):
        policy = _policy(members)
        return policies.setdefault(repr(policy), policy)  # equal ones become one object
    if isinstance(members.get("policy"), RestartPolicy):
        members["timeout_stop_sec"] = _seconds(members["timeout_stop_sec"])
        members["kill_mode"] = KillMode(members["kill_mode"])
        members["environment"] = members["environment"] or _NO_VARIABLES
        return Entry(**{name: value for name, value in members.items() if name in _ENTRY})
    return members


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, frozenset):
        return sorted(cast("frozenset[int]", value))
    if value == inf:
        return "infinity"
    return value


def _entry(found: Any) -> Entry:
    if not isinstance(found, Entry):
        raise TypeError("an entry without a policy")
    return found


def _policy(members: Mapping[str, Any]) -> RestartPolicy:
    values: dict[str, Any] = {key: _seconds(value) for key, value in members.items() if key in _POLICY}
    values["restart"] = RestartMode(values["restart"])
    return RestartPolicy(**values)


def _seconds(value: Any) -> Any:
    return inf if value == "infinity" else value


def _status_set(members: Mapping[str, Any]) -> ExitStatusSet:
    found = ExitStatusSet(frozenset(members["codes"]), frozenset(members["signals"]))
    return CLEAN_EXITS if found == CLEAN_EXITS else found
