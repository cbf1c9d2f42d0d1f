"""What happens when the engine itself fails: caught, logged, journalled, counted; supervisord goes on by its own means.

Rules:

1. No exception of ours reaches supervisord, except the ones that are supervisord's own language (ExitNow, RPCError).
2. An instance over which the engine failed is native: supervisor's own transition() restarts it after NATIVE_DELAY_SEC,
   until its next successful pass through the engine.
"""

import time
import traceback
from typing import TYPE_CHECKING, Any

from supervisor.datatypes import RestartWhenExitUnexpected
from supervisor.states import ProcessStates

from crewd.model.facts import FaultCaught
from crewd.model.spec import RestartMode
from crewd.model.states import ProcessState
from crewd_supervisord.clock import boottime

if TYPE_CHECKING:
    from crewd_supervisord.engine import Engine
    from crewd_supervisord.instance import Instance

NATIVE_DELAY_SEC = 1.0
DEFAULT_RETRIES = 3
_ENDED = (ProcessState.EXITED, ProcessState.BACKOFF)
_PASSING = (ProcessState.STARTING, ProcessState.STOPPING)


class Faults:
    """Counts and reports the engine's own failures."""

    def __init__(self, logger: Any) -> None:
        self.count = 0
        self._logger = logger

    def caught(self, engine: "Engine", where: str, instance: "Instance | None" = None) -> None:
        """Report the exception being handled, and hand the instance over to supervisor."""
        self.count += 1
        text = traceback.format_exc()
        self._tell(f"crewd: fault in {where}, supervisord goes on by its own means: {text}")
        try:
            error = text.strip().rsplit("\n", 1)[-1]
            engine.journal.append(FaultCaught(where, error, instance.name if instance else None, self.count))
        except Exception:
            self._tell(f"crewd: cannot journal a fault: {traceback.format_exc()}")
        if instance is not None:
            self._go_native(engine, instance)

    def abandoned(self, engine: "Engine") -> None:
        """Hand over to supervisor whatever is due or queued: the engine cannot do it."""
        now = boottime()
        queued = list(engine.starts)
        engine.starts.clear()
        for instance in queued:
            if not instance.process.pid:
                instance.process.state = ProcessStates.BACKOFF
            self._go_native(engine, instance)
        for instance in list(engine.instances.values()):
            due = instance.record.due_at
            overdue = due is not None and due <= now
            if (overdue or instance.process.state in _PASSING) and instance.name not in engine.natives:
                self._go_native(engine, instance)

    def _tell(self, message: str) -> None:
        """Log it where that can be done: a log that cannot be written is no reason to end."""
        try:
            self._logger.critical(message)
        except Exception:
            return

    def _go_native(self, engine: "Engine", instance: "Instance") -> None:
        try:
            engine.timers.cancel(instance)
            engine.natives[instance.name] = instance
            back_off_natively(instance)
        except Exception:
            self._tell(f"crewd: cannot hand over {instance.name}: {traceback.format_exc()}")


def restart_natively(process: Any) -> None:
    """Let supervisor restart a process that the engine does not know, though it was rendered for the engine."""
    if process.config.autorestart is False:
        process.config.autorestart = RestartWhenExitUnexpected
        process.config.startretries = min(process.config.startretries, DEFAULT_RETRIES)


def back_off_natively(instance: "Instance") -> None:
    """Let supervisor's own BACKOFF logic restart the instance, unless it was stopped or never is restarted."""
    process = instance.process
    ended = process.state in _ENDED and not process.pid
    if not ended or instance.entry.policy.restart is RestartMode.NO:
        return
    process.state = ProcessStates.BACKOFF
    process.backoff = 1
    process.delay = time.time() + NATIVE_DELAY_SEC
