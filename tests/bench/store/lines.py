"""The lines of a storm: what the engine writes where a thousand workers crash again and again."""

from collections.abc import Iterator

from crewd.model.facts import Exited, Fact, Judged, Spawned, Starting, StateChanged, Succeeded
from crewd.model.reasons import Cause, Reason, Verdict
from crewd.model.record import PastExit, Record, Standing
from crewd.model.states import ProcessState as State

TOGETHER = 50
"""So many workers are at the same step: neither are they in step all, nor is each restarted by itself."""
OF_A_RESTART = 9
FINGERPRINT = "ea99d0dc3d53a917a46d88eb3021508e"


def instances(n: int) -> list[str]:
    """Return the names of n workers' only instances."""
    return [f"w{number}-0" for number in range(n)]


def storm(names: list[str], generation: str) -> Iterator[Fact]:
    """Yield the facts of one restart after the other, for ever."""
    run = 0
    while True:
        for first in range(0, len(names), TOGETHER):
            group = names[first : first + TOGETHER]
            restarts = [_restart(name, generation, run + number) for number, name in enumerate(group)]
            for step in zip(*restarts, strict=True):
                yield from step
            run += len(group)


def records(names: list[str], now: float) -> dict[str, Record]:
    """Return what a snapshot says of them in the midst of a storm."""
    past = PastExit(now, Reason.SIGNAL, None, 9, 1.207453, "", Verdict.RESTARTED, 0.0)
    return {
        name: Record(
            standing=Standing.UP,
            process_state=State.RUNNING,
            token=f"00000001-bench0.{number}",
            pid=1000 + number,
            start_ticks=581137,
            started_at=5811.379,
            started_wall=now,
            starts=tuple(5811.379 + start for start in range(10)),
            restarts=10,
            restart_count=10,
            exits=(past,) * 5,
            fingerprint=FINGERPRINT,
            settings=FINGERPRINT,
        )
        for number, name in enumerate(names)
    }


def _restart(instance: str, generation: str, run: int) -> tuple[Fact, ...]:
    """Return one, as it stands in a journal."""
    old, new = f"{generation}.{run}", f"{generation}.{run + 1000}"
    return (
        Exited(instance, old, 1000 + run, Reason.SIGNAL, None, 9, core=False, ran_sec=1.207453),
        StateChanged(instance, State.RUNNING, State.EXITED),
        Judged(instance, Reason.SIGNAL, Verdict.RESTARTED, 0.0, 5812.578763),
        StateChanged(instance, State.EXITED, State.BACKOFF),
        StateChanged(instance, State.BACKOFF, State.STARTING),
        Starting(instance, new, Cause.RESTART, FINGERPRINT, FINGERPRINT),
        Spawned(instance, new, 2000 + run, 581257, "posix_spawn", 0.005524),
        StateChanged(instance, State.STARTING, State.RUNNING),
        Succeeded(instance),
    )
