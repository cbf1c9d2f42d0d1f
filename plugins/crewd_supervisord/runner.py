"""What is put together for one supervisord object: engine, spawner and main loop; and which of them is current."""

from collections.abc import Callable
from typing import Any

from supervisor.medusa import asyncore_25 as asyncore
from supervisor.states import SupervisorStates

from crewd.model.facts import GenerationEnded
from crewd_supervisord.caller import Caller
from crewd_supervisord.engine import Engine
from crewd_supervisord.loop import Loop
from crewd_supervisord.poller import WakingPoller
from crewd_supervisord.spawn import Spawner


class Runner:
    """The engine of one supervisord object, and what drives it. ``current`` is the one that runs in this process."""

    def __init__(self, engine: Engine, spawner: Spawner) -> None:
        self.engine = engine
        self.spawner = spawner
        self.caller = Caller()
        self.loop: Loop | None = None

    def run(self, stock_loop: Callable[[], Any]) -> None:
        """Run the main loop, ours or supervisor's; a fault in ours falls back to supervisor's."""
        try:
            if self.engine.mode != "fast" or not self._run_ours():
                self._run_stock(stock_loop)
        finally:
            self._close()

    def attach(self, process: Any) -> None:
        """Poll the pipes of a process that was just spawned."""
        if self.loop is not None:
            self.loop.registrations.attach(process)

    def detach(self, process: Any) -> None:
        """Stop polling the pipes of a process that ended."""
        if self.loop is not None:
            self.loop.registrations.detach(process)

    def ask(self, process: Any) -> None:
        """Poll the standard input of a process if something waits to be written."""
        fd = process.pipes.get("stdin") if process.pipes else None
        if self.loop is not None and fd is not None and fd in process.dispatchers:
            self.loop.registrations.ask(fd, process.dispatchers[fd])

    def forget_channel(self, fd: int) -> None:
        """Stop polling an HTTP connection that is about to be closed."""
        if self.loop is not None:
            self.loop.registrations.drop(fd)

    def give_way(self) -> None:
        """Let supervisor's own loop take over: it asks for every descriptor in every pass, and misses none."""
        if self.loop is not None:
            self.loop.sound = False

    @property
    def stale(self) -> int:
        """How many registrations were found stale."""
        return self.loop.registrations.stale if self.loop is not None else 0

    def _run_ours(self) -> bool:
        """Return whether the loop ended in order."""
        try:
            self.loop = Loop(self.engine)
            self.loop.run()
            return True
        except asyncore.ExitNow:
            raise
        except Exception:
            self.engine.faults.caught(self.engine, "loop")
            self.engine.mode, self.engine.mode_reason = "stock", "the replaced loop failed, see the log"
            return False
        finally:
            loop, self.loop = self.loop, None
            if loop is not None:
                loop.close()

    def _run_stock(self, stock_loop: Callable[[], Any]) -> None:
        poller = WakingPoller(self.engine)
        self.engine.options.poller = poller
        try:
            stock_loop()
        finally:
            poller.close()

    def _close(self) -> None:
        engine = self.engine
        how = "reload" if engine.options.mood == SupervisorStates.RESTARTING else "shutdown"
        if not any(instance.process.pid for instance in engine.instances.values()):
            engine.journal.append(GenerationEnded(how))  # else it is a crash: the next generation has leftovers to end
        engine.journal.close()
        self.spawner.close()


current: Runner | None = None


def make_current(run: Runner | None) -> None:
    """Let ``run`` be the one that the hooks ask."""
    global current
    current = run
