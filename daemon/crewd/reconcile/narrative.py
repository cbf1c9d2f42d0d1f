"""What is logged of an event: every exit with its reason, every verdict, every start, and whatever is out of order.

State changes are not: they follow from these. A fault or a gap is an error, for it says that crewd itself failed.
"""

from dataclasses import dataclass, field
from typing import Any

from crewd.model.facts import (
    ClockJumped,
    Commanded,
    Event,
    Exited,
    FaultCaught,
    Gap,
    GenerationBegan,
    GenerationEnded,
    Judged,
    LeftoverEnded,
    Lost,
    Removed,
    Spawned,
    SpawnFailed,
)
from crewd.model.reasons import Reason, Verdict
from crewd.model.record import Record

NAMES_MOST = 20
"""So many instances are named in one line; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Say:
    """One line of the log. ``level``: debug, info, warning, error."""

    level: str
    event: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])


def say(level: str, event: str, **fields: Any) -> Say:
    """Return a line of the log."""
    return Say(level, event, fields)


def narrate(before: Record, event: Event) -> Say | None:
    """Return what to log of ``event``; ``before`` is its instance's record as it was. None: nothing."""
    fact = event.fact
    match fact:
        case Spawned():
            return _spawned(before, fact)
        case Exited():
            return _exited(fact)
        case Judged():
            return _judged(fact)
        case SpawnFailed():
            return say("error", "start failed", instance=fact.instance, step=fact.step, message=fact.message)
        case Commanded():
            return say("info", "commanded", instance=fact.instance, verb=fact.verb, who=fact.who, through=fact.through)
        case Removed():
            return say("info", "removed", instance=fact.instance)
        case Lost():
            return say("warning", "lost", instance=fact.instance, pid=fact.pid, reason=str(Reason.SUPERVISOR_LOST))
        case LeftoverEnded():
            return say("warning", "leftover ended", instance=fact.instance, pid=fact.pid)
        case _:
            return _of_the_engine(fact)


def _of_the_engine(fact: object) -> Say | None:
    match fact:
        case GenerationBegan():
            return say(
                "info" if fact.clean else "warning",
                "supervisord began",
                generation=fact.generation,
                pid=fact.pid,
                supervisor=fact.supervisor_version,
                engine=fact.engine_version,
                mode=fact.mode,
                mode_reason=fact.mode_reason,
                previous_ended="in order" if fact.clean else "without a word",
            )
        case GenerationEnded():
            return say("info", "supervisord ends", how=fact.how)
        case FaultCaught():
            return say(
                "error", "engine fault", where=fact.where, error=fact.error, instance=fact.instance, count=fact.count
            )
        case Gap():
            return say("error", "journal gap", first=fact.first, last=fact.last, lost=fact.lost)
        case ClockJumped():
            return say("warning", "clock jumped", by_sec=fact.by_sec)
        case _:
            return None


def _spawned(before: Record, fact: Spawned) -> Say:
    fields: dict[str, Any] = {"instance": fact.instance, "pid": fact.pid}
    if before.restarts:
        fields["restarts"] = before.restarts
    if fact.lag_sec is not None:
        fields["lag_ms"] = round(fact.lag_sec * 1000, 1)
    return Say("info", "started", fields)


def _exited(fact: Exited) -> Say:
    how = {"code": fact.code} if fact.signal is None else {"signal": fact.signal}
    quiet = fact.commanded or fact.reason is Reason.CLEAN_EXIT
    return say(
        "info" if quiet else "warning",
        "exited",
        instance=fact.instance,
        pid=fact.pid,
        reason=str(fact.reason),
        **how,
        ran_sec=round(fact.ran_sec, 3),
        **({"commanded": True} if fact.commanded else {}),
    )


_VERDICTS = {
    Verdict.RESTARTED: ("info", "restart due"),
    Verdict.NOT_WANTED: ("info", "not restarted"),
    Verdict.OPERATOR_STOP: ("info", "not restarted"),
    Verdict.PREVENTED: ("warning", "not restarted"),
    Verdict.START_LIMIT_HIT: ("error", "given up"),
}


def _judged(fact: Judged) -> Say:
    level, event = _VERDICTS[fact.verdict]
    fields: dict[str, Any] = {"instance": fact.instance, "reason": str(fact.reason), "verdict": str(fact.verdict)}
    if fact.delay_sec is not None:
        fields["delay_sec"] = round(fact.delay_sec, 3)
    return Say(level, event, fields)


def names(value: "int | tuple[str, ...]") -> str:
    """Return the names for a log line: at most NAMES_MOST of them, then how many more there are."""
    if isinstance(value, int):
        return str(value)
    shown = " ".join(value[:NAMES_MOST])
    return shown if len(value) <= NAMES_MOST else f"{shown} and {len(value) - NAMES_MOST} more"
