"""What the journal's lines make of an instance: ``fold`` takes one event to the next Record.

Rules:

1. The record of an instance is the fold of its lines since it was added, and nothing else.
2. Standing changes by commands and verdicts alone, never by a process state: a shutdown is no verdict. A start that
   was asked for is owed, also to the next generation, should supervisord end before the spawn.
3. A start by command or by a changed configuration begins a new history, and so does a verdict marked ``fresh``; a
   command does so when it is given, for the start may come only after a restart of supervisord, as one of its own.
4. A record is bounded: REMEMBERED_EXITS exits, REMEMBERED_STARTS starts, the oldest forgotten first. Nothing is
   forgotten by a policy: the next may look further back, and then the fold after a restart would know more.
"""

from dataclasses import replace

from crewd.model.facts import (
    Commanded,
    Event,
    Exited,
    Judged,
    Lost,
    Spawned,
    SpawnFailed,
    Starting,
    StateChanged,
)
from crewd.model.reasons import Cause, Reason, Verdict
from crewd.model.record import NO_STARTS, REMEMBERED_EXITS, REMEMBERED_STARTS, PastExit, Record, Standing, Starts
from crewd.model.states import ProcessState
from crewd.policy.duty import failed

_STANDING = {
    Verdict.RESTARTED: Standing.UP,
    Verdict.NOT_WANTED: Standing.FINISHED,
    Verdict.PREVENTED: Standing.FINISHED,
    Verdict.OPERATOR_STOP: Standing.STOPPED,
    Verdict.START_LIMIT_HIT: Standing.GIVEN_UP,
}
_NEW_HISTORY = frozenset({Cause.COMMAND, Cause.CONFIG})


def fold(record: Record, event: Event) -> Record:
    """Return the record after the event; events that do not concern an instance's record leave it as it is."""
    fact = event.fact
    match fact:
        case StateChanged():
            return replace(record, process_state=fact.to_state)
        case Starting():
            return _starting(record, event, fact)
        case Spawned():
            return replace(record, token=fact.token, pid=fact.pid, start_ticks=fact.start_ticks)
        case Exited():
            past = PastExit(event.at, fact.reason, fact.code, fact.signal, fact.ran_sec, commanded=fact.commanded)
            return _ended(record, past)
        case SpawnFailed():
            return _ended(record, PastExit(event.at, Reason.SPAWN_FAILED, None, None, 0.0, fact.message))
        case Lost():
            ran = 0.0 if record.started_at is None else max(0.0, event.boottime - record.started_at)
            return _ended(record, PastExit(event.at, Reason.SUPERVISOR_LOST, None, None, ran))
        case Judged():
            return _judged(record, fact)
        case Commanded():
            return _commanded(record, fact)
        case _:
            return record


def _starting(record: Record, event: Event, fact: Starting) -> Record:
    automatic = fact.cause is Cause.RESTART
    new_history = fact.cause in _NEW_HISTORY
    return replace(
        record,
        standing=Standing.UP,
        token=fact.token,
        pid=0,
        start_ticks=0,
        started_at=event.boottime,
        started_wall=event.at,
        due_at=None,
        starts=Starts((*(() if new_history else record.starts[1 - REMEMBERED_STARTS :]), event.boottime)),
        restarts=0 if new_history else record.restarts + automatic,
        restart_count=record.restart_count + automatic,
        fingerprint=fact.fingerprint,
        settings=fact.settings,
    )


def _ended(record: Record, past: PastExit) -> Record:
    return replace(
        record, token="", pid=0, start_ticks=0, started_at=None, exits=(*record.exits[1 - REMEMBERED_EXITS :], past)
    )


def _judged(record: Record, fact: Judged) -> Record:
    exits = record.exits
    if exits and exits[-1].verdict is None:
        exits = (*exits[:-1], replace(exits[-1], verdict=fact.verdict, delay_sec=fact.delay_sec))
    return replace(
        record,
        standing=_STANDING[fact.verdict],
        due_at=fact.due_at,
        starts=NO_STARTS if fact.fresh else record.starts,
        restarts=0 if fact.fresh else record.restarts,
        exits=exits,
    )


def _commanded(record: Record, fact: Commanded) -> Record:
    if fact.verb == "stop":
        return replace(record, standing=Standing.STOPPED, due_at=None)
    if fact.verb in {"start", "restart"}:
        return replace(record, standing=Standing.UP, due_at=None, starts=NO_STARTS, restarts=0)
    if fact.verb == "reset_failed":
        at_rest = _at_rest(record) if failed(record) else record
        return replace(at_rest, starts=NO_STARTS, restarts=0)
    return record


def _at_rest(record: Record) -> Record:
    """Return it as if it had been stopped, as systemd's reset-failed makes a failed unit an inactive one."""
    down = record.process_state in {ProcessState.FATAL, ProcessState.EXITED}
    state = ProcessState.STOPPED if down else record.process_state
    return replace(record, standing=Standing.STOPPED, process_state=state)
