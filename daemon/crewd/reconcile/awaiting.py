"""Whether an instance came where a command was to bring it: judged by what the journal says, one line after another.

What is awaited of an instance is, in words:

- ASKED: the engine took the command; its line in the journal has not been heard.
- TAKEN: it was heard. A start is to follow; what the old process still does says nothing.
- UNDER_WAY: what happens from here on is what the command led to.

Rules:

1. Pure. The picture is not asked: it may be ahead of the line that is being heard.
2. The order of the journal is the order of things: lines before the command's own are of an older story.
3. Where lines were missed, or time is up, the last word is the record's: ``judged``.
"""

from dataclasses import dataclass
from enum import Enum, auto

from crewd.model.facts import Commanded, Exited, Fact, Judged, Removed, SpawnFailed, Starting, StateChanged
from crewd.model.reasons import Cause, Reason, Verdict
from crewd.model.record import Record, Standing
from crewd.model.states import ProcessState
from crewd.reconcile.port import Verb
from crewd.wording import ending, plain

UNCHANGED = frozenset({"already running", "not running"})
"""The engine's words where there was nothing to do, and where it therefore wrote nothing down."""

_AT_REST = frozenset({ProcessState.STOPPED, ProcessState.EXITED, ProcessState.FATAL})
_FAILED = {
    Verdict.RESTARTED: "crashed while starting, and waits for its restart",
    Verdict.NOT_WANTED: "ended while starting, and no restart is wanted",
    Verdict.PREVENTED: "ended while starting, and its restart is prevented",
    Verdict.OPERATOR_STOP: "was stopped while starting",
    Verdict.START_LIMIT_HIT: "was given up",
}


class Stage(Enum):
    """In words above."""

    ASKED = auto()
    TAKEN = auto()
    UNDER_WAY = auto()


class Miss(Enum):
    """Why it did not come where it was to come."""

    FAILED = auto()
    """The process ended, could not be started, or was given up."""
    CROSSED = auto()
    """Somebody else wanted something else meanwhile, or it was removed."""
    LATE = auto()
    """Time was up: it may still come."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What it came to. ``message``: why not; "" where all is well."""

    message: str = ""
    miss: Miss = Miss.FAILED
    """Of what kind, where there is a message."""

    @property
    def ok(self) -> bool:
        """Whether it came where it was to come."""
        return not self.message


REACHED = Outcome()


class Awaited:
    """One instance and one command. ``before``: its record when the command was given; ``done``: the engine's words."""

    def __init__(self, verb: Verb, who: str, before: Record, done: str) -> None:
        self._verb = verb
        self._who = who
        self._before = before
        self._withdrawn = done == "stopped" and before.process_state in _AT_REST
        """A start that was still to come was taken back: no change of state will say that it is stopped."""
        self._stage = Stage.UNDER_WAY if done in UNCHANGED else Stage.ASKED
        self._ending = ""

    def hear(self, fact: Fact) -> Outcome | None:
        """Take note of the next line that concerns the instance; return what it came to, None while that is open."""
        match fact:
            case Removed():
                return Outcome("was removed from the crew", Miss.CROSSED)
            case Commanded():
                return self._commanded(fact)
            case Starting():
                self._starting(fact)
            case Exited():
                self._ending = ending({"code": fact.code, "signal": fact.signal, "reason": str(fact.reason)})
            case SpawnFailed():
                self._ending = ending({"reason": str(Reason.SPAWN_FAILED), "message": fact.message})
            case Judged():
                return self._judged(fact)
            case StateChanged():
                return self._changed(fact.to_state)
            case _:
                pass
        return None

    def judged(self, record: Record | None) -> Outcome | None:
        """Return what it came to as the record has it; None while that is open, or cannot be told."""
        if record is None:
            return Outcome("was removed from the crew", Miss.CROSSED)
        state = record.process_state
        match self._verb:
            case Verb.RESET_FAILED:
                return None if record.standing is Standing.GIVEN_UP else REACHED
            case Verb.STOP:
                return REACHED if state in _AT_REST and record.standing is not Standing.UP else None
            case Verb.START | Verb.RESTART:
                old = self._verb is Verb.RESTART and record.token == self._before.token
                return REACHED if state is ProcessState.RUNNING and not old else None

    def _commanded(self, fact: Commanded) -> Outcome | None:
        if self._stage is Stage.ASKED:
            ours = fact.verb == self._verb.value and fact.who.endswith(self._who)
            return self._taken() if ours else None
        against = {"stop"} if self._verb in (Verb.START, Verb.RESTART) else {"start", "restart"}
        if fact.verb not in against:
            return None
        return Outcome(f"{plain(fact.who)} asked for a {fact.verb} meanwhile", Miss.CROSSED)

    def _taken(self) -> Outcome | None:
        if self._verb is Verb.RESET_FAILED:
            return REACHED
        self._stage = Stage.UNDER_WAY if self._verb is Verb.STOP else Stage.TAKEN
        return REACHED if self._withdrawn else None

    def _starting(self, fact: Starting) -> None:
        """A start is ours, or a later supervisord's that owes it; the policy's own restarts an old process."""
        self._ending = ""
        if self._stage is Stage.TAKEN and (self._verb is Verb.START or fact.cause is not Cause.RESTART):
            self._stage = Stage.UNDER_WAY

    def _changed(self, state: ProcessState) -> Outcome | None:
        if self._stage is not Stage.UNDER_WAY:
            return None
        if self._verb is Verb.STOP:
            return REACHED if state in _AT_REST else None
        return REACHED if state is ProcessState.RUNNING else None

    def _judged(self, fact: Judged) -> Outcome | None:
        """A start that failed: told by the verdict, for states pass through BACKOFF on their way to any other."""
        if self._stage is not Stage.UNDER_WAY or self._verb is Verb.STOP:
            return None
        return Outcome(": ".join(filter(None, (_FAILED[fact.verdict], self._ending))))
