"""The lines of one instance: what its record says, and what it uses."""

from crewd.metrics.families import CPU, LAST_EXIT_CODE, MEMORY, NEXT_RESTART, OPEN_FDS, START_TIME, STATE, WANTED
from crewd.metrics.kept import Chunks
from crewd.metrics.text import encoded, labelled_instance, number
from crewd.model.record import Record
from crewd.model.states import ProcessState
from crewd.reconcile.port import Usage

_STATES = tuple(state for state in ProcessState if state is not ProcessState.UNKNOWN)


def record_lines(instance: str, record: Record) -> Chunks:
    """Return the lines, by family as in ``families.OF_RECORDS``."""
    labels = labelled_instance(instance)
    code = _last_exit_code(record)
    started = record.started_wall if record.pid else None
    return (
        encoded(_states(labels, record.process_state)),
        b"" if code is None else encoded([f"{LAST_EXIT_CODE.name}{{{labels}}} {code}\n"]),
        b"" if started is None else encoded([f"{START_TIME.name}{{{labels}}} {number(started)}\n"]),
    )


def usage_lines(instance: str, usage: Usage) -> Chunks:
    """Return the lines, by family as in ``families.OF_USAGES``; what may not be read is left out."""
    labels = labelled_instance(instance)
    pss, fds = usage.pss_bytes, usage.open_fds
    memory = f'{MEMORY.name}{{{labels},kind="rss"}} {usage.rss_bytes}\n'
    return (
        encoded([f"{CPU.name}{{{labels}}} {number(usage.cpu_sec)}\n"]),
        encoded([memory] if pss is None else [memory, f'{MEMORY.name}{{{labels},kind="pss"}} {pss}\n']),
        b"" if fds is None else encoded([f"{OPEN_FDS.name}{{{labels}}} {fds}\n"]),
    )


def wanted_line(instance: str, wanted: bool) -> str:
    """Return whether it should run now."""
    return f"{WANTED.name}{{{labelled_instance(instance)}}} {int(wanted)}\n"


def next_restart_line(instance: str, due: float) -> str:
    """Return when the restart comes, ``due`` in unix seconds."""
    return f"{NEXT_RESTART.name}{{{labelled_instance(instance)}}} {number(round(due, 3))}\n"


def _states(labels: str, state: ProcessState) -> list[str]:
    """A series for each state; for UNKNOWN, which supervisord all but never says, only while it is the state."""
    shown = _STATES if state is not ProcessState.UNKNOWN else (*_STATES, state)
    return [f'{STATE.name}{{{labels},state="{one.name}"}} {int(one is state)}\n' for one in shown]


def _last_exit_code(record: Record) -> int | None:
    """None where no run ended yet, or none knows how: the process was never spawned, or lost with its supervisord."""
    if not record.exits:
        return None
    last = record.exits[-1]
    return last.code if last.signal is None else -last.signal
