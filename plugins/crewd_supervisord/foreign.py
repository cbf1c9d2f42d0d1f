"""The processes that are not ours: event listeners, FastCGI programs, programs added behind crewd's back.

They live by supervisor's own transition(), which stock calls for every process in every pass. Here it is called only
while something can come of it: in states that pass by themselves, and for pools, which also dispatch their events.
"""

from typing import TYPE_CHECKING, Any

from supervisor.process import EventListenerPool

from crewd.model.states import ProcessState

if TYPE_CHECKING:
    from crewd_supervisord.engine import Engine

POLL_SEC = 0.05
"""How often a state that passes by itself is looked at."""
_PASSING = frozenset({ProcessState.STARTING, ProcessState.STOPPING, ProcessState.BACKOFF})


class Foreign:
    """All processes of one supervisord that the engine does not look after."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._pools: list[Any] = []
        self._others: list[Any] = []
        self._processes = 0
        self._stale = True

    def regroup_if_changed(self) -> None:
        """Look again if a process was put into a group behind our back, as some plugins do."""
        if self._count() != self._processes:
            self.regroup()

    def regroup(self) -> None:
        """Look again, before the next look, which groups there are."""
        self._stale = True

    def _refresh(self) -> None:
        self._stale = False
        groups = self._engine.supervisord.process_groups.values()
        self._processes = self._count()
        self._pools = [group for group in groups if isinstance(group, EventListenerPool)]
        self._others = [
            process
            for group in groups
            if not isinstance(group, EventListenerPool)
            for process in group.processes.values()
            if id(process) not in self._engine.of_process
        ]

    def _count(self) -> int:
        return sum(len(group.processes) for group in self._engine.supervisord.process_groups.values())

    def transition(self) -> None:
        """Let supervisor take their next steps, dispatch events to the pools."""
        if self._stale:
            self._refresh()
        for pool in self._pools:
            pool.transition()
        for process in self._others:
            process.transition()
        for instance in list(self._engine.natives.values()):
            instance.process.transition()

    def passing(self) -> bool:
        """Return whether any of them is in a state that passes by itself."""
        if self._stale:
            self._refresh()
        natives = (instance.process for instance in self._engine.natives.values())
        if any(process.state in _PASSING for process in (*self._others, *natives)):
            return True
        return any(process.state in _PASSING for pool in self._pools for process in pool.processes.values())
