"""Whether, and when, a worker that ended is started again.

Rules, after systemd.service(5) and systemd.unit(5):

1. ``restart_prevent_exit_status`` goes before ``restart_force_exit_status``, that before ``restart``.
2. The delay before the n-th restart of a history is ``restart_sec * (max / restart_sec) ** ((n - 1) / steps)``, and
   ``restart_max_delay_sec`` from n = steps + 1 on (``service_restart_usec_next`` in systemd's service.c); it stays at
   ``restart_sec`` with 0 steps, with an infinite maximum, and where nothing is left to grow. A random part of up to
   ``restart_randomized_delay_sec`` is added.
3. A run shorter than ``start_success_sec``, and a spawn that failed, is never restarted before FLOOR_SEC.
4. At most ``start_limit_burst`` starts lie in any window of ``start_limit_interval_sec``. The window slides (systemd's
   is fixed and lets twice the burst through) and is judged at the time of the start to come.
5. A run of ``restart_reset_sec`` begins a new history: no earlier start counts, n begins at 1. A spawn that failed is
   no run.
6. A manual start is never asked here.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from crewd.model.reasons import Reason, Verdict
from crewd.model.spec import RestartMode, RestartPolicy

FLOOR_SEC = 0.1

_CLEAN = frozenset({Reason.CLEAN_EXIT})
_CODE = frozenset({Reason.EXIT_CODE, Reason.SPAWN_FAILED})
_SIGNAL = frozenset({Reason.SIGNAL, Reason.CORE_DUMP})
_WATCHED = frozenset({Reason.WATCHDOG, Reason.LIVENESS})
_ALWAYS = frozenset(Reason)

# systemd.service(5), "Exit causes and the effect of the Restart= settings"
RESTARTS_ON: dict[RestartMode, frozenset[Reason]] = {
    RestartMode.NO: frozenset(),
    RestartMode.ALWAYS: _ALWAYS,
    RestartMode.ON_SUCCESS: _CLEAN,
    RestartMode.ON_FAILURE: _ALWAYS - _CLEAN,
    RestartMode.ON_ABNORMAL: _ALWAYS - _CLEAN - _CODE,
    RestartMode.ON_ABORT: _SIGNAL,
    RestartMode.ON_WATCHDOG: _WATCHED,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a run. Of ``code`` and ``signal`` at most one is set; a failed spawn has neither."""

    code: int | None = None
    signal: int | None = None
    core: bool = False
    ran_sec: float = 0.0
    spawn_failed: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """The starts of the present history, oldest first, in seconds of any one monotonic clock."""

    starts: Sequence[float] = ()
    restarts: int = 0
    """How many of them were automatic restarts."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again ``after_sec`` from now."""

    after_sec: float
    reason: Reason
    fresh: bool = False
    verdict: Verdict = Verdict.RESTARTED


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave it ended: EXITED. ``verdict`` is NotWanted or Prevented."""

    reason: Reason
    verdict: Verdict
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave it failed until somebody asks: FATAL."""

    reason: Reason
    fresh: bool = False
    verdict: Verdict = Verdict.START_LIMIT_HIT


Decision = Restart | Leave | GiveUp


def reason_of(policy: RestartPolicy, ending: Ending) -> Reason:
    """Return why the run ended, as the policy's ``success_exit_status`` sees it."""
    if ending.spawn_failed:
        return Reason.SPAWN_FAILED
    if policy.success_exit_status.holds(ending.code, ending.signal) and not ending.core:
        return Reason.CLEAN_EXIT
    if ending.signal is not None:
        return Reason.CORE_DUMP if ending.core else Reason.SIGNAL
    return Reason.EXIT_CODE


def decide(policy: RestartPolicy, history: History, ending: Ending, now: float, jitter: float) -> Decision:
    """Return the verdict on a run that ended at ``now``.

    ``history`` includes the start of that run; ``jitter`` is drawn from [0, 1).
    """
    reason = reason_of(policy, ending)
    fresh = not ending.spawn_failed and ending.ran_sec >= policy.restart_reset_sec
    if fresh:
        history = History()
    if policy.restart_prevent_exit_status.holds(ending.code, ending.signal):
        return Leave(reason, Verdict.PREVENTED, fresh)
    forced = policy.restart_force_exit_status.holds(ending.code, ending.signal)
    if not forced and reason not in RESTARTS_ON[policy.restart]:
        return Leave(reason, Verdict.NOT_WANTED, fresh)
    after = delay(policy, history.restarts + 1, jitter)
    if ending.spawn_failed or ending.ran_sec < policy.start_success_sec:
        after = max(after, FLOOR_SEC)
    if budget(policy, history, now + after) < 1:
        return GiveUp(reason, fresh)
    return Restart(after, reason, fresh)


def delay(policy: RestartPolicy, attempt: int, jitter: float) -> float:
    """Return the seconds before restart number ``attempt`` (from 1) of a history."""
    first, most, steps = policy.restart_sec, policy.restart_max_delay_sec, policy.restart_steps
    if attempt <= 1 or steps == 0 or first == 0 or most == inf or first >= most:
        grown = first
    elif attempt > steps:
        grown = most
    else:
        grown = min(most, first * (most / first) ** ((attempt - 1) / steps))
    return grown + jitter * policy.restart_randomized_delay_sec


def budget(policy: RestartPolicy, history: History, at: float) -> float:
    """Return how many starts the limit leaves at time ``at``; ``inf`` where there is no limit."""
    if limitless(policy):
        return inf
    begin = at - policy.start_limit_interval_sec
    counted = len(history.starts) - bisect_right(history.starts, begin)
    return max(0, policy.start_limit_burst - counted)


def limitless(policy: RestartPolicy) -> bool:
    """Return whether the start limit is switched off, as in systemd: by an interval or a burst of 0."""
    return policy.start_limit_burst == 0 or policy.start_limit_interval_sec == 0
