"""What an event adds to the totals: the restarts, how many of them succeeded, and how long the worker was away.

Rules:

1. An attempt begins at the exit, or at the spawn that failed, and is counted when the policy starts the process.
2. It succeeded when that process ran ``start_success_sec`` (``Succeeded``). An earlier end, whoever's, or a spawn error
   is a failure, and the next attempt begins there. But an end that was asked for (``commanded``) before that decides
   nothing: the attempt is counted as neither. So restarts = successes + failures + those not decided. Such an end is
   counted beside the others, for it is no failure, whatever its reason.
3. The duration of a successful restart is from the exit to the spawn, the policy's delay included: the outage.
4. A start that an operator, a changed configuration or a new supervisord ordered is no restart, and ends the attempt.
5. A manual restart with a reset succeeded when every action of it did; it is counted when it is stored.
6. Every line counts as an event of its type; a gap also counts the lines that were dropped.
"""

from dataclasses import replace

from crewd.model.accounts import (
    DURATION_BUCKETS_SEC,
    LAG_BUCKETS_SEC,
    MANUAL_BUCKETS_SEC,
    NO_ATTEMPT,
    UNKNOWN,
    Attempt,
    Change,
    Key,
    Total,
    bucket,
)
from crewd.model.facts import (
    Event,
    Exited,
    Fact,
    Gap,
    Lost,
    Removed,
    Spawned,
    SpawnFailed,
    Starting,
    Succeeded,
)
from crewd.model.journal_line import type_of
from crewd.model.reasons import Cause, Reason

SUCCESS = "success"
FAILURE = "failure"

Changes = tuple[Change, ...]
Accounted = tuple[Attempt, Changes]


def worker_of(instance: str) -> str:
    """Return the worker that an instance belongs to: its name without the number."""
    return instance.rpartition("-")[0]


def account(attempt: Attempt, event: Event) -> Accounted:
    """Return the instance's attempt after the event, and what the event adds to the totals.

    ``attempt`` is that of the event's instance; NO_ATTEMPT for one never heard of, and for events of no instance.
    """
    after, changes = _account(attempt, event.fact, event.boottime)
    return after, (Change(Key(Total.EVENTS, label=type_of(event.fact))), *changes)


def _account(attempt: Attempt, fact: Fact, now: float) -> Accounted:
    match fact:
        case Starting():
            return _starting(attempt, fact)
        case Spawned():
            return replace(attempt, spawned_at=now), _late(fact.lag_sec)
        case Succeeded():
            return NO_ATTEMPT, _succeeded(attempt, worker_of(fact.instance))
        case Exited():
            ended = _exit(fact.instance, fact.reason)
            if fact.commanded:
                return NO_ATTEMPT, (ended, Change(ended.key._replace(total=Total.ASKED)))
            return Attempt(now, reason=fact.reason), (ended, *_failed(attempt, fact.instance))
        case SpawnFailed():
            begun = Attempt(now, reason=Reason.SPAWN_FAILED)
            return begun, (_exit(fact.instance, Reason.SPAWN_FAILED), *_failed(attempt, fact.instance))
        case Lost():
            return NO_ATTEMPT, (_exit(fact.instance, Reason.SUPERVISOR_LOST), *_failed(attempt, fact.instance))
        case Removed():
            return NO_ATTEMPT, ()
        case Gap():
            return attempt, (Change(Key(Total.LOST), fact.lost),)
        case _:
            return attempt, ()


def _starting(attempt: Attempt, fact: Starting) -> Accounted:
    if fact.cause is not Cause.RESTART:
        return NO_ATTEMPT, ()
    ordered = Change(Key(Total.RESTARTS, worker_of(fact.instance), attempt.reason or UNKNOWN))
    return replace(attempt, spawned_at=None, counted=True), (ordered,)


def _succeeded(attempt: Attempt, worker: str) -> Changes:
    if not attempt.counted:
        return ()
    succeeded = Change(Key(Total.ATTEMPTS, worker, SUCCESS))
    if attempt.ended_at is None or attempt.spawned_at is None:
        return (succeeded,)  # the line that told of the exit was dropped
    took = max(0.0, attempt.spawned_at - attempt.ended_at)
    return (
        succeeded,
        Change(Key(Total.DURATION, worker, bucket(DURATION_BUCKETS_SEC, took))),
        Change(Key(Total.DURATION_SUM, worker), took),
    )


def _failed(attempt: Attempt, instance: str) -> Changes:
    return (Change(Key(Total.ATTEMPTS, worker_of(instance), FAILURE)),) if attempt.counted else ()


def _exit(instance: str, reason: Reason) -> Change:
    return Change(Key(Total.EXITS, worker_of(instance), reason))


def _late(lag_sec: float | None) -> Changes:
    if lag_sec is None:
        return ()
    return Change(Key(Total.LAG, label=bucket(LAG_BUCKETS_SEC, lag_sec))), Change(Key(Total.LAG_SUM), lag_sec)


def account_manual(worker: str, seconds: float, *, success: bool) -> Changes:
    """Return what a manual restart adds to the totals."""
    return (
        Change(Key(Total.MANUAL, worker, SUCCESS if success else FAILURE)),
        Change(Key(Total.MANUAL_DURATION, label=bucket(MANUAL_BUCKETS_SEC, seconds))),
        Change(Key(Total.MANUAL_DURATION_SUM), seconds),
    )
