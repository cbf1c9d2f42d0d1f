"""What is known of one instance: the fold of its journal lines (``crewd.policy.fold``), and the snapshot's codec.

Engine and daemon both hold these; a snapshot is all of them, so that a reader need not begin at the beginning.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, overload

from crewd.model.reasons import Reason, Verdict
from crewd.model.spec import START_LIMIT_BURST_MOST
from crewd.model.states import ProcessState

REMEMBERED_EXITS = 5
REMEMBERED_STARTS = START_LIMIT_BURST_MOST
"""A history of more starts is cut at its old end; no limit can tell, present or to come, for no burst is higher."""


class Starts(Sequence[float]):
    """Seconds, oldest first, 8 bytes each: there may be a thousand for each of a thousand instances. Never changed."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._seconds = array("d", seconds)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> "Starts": ...
    def __getitem__(self, index: int | slice) -> "float | Starts":
        return Starts(self._seconds[index]) if isinstance(index, slice) else self._seconds[index]

    def __len__(self) -> int:
        return len(self._seconds)

    def __iter__(self) -> Iterator[float]:
        return iter(self._seconds)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, Starts) else other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Starts({tuple(self)})"


NO_STARTS = Starts()


class Standing(StrEnum):
    """The last word on an instance. Verdicts persist, states do not: this survives every restart of supervisord."""

    NEW = "new"
    """Nothing was ever decided: autostart decides."""
    UP = "up"
    """It is to run: running, being started, or waiting for its restart."""
    STOPPED = "stopped"
    """An operator stopped it."""
    FINISHED = "finished"
    """It ended and no restart is wanted."""
    GIVEN_UP = "given_up"
    """The start limit was hit."""


DOWN = frozenset({Standing.STOPPED, Standing.FINISHED, Standing.GIVEN_UP})
"""What stays down when supervisord starts."""


@dataclass(frozen=True, slots=True)
class PastExit:
    """How a run ended, and the verdict on it. ``at`` is unix seconds; ``verdict`` None until it fell."""

    at: float
    reason: Reason
    code: int | None
    signal: int | None
    ran_sec: float
    message: str = ""
    verdict: Verdict | None = None
    delay_sec: float | None = None
    commanded: bool = False
    """A stop was under way: no verdict falls."""


@dataclass(frozen=True, slots=True)
class Record:
    """One instance. Times are CLOCK_BOOTTIME seconds, except ``PastExit.at`` and ``started_wall`` (unix seconds)."""

    standing: Standing = Standing.NEW
    process_state: ProcessState = ProcessState.STOPPED
    token: str = ""
    """Of the run in progress or of the open intent; empty when there is none."""
    pid: int = 0
    """0 while a start is only intended."""
    start_ticks: int = 0
    started_at: float | None = None
    started_wall: float | None = None
    """When the run in progress, or the last one, began."""
    due_at: float | None = None
    """When a restart is due."""
    starts: Sequence[float] = NO_STARTS
    """The starts of this history, oldest first; the last REMEMBERED_STARTS."""
    restarts: int = 0
    """Automatic restarts since the history began: the n of the backoff formula."""
    restart_count: int = 0
    """Automatic restarts since the instance was added."""
    exits: tuple[PastExit, ...] = ()
    """The last few, oldest first."""
    fingerprint: str = ""
    settings: str = ""


def to_json(record: Record) -> dict[str, Any]:
    """Return the record as JSON members; defaults are left out."""
    members = {name: value for name in _DEFAULTS if (value := getattr(record, name)) != _DEFAULTS[name]}
    if record.starts:
        members["starts"] = list(record.starts)
    if record.exits:
        members["exits"] = [{name: getattr(past, name) for name in _PAST_EXIT_ORDER} for past in record.exits]
    return members


def from_json(members: Mapping[str, Any]) -> Record:
    """Return the record that ``to_json`` wrote; unknown members are skipped.

    Raises ValueError or TypeError where the members are not a record's.
    """
    values: dict[str, Any] = {name: value for name, value in members.items() if name in _DEFAULTS}
    if "standing" in values:
        values["standing"] = Standing(values["standing"])
    if "process_state" in values:
        values["process_state"] = ProcessState(values["process_state"])
    if "starts" in values:
        values["starts"] = Starts(float(start) for start in values["starts"])
    if "exits" in values:
        values["exits"] = tuple(_past_exit(past) for past in values["exits"])
    return Record(**values)


def _past_exit(members: Mapping[str, Any]) -> PastExit:
    values: dict[str, Any] = {name: value for name, value in members.items() if name in _PAST_EXIT_NAMES}
    values["reason"] = Reason(members.get("reason"))
    if values.get("verdict") is not None:
        values["verdict"] = Verdict(values["verdict"])
    return PastExit(**values)


_DEFAULTS: dict[str, Any] = asdict(Record())
_PAST_EXIT_ORDER = tuple(field.name for field in fields(PastExit))
_PAST_EXIT_NAMES = frozenset(_PAST_EXIT_ORDER)
