"""The fallback: supervisor's own loop, with its poller wrapped, so that SIGCHLD and timers end a poll.

The loop computes which descriptors exist before it polls. So when the wrapper reaped or spawned, it reports nothing
ready: descriptors may have changed hands, and what is ready is still ready in the next pass. It does so every other
time at most, so that a storm of exits starves no RPC.
"""

from typing import TYPE_CHECKING, Any

from crewd_supervisord.clock import WallClock, boottime
from crewd_supervisord.engine import SLICE_SEC
from crewd_supervisord.reaper import reap
from crewd_supervisord.wakeup import Wakeup

if TYPE_CHECKING:
    from crewd_supervisord.engine import Engine


class WakingPoller:
    """Stands before ``options.poller`` while the stock loop runs; everything but ``poll`` goes through."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._inner: Any = engine.options.poller
        self._wakeup = Wakeup()
        self._more = True
        self._worked = False
        self._wall = WallClock()
        self._second = 0.0
        self._stopped_priority: int | None = None
        self._inner.register_readable(self._wakeup.fd)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def poll(self, timeout: float) -> tuple[list[int], list[int]]:
        """Return the readable and writable descriptors; none when the time went into processes."""
        try:
            wait = self._wait(timeout)
        except Exception:
            self._engine.faults.caught(self._engine, "poll")
            wait = timeout
        readable, writable = self._inner.poll(wait)
        try:
            return self._after(readable, writable)
        except Exception:
            self._engine.faults.caught(self._engine, "poll")
            self._rescue()
            return [fd for fd in readable if fd != self._wakeup.fd], writable

    def close(self) -> None:
        """Put the inner poller back."""
        self._engine.options.poller = self._inner
        try:
            self._inner.unregister_readable(self._wakeup.fd)
        except (OSError, KeyError):
            pass
        self._wakeup.close()

    def _rescue(self) -> None:
        """Do what is due all the same; what cannot be done is left to supervisor."""
        try:
            self._wakeup.clear()
            self._more = self._engine.work(boottime())
        except Exception:
            self._more = False
            self._engine.faults.abandoned(self._engine)

    def _wait(self, timeout: float) -> float:
        self._engine.journal.passed()  # what the handlers of the pass before noted, too: an RPC may be all there was
        self._stop_equals()
        if self._more or self._waits_for_nobody():
            return 0.0
        at = self._engine.next_at()
        return timeout if at is None else max(0.0, min(timeout, at - boottime()))

    def _stop_equals(self) -> None:
        """Shutting down, supervisor stops one group after another: stop those of the same priority with it."""
        groups = self._engine.supervisord.stop_groups
        if self._engine.up or not groups or groups[-1].config.priority == self._stopped_priority:
            return
        self._stopped_priority = groups[-1].config.priority
        for group in groups:
            if group.config.priority == self._stopped_priority:
                group.stop_all()

    def _waits_for_nobody(self) -> bool:
        """Return whether supervisor, shutting down, has a group's turn of which nothing runs: that costs it a poll."""
        groups = self._engine.supervisord.stop_groups
        return not self._engine.up and bool(groups) and not groups[-1].get_unstopped_processes()

    def _after(self, readable: list[int], writable: list[int]) -> tuple[list[int], list[int]]:
        if self._wakeup.fd in readable:
            readable = [fd for fd in readable if fd != self._wakeup.fd]
            self._wakeup.clear()
            self._more = True
        self._each_second()
        if self._worked and (readable or writable):
            self._worked = False
            return readable, writable
        at = self._engine.next_at()
        if not self._more and (at is None or at > boottime()):
            self._worked = False
            return readable, writable
        end = boottime() + SLICE_SEC
        children = reap(self._engine, end)
        self._more = self._engine.work(end) or children
        self._worked = True
        return [], []

    def _each_second(self) -> None:
        now = boottime()
        if now - self._second >= 1.0:
            self._second = now
            self._engine.each_second()
            jump = self._wall.jump()
            if jump:
                self._engine.clock_jumped(jump)
