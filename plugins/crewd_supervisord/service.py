"""The service manager, where one started supervisord: sd_notify(3).

READY when the main loop begins, WATCHDOG with its ticks, every 5 seconds: by supervisor's own events, so that both
loops tell, and a supervisord without an engine too. STOPPING at its end, but not at a reload, which systemd would take
for one. Rules:

1. What the manager gave to supervisord is supervisord's alone: no worker finds it in its environment.
2. A manager that does not listen holds nothing up.
"""

import socket
from collections.abc import Callable, MutableMapping
from typing import Any

from supervisor import events
from supervisor.states import ProcessStates, SupervisorStates

GIVEN = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
)

_address = ""


def take(environ: MutableMapping[str, str]) -> None:
    """Take what the manager gave out of the environment, and remember where it listens."""
    global _address
    given = {name: environ.pop(name, "") for name in GIVEN}
    _address = given["NOTIFY_SOCKET"]


def attend(supervisord: Any) -> None:
    """Tell the manager of this supervisord object from now on."""
    if not _address:
        return
    _on(events.SupervisorRunningEvent, lambda: f"READY=1\n{_status(supervisord)}")
    _on(events.Tick5Event, lambda: f"WATCHDOG=1\n{_status(supervisord)}")
    _on(events.SupervisorStoppingEvent, lambda: _stopping(supervisord))


def _on(event: Any, message: Callable[[], str]) -> None:
    def tell(_event: Any) -> None:
        _tell(message)

    events.subscribe(event, tell)


def _stopping(supervisord: Any) -> str:
    ends = supervisord.options.mood == SupervisorStates.SHUTDOWN
    return "STOPPING=1\nSTATUS=stopping the workers" if ends else "STATUS=reloading"


def _status(supervisord: Any) -> str:
    processes = [one for group in supervisord.process_groups.values() for one in group.processes.values()]
    running = sum(process.state == ProcessStates.RUNNING for process in processes)
    return f"STATUS={running} of {len(processes)} programs running"


def _tell(message: Callable[[], str]) -> None:
    """Nothing that goes wrong here is supervisord's business: a manager that misses us says so."""
    try:
        address = "\0" + _address[1:] if _address.startswith("@") else _address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as to:
            to.sendto(message().encode(), address)
    except Exception:
        return
