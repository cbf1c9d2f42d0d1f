"""What is there and should not be: a second supervisord, workers without one, files of those that are gone. Pure."""

from collections.abc import Iterator

from crewd.doctor.facts import Facts, Process, Reply
from crewd.doctor.finding import Area, Finding, note, problem, warning

_AREA = Area.LEFTOVERS
SHOWN_MOST = 5


def check_leftovers(facts: Facts) -> Iterator[Finding]:
    """Look for all of it."""
    if len(facts.supervisords) > 1:
        listening = facts.engine_socket.listener
        others = [one for one in facts.supervisords if listening is None or one.pid != listening.pid]
        pids = ", ".join(str(one.pid) for one in facts.supervisords)
        what = f"{len(facts.supervisords)} supervisords run this crew: processes {pids}"
        yield problem(_AREA, "two-supervisords", what, remedy=f"kill {' '.join(str(one.pid) for one in others)}")
    yield from _strays(facts)
    yield from _pid_file(facts)
    if facts.applying:
        what = f"process {facts.applying} holds the lock of applies: no other can begin, nor supervisord quickly start"
        yield note(
            _AREA,
            "apply-lock",
            what,
            path=f"{facts.home.engine}/apply.lock",
            remedy="wait; look at what it does if it stays",
        )


def _strays(facts: Facts) -> Iterator[Finding]:
    if not facts.strays:
        return
    pids = _shown(facts.strays)
    if facts.engine_socket.reply is Reply.ANSWERS:
        what = f"processes that workers left behind run on, above them no supervisord: {pids}"
        yield note(_AREA, "orphans", what, remedy="nothing, where kill_mode: process is meant")
    else:
        what = f"{len(facts.strays)} processes of workers run without a supervisord: {pids}"
        yield problem(_AREA, "orphans", what, remedy="start supervisord, which ends them and starts their workers anew")


def _pid_file(facts: Facts) -> Iterator[Finding]:
    listener, path = facts.engine_socket.listener, facts.home.supervisord_pid
    if facts.pid_file is not None and listener is not None and facts.pid_file != listener.pid:
        what = f"names process {facts.pid_file}, while supervisord is process {listener.pid}"
        yield warning(_AREA, "pid-file", what, path=path, remedy=f"echo {listener.pid} >{path}")
    elif facts.pid_file is not None and facts.engine_socket.reply in (Reply.MISSING, Reply.REFUSED):
        what = f"names process {facts.pid_file}, which is no supervisord: one that was killed left it behind"
        yield note(_AREA, "pid-file", what, path=path, remedy="nothing: the next one writes it anew")


def _shown(processes: tuple[Process, ...]) -> str:
    told = [f"{one.pid} ({one.instance})" for one in processes[:SHOWN_MOST]]
    more = len(processes) - SHOWN_MOST
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")
