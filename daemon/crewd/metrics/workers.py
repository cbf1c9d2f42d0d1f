"""The lines of one worker: what is counted of all its instances together.

Counters begin at 0 for all that can occur, so that the first one that occurs is seen as an increase.
"""

from itertools import accumulate

from crewd.metrics.families import ATTEMPTS, DURATION, EXITS, RESTARTS
from crewd.metrics.kept import Chunks
from crewd.metrics.text import encoded, labelled, number
from crewd.model.accounts import BEYOND, DURATION_BUCKETS_SEC, UNKNOWN, Total
from crewd.model.reasons import Reason
from crewd.policy.accounting import FAILURE, SUCCESS
from crewd.reconcile.totals import Amounts

REASONS = (
    Reason.CLEAN_EXIT,
    Reason.EXIT_CODE,
    Reason.SIGNAL,
    Reason.CORE_DUMP,
    Reason.SPAWN_FAILED,
    Reason.SUPERVISOR_LOST,
)
"""Why a run can have ended. The other reasons come with probes and limits of resources."""
RESTARTABLE = tuple(reason for reason in REASONS if reason is not Reason.SUPERVISOR_LOST)
"""Those after which the policy starts a worker; what a new supervisord starts is no restart."""
RESULTS = (SUCCESS, FAILURE)
BUCKETS = (*(f"{bound:g}" for bound in DURATION_BUCKETS_SEC), BEYOND)


def worker_lines(worker: str, amounts: Amounts) -> Chunks:
    """Return the lines, by family as in ``families.OF_WORKERS``."""
    label = labelled(worker)
    return (
        encoded(_restarts(label, amounts)),
        encoded(
            f'{ATTEMPTS.name}{{{label},result="{result}"}} {number(amounts.get((Total.ATTEMPTS, result), 0))}\n'
            for result in RESULTS
        ),
        encoded(
            f'{EXITS.name}{{{label},reason="{reason}"}} {number(amounts.get((Total.EXITS, reason), 0))}\n'
            for reason in REASONS
        ),
        encoded(_durations(label, amounts)),
    )


def _restarts(label: str, amounts: Amounts) -> list[str]:
    unknown = (UNKNOWN,) if (Total.RESTARTS, UNKNOWN) in amounts else ()
    return [
        f'{RESTARTS.name}{{{label},reason="{reason}"}} {number(amounts.get((Total.RESTARTS, reason), 0))}\n'
        for reason in (*RESTARTABLE, *unknown)
    ]


def _durations(label: str, amounts: Amounts) -> list[str]:
    """The buckets, each with all that is in the smaller ones, as the format wants it; the last holds all."""
    name = DURATION.name
    counts = tuple(accumulate(amounts.get((Total.DURATION, bound), 0) for bound in BUCKETS))
    return [
        *(
            f'{name}_bucket{{{label},le="{bound}"}} {number(count)}\n'
            for bound, count in zip(BUCKETS, counts, strict=True)
        ),
        f"{name}_sum{{{label}}} {number(amounts.get((Total.DURATION_SUM, ''), 0))}\n",
        f"{name}_count{{{label}}} {number(counts[-1])}\n",
    ]
