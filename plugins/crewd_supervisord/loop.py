"""supervisord's main loop, replaced: epoll, woken by SIGCHLD, with work proportional to what is ready.

After supervisor's Supervisor.runforever() (see guard.py). One pass:

    poll -> reap -> handle what is readable or writable -> timers and starts -> pools and listeners -> signals, ticks

Rules:

1. Reaping comes first: finish() drains the pipes, which spares the reads of their ends.
2. Work is cut into slices; while something is left, the next poll does not wait.
3. HTTP channels are asked what they want in every pass: their readable() and writable() have side effects and delays.
4. Children are waited for on SIGCHLD, and every SAFETY_SEC for safety: a wait with nothing to reap scans them all.
5. The wall clock is compared once a second; when it jumped, supervisor's own repair looks at every process.
"""

import time
from typing import TYPE_CHECKING, Any

from supervisor import events
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.states import SupervisorStates

from crewd_supervisord.clock import WallClock, boottime
from crewd_supervisord.engine import SLICE_SEC
from crewd_supervisord.fds import ERROR, READ, WRITE, Registrations
from crewd_supervisord.foreign import POLL_SEC, Foreign
from crewd_supervisord.reaper import reap
from crewd_supervisord.stopping import Stopping
from crewd_supervisord.wakeup import Wakeup

if TYPE_CHECKING:
    from crewd_supervisord.engine import Engine

POLL_MOST_SEC = 1.0  # supervisor's TICK_5 needs no finer
SAFETY_SEC = 30.0
EVENTS_MOST = 512


class Loop:
    """The main loop of one supervisord object."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._supervisord: Any = engine.supervisord
        self._options: Any = engine.options
        self._channels: dict[int, Any] = engine.options.get_socket_map()
        self._signals: list[int] = engine.options.signal_receiver._signals_recvd
        self.registrations = Registrations()
        self.sound = True
        """Whether the registrations are what they should be; else the next pass fails."""
        self._wakeup = Wakeup()
        self.registrations.epoll.register(self._wakeup.fd, READ)
        self.foreign = Foreign(engine)
        engine.on_regroup = self.foreign.regroup
        self._stopping: Stopping | None = None
        self._more = True
        self._children = True
        self._second = self._safety = boottime()
        self._wall = WallClock()

    def run(self) -> None:
        """Run until supervisord ends or reloads: then ExitNow is raised."""
        events.notify(events.SupervisorRunningEvent())
        self.foreign.regroup()
        while True:
            self._turn()
            if self._options.test:
                return

    def close(self) -> None:
        """Give up the descriptors."""
        self._engine.on_regroup = lambda: None
        self._wakeup.close()
        self.registrations.close()

    def _turn(self) -> None:
        if not self.sound:
            raise RuntimeError("a descriptor could not be registered or unregistered")
        if self._options.mood < SupervisorStates.RUNNING:
            self._stop_step()
        ready = self.registrations.poll(self._timeout(), EVENTS_MOST)
        woken = any(fd == self._wakeup.fd for fd, _ in ready)
        if woken:
            self._wakeup.clear()
        end = boottime() + SLICE_SEC
        if woken or self._children:
            self._children = reap(self._engine, end)
        for fd, mask in ready:
            if self.registrations.current(fd):
                self._handle(fd, mask)
        self._more = self._engine.work(end)
        self.foreign.transition()
        now = boottime()
        if now - self._second >= 1.0:
            self._each_second(now)
        self._engine.journal.passed()
        self._supervisord.handle_signal()
        self._supervisord.tick()

    def _stop_step(self) -> None:
        if self._stopping is None:
            self._stopping = Stopping(self._engine)
        self._stopping.step()

    def _timeout(self) -> float:
        channels = self._ask_channels()
        if self._more or self._children or self._signals:
            return 0.0
        at = self._engine.next_at()
        most = POLL_MOST_SEC if at is None else min(POLL_MOST_SEC, max(0.0, at - boottime()))
        if self.foreign.passing():
            most = min(most, POLL_SEC)
        return min(most, channels)

    def _ask_channels(self) -> float:
        """Register what the HTTP channels want; returns how long the first deferred answer can wait."""
        wait = POLL_MOST_SEC
        for fd, channel in list(self._channels.items()):
            mask = (READ if channel.readable() else 0) | (WRITE if channel.writable() else 0)
            self.registrations.set(fd, mask)
            delay = getattr(channel, "delay", 0)
            if delay:
                wait = min(wait, max(0.001, channel.last_writable_check + delay - time.time() + 0.001))
        return wait

    def _handle(self, fd: int, mask: int) -> None:
        registrations = self.registrations
        dispatcher = registrations.dispatcher(fd)
        ours = dispatcher is not None
        if not ours:
            dispatcher = self._channels.get(fd)
            if dispatcher is None:
                registrations.drop(fd)
                return
        try:
            if mask & READ and (not ours or dispatcher.readable()):
                dispatcher.handle_read_event()
            # a channel is asked what it wants once a pass (rule 3): its delay begins anew with every question
            writes = mask & (WRITE | ERROR) and dispatcher.writable() if ours else mask & WRITE
            if writes and registrations.current(fd):
                dispatcher.handle_write_event()
        except asyncore.ExitNow:
            raise
        except BaseException:
            dispatcher.handle_error()
        if ours and registrations.dispatcher(fd) is dispatcher:
            registrations.ask(fd, dispatcher)

    def _each_second(self, now: float) -> None:
        self._second = now
        self._engine.each_second()
        self.foreign.regroup_if_changed()
        jump = self._wall.jump()
        if jump:
            self._clock_jumped(jump)
        if now - self._safety > SAFETY_SEC:
            self._safety = now
            self._children = True

    def _clock_jumped(self, by_sec: float) -> None:
        self._engine.clock_jumped(by_sec)
        wall = time.time()
        for group in list(self._supervisord.process_groups.values()):
            for process in list(group.processes.values()):
                process._check_and_adjust_for_system_clock_rollback(wall)
