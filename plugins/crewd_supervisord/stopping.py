"""The end of supervisord: groups of one priority are stopped together, the highest number first.

Stock stops group after group, however equal their priorities, and looks once a second.
"""

from typing import TYPE_CHECKING, Any

from supervisor import events
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.states import STOPPED_STATES

from crewd_supervisord.clock import boottime

if TYPE_CHECKING:
    from crewd_supervisord.engine import Engine

REPORT_SEC = 1.0


class Stopping:
    """One shutdown or reload, driven pass by pass."""

    def __init__(self, engine: "Engine") -> None:
        self._supervisord: Any = engine.supervisord
        self._batch: list[Any] = []
        self._reported = 0.0
        self._supervisord.stopping = True
        self._supervisord.stop_groups = sorted(self._supervisord.process_groups.values())
        events.notify(events.SupervisorStoppingEvent())

    def step(self) -> None:
        """Stop the next batch once the present one has stopped; raises ExitNow when all have."""
        self._batch = [process for process in self._batch if process.state not in STOPPED_STATES]
        while not self._batch and self._supervisord.stop_groups:
            self._next_batch()
        if not self._batch and not self._supervisord.shutdown_report():
            raise asyncore.ExitNow
        self._report()

    def _next_batch(self) -> None:
        groups = self._supervisord.stop_groups
        priority = groups[-1].config.priority
        while groups and groups[-1].config.priority == priority:
            group = groups.pop()
            group.stop_all()
            self._batch.extend(group.get_unstopped_processes())

    def _report(self) -> None:
        now = boottime()
        if now - self._reported >= REPORT_SEC:
            self._reported = now
            self._supervisord.shutdown_report()
