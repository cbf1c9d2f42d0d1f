"""Reaping in slices, after supervisor's Supervisor.reap(), which recurses and stops at a hundred."""

from typing import TYPE_CHECKING, Any

from supervisor.options import decode_wait_status

from crewd_supervisord.clock import boottime

if TYPE_CHECKING:
    from crewd_supervisord.engine import Engine


def reap(engine: "Engine", end: float) -> bool:
    """Reap one child, and more until ``end`` on the boot clock; returns whether children may be left."""
    options: Any = engine.options
    while True:
        pid, status = options.waitpid()
        if not pid:
            return False
        process = options.pidhistory.get(pid)
        if process is None:
            options.logger.info(f"reaped unknown pid {pid} ({decode_wait_status(status)[1]})")
        else:
            del options.pidhistory[pid]
            process.finish(pid, status)
        if boottime() > end:
            return True
