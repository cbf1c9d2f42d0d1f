"""The wall clock: a crew does not depend on it, but the times in what is told of it do. Pure.

A time zone is of no matter: all times are kept in UTC, or since boot.
"""

from collections.abc import Iterator

from crewd.doctor.facts import Clock, Facts
from crewd.doctor.finding import Area, Finding, note, problem, warning
from crewd.wording import duration, moment

_AREA = Area.CLOCK
BACK_SEC = 2.0
JUMP_SEC = 10.0


def check_clock(facts: Facts) -> Iterator[Finding]:
    """Compare the clock with what the journal was written by."""
    clock = facts.clock
    jump = _jump(clock)
    if clock.line_wall is not None and clock.wall < clock.line_wall - BACK_SEC:
        behind = duration(clock.line_wall - clock.wall)
        what = f"the clock says {moment(clock.wall)}, {behind} before the last line of the journal was written"
        yield problem(
            _AREA, "clock-back", what, path=facts.home.journal, remedy="set the clock: timedatectl set-ntp true"
        )
    elif abs(jump) > JUMP_SEC:
        way = "forward" if jump > 0 else "back"
        what = f"the clock was set {way} by {duration(abs(jump))} since the last line of the journal"
        yield warning(_AREA, "clock-jump", what, remedy="nothing, if that was meant: delays and limits do not go by it")
    if clock.synchronised is False:
        what = "the kernel knows of nothing that keeps the clock right"
        yield note(_AREA, "clock-alone", what, remedy="timedatectl set-ntp true, on a machine of its own")


def _jump(clock: Clock) -> float:
    """Return how much further the wall clock went than the time since boot did."""
    if clock.line_wall is None or clock.line_boot is None:
        return 0.0
    return (clock.wall - clock.line_wall) - (clock.boot - clock.line_boot)
