"""What happened, in words: an event of the API as a sentence. Pure.

Rules:

1. Every type of the journal has its words; one of a newer daemon is shown by its type and its members.
2. Reasons and verdicts stand in the sentence as the journal has them, so that one can search for them.
"""

from collections.abc import Callable, Sequence

from crewd.model.states import ProcessState
from crewd.wording import Members, duration, ending, plain

NAMES_MOST = 5


def told(event: Members) -> tuple[str, str]:
    """Return what happened, and the colour of it; "" is none."""
    words = _WORDS.get(event["type"])
    if words is None:
        return _unknown(event), ""
    try:
        return words(event)
    except (KeyError, TypeError, ValueError):
        return _unknown(event), ""


def _unknown(event: Members) -> str:
    envelope = {"id", "generation", "sequence", "at", "type", "worker_id", "instance"}
    members = " ".join(f"{plain(key)}={plain(value)}" for key, value in event.items() if key not in envelope)
    return f"{plain(event['type'])} {members}".strip()


def _generation_began(event: Members) -> tuple[str, str]:
    before = "" if event["clean"] else "; the one before ended without a word"
    return f"began: pid {event['pid']}, supervisor {plain(event['supervisor_version'])}{before}", ""


def _generation_ended(event: Members) -> tuple[str, str]:
    return {"shutdown": "ends", "reload": "reloads itself"}.get(event["how"], plain(event["how"])), ""


def _segment_opened(_event: Members) -> tuple[str, str]:
    return "goes on in a new file of the journal", "dim"


def _table_applied(event: Members) -> tuple[str, str]:
    kinds = ("added", "changed", "restarted", "removed")
    touched = [f"{kind} {_names(event[kind])}" for kind in kinds if event.get(kind)]
    return f"took the configuration over: {'; '.join(touched) or 'nothing changed'}", ""


def _names(names: Sequence[str]) -> str:
    shown = " ".join(map(plain, names[:NAMES_MOST]))
    return shown if len(names) <= NAMES_MOST else f"{shown} and {len(names) - NAMES_MOST} more"


def _removed(_event: Members) -> tuple[str, str]:
    return "removed from the crew", ""


def _commanded(event: Members) -> tuple[str, str]:
    verb = plain(event["verb"]).replace("_", "-")
    return f"{verb} asked for by {plain(event['who']) or 'somebody'}, through {plain(event['through'])}", "bold"


def _state_changed(event: Members) -> tuple[str, str]:
    return f"{_state(event['from_state'])} -> {_state(event['to_state'])}", "dim"


def _state(state: int | str) -> str:
    return ProcessState(state).name if isinstance(state, int) else plain(state)


_CAUSES = {
    "boot": "with supervisord, or new in the crew",
    "restart": "as the policy has it",
    "command": "as asked for",
    "config": "for its configuration changed",
}


def _starting(event: Members) -> tuple[str, str]:
    cause = event["cause"]
    return f"about to start, {_CAUSES.get(cause, plain(cause))}", "dim"


def _spawned(event: Members) -> tuple[str, str]:
    lag = event.get("lag_sec")
    late = "" if lag is None else f", {lag * 1000:.1f} ms after it was due"
    return f"started: pid {event['pid']}{late}", "cyan"


def _spawn_failed(event: Members) -> tuple[str, str]:
    return f"could not be started: {plain(event['message'])} ({plain(event['step'])}, SpawnFailed)", "red"


def _succeeded(_event: Members) -> tuple[str, str]:
    return "runs: the start succeeded", "green"


def _exited(event: Members) -> tuple[str, str]:
    asked = ", as asked for" if event["commanded"] else ""
    quiet = event["commanded"] or event["reason"] == "CleanExit"
    words = f"ended: {ending(event)} after {duration(event['ran_sec'])}{asked} ({plain(event['reason'])})"
    return words, "" if quiet else "red"


_VERDICTS = {
    "NotWanted": "not started again, for no restart is wanted",
    "Prevented": "not started again, for its status is in restart_prevent_exit_status",
    "StartLimitHit": "given up, for the limit of starts is hit",
    "OperatorStop": "not started again, for an operator stopped it",
}
_ALARMS = {"StartLimitHit": "alarm", "Restarted": "yellow"}


def _judged(event: Members) -> tuple[str, str]:
    verdict = event["verdict"]
    if verdict == "Restarted":
        words = f"to be started again after {duration(event['delay_sec'])}"
    else:
        words = _VERDICTS.get(verdict, plain(verdict))
    return f"{words} ({plain(event['reason'])} -> {plain(verdict)})", _ALARMS.get(verdict, "")


def _lost(event: Members) -> tuple[str, str]:
    pid = "" if event["pid"] is None else f": pid {event['pid']}"
    return f"lost with an earlier supervisord{pid} (SupervisorLost)", "red"


def _leftover_ended(event: Members) -> tuple[str, str]:
    return f"what an earlier supervisord left was killed: pid {event['pid']}", "yellow"


def _fault_caught(event: Members) -> tuple[str, str]:
    times = "" if event["count"] == 1 else f", {event['count']} times"
    return f"a fault of crewd's own at {plain(event['where'])}{times}: {plain(event['error'])}", "alarm"


def _gap(event: Members) -> tuple[str, str]:
    return f"{event['lost']} events were not recorded: {event['first']} to {event['last']}", "alarm"


def _clock_jumped(event: Members) -> tuple[str, str]:
    by_sec = event["by_sec"]
    return f"the clock was set {'forward' if by_sec > 0 else 'back'} by {duration(abs(by_sec))}", "yellow"


_WORDS: dict[str, Callable[[Members], tuple[str, str]]] = {
    "generation_began": _generation_began,
    "generation_ended": _generation_ended,
    "segment_opened": _segment_opened,
    "table_applied": _table_applied,
    "removed": _removed,
    "commanded": _commanded,
    "state_changed": _state_changed,
    "starting": _starting,
    "spawned": _spawned,
    "spawn_failed": _spawn_failed,
    "succeeded": _succeeded,
    "exited": _exited,
    "judged": _judged,
    "lost": _lost,
    "leftover_ended": _leftover_ended,
    "fault_caught": _fault_caught,
    "gap": _gap,
    "clock_jumped": _clock_jumped,
}
