"""One instance as the engine sees it: its entry in the table, supervisor's process object, and its record."""

from enum import Enum
from typing import TYPE_CHECKING, Any

from crewd.model.reasons import Cause
from crewd.model.record import Record
from crewd.model.table import Entry

if TYPE_CHECKING:
    from crewd_supervisord.leftovers import Leftover


class AfterStop(Enum):
    """What follows when a stop that the engine began is done."""

    NOTHING = "nothing"
    START_COMMANDED = "start_commanded"
    START_CHANGED = "start_changed"
    REMOVE = "remove"


class Instance:
    """Mutable; one for each program of ours. ``record`` changes through ``Engine.note`` alone."""

    __slots__ = (
        "after_stop",
        "asked_by",
        "cause",
        "due_at",
        "entry",
        "exec_failed",
        "group",
        "leftover_wait_sec",
        "leftovers",
        "method",
        "name",
        "planned",
        "process",
        "record",
        "timer",
        "view",
    )

    def __init__(self, entry: Entry, group: Any, process: Any, record: Record) -> None:
        self.name = entry.instance
        self.entry = entry
        self.group = group
        self.process = process
        self.record = record
        self.cause = Cause.BOOT
        """Of the next spawn, whoever carries it out."""
        self.asked_by = ""
        """Who asks supervisor for a start that supervisor has not accepted yet."""
        self.planned = Cause.RESTART
        """Of the start that its timer waits for."""
        self.due_at: float | None = None
        """When the spawn under way was due."""
        self.timer = 0
        """The number of its one live timer; any other is void."""
        self.after_stop = AfterStop.NOTHING
        self.exec_failed = False
        """setpriv could not execute the program: its status 126 or 127 is not the program's."""
        self.leftovers: list[Leftover] = []
        """Processes that must be gone before it is started."""
        self.leftover_wait_sec = 0.001
        """How long the last wait for them was."""
        self.method = ""
        """How the last spawn was done."""
        self.view: tuple[Record, Entry, str] | None = None
        """The encoded view of a record and an entry: see views.py."""
