"""The columns of ``crewctl top``. Pure.

What the bars and curves say, the figures beside them say, too: they go first where the screen is narrow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crewd.ctl.bars import bar, curve, size
from crewd.ctl.columns import Column
from crewd.ctl.crew_table import NOTHING, name_column, status_column, uptime
from crewd.ctl.screen import Screen
from crewd.ctl.usage import Order, Remembered
from crewd.wording import Members

BAR, CURVE = 10, 16
CORE = 100.0
"""Percent of one core: what a whole bar is, or more where somebody uses more."""
BUSY, FULL = 50.0, 90.0
"""Percent of one core from which on a figure is yellow, and red."""

TRACK = "·"


@dataclass(frozen=True, slots=True)
class Columns:
    """Makes them for these instances."""

    instances: Sequence[Members]
    remembered: Remembered
    order: Order
    screen: Screen

    def plain(self) -> tuple[Column, ...]:
        """Return those that are all text."""
        return (name_column(), status_column(self.screen), self._cpu(), self._memory(), self._restarts(), *_others())

    def drawn(self) -> tuple[Column, ...]:
        """Return the same, with bars and curves."""
        return (
            name_column(),
            status_column(self.screen),
            self._cpu(),
            self._cpu_bar(),
            self._curve(),
            self._memory(),
            self._memory_bar(),
            self._restarts(),
            *_others(),
        )

    def _head(self, order: Order, word: str) -> str:
        return self.screen.sign("▾", "*") + word if order is self.order else word

    def _cpu(self) -> Column:
        return Column(self._head(Order.CPU, "CPU %"), _percent, 1, right=True, paint=self._heat)

    def _memory(self) -> Column:
        return Column(self._head(Order.MEMORY, "MEMORY"), lambda one: size(one["memory_usage"]), 2, right=True)

    def _restarts(self) -> Column:
        since = {one["instance"]: f" +{more}" for one in self.instances if (more := self.remembered.restarted(one))}
        room = max(map(len, since.values()), default=0)

        def text(one: Members) -> str:
            return f"{one['restart_count']}{since.get(one['instance'], ''):{room}}"

        def paint(one: Members, shown: str) -> str:
            return self.screen.paint("yellow" if self.remembered.restarted(one) else "", shown)

        return Column(self._head(Order.RESTARTS, "RESTARTS"), text, 3, right=True, paint=paint)

    def _cpu_bar(self) -> Column:
        most = max([CORE, *(one["cpu_usage"] or 0.0 for one in self.instances)])

        def text(one: Members) -> str:
            return self._bar(one["cpu_usage"], most)

        def paint(one: Members, shown: str) -> str:
            return self._tracked(shown, lambda part: self._heat(one, part))

        return Column(" " * BAR, text, 7, paint=paint)

    def _memory_bar(self) -> Column:
        most = max([1, *(one["memory_usage"] or 0 for one in self.instances)])

        def text(one: Members) -> str:
            return self._bar(one["memory_usage"], most)

        def paint(_: Members, shown: str) -> str:
            return self._tracked(shown, lambda part: self.screen.paint("cyan", part))

        return Column(" " * BAR, text, 8, paint=paint)

    def _curve(self) -> Column:
        def text(one: Members) -> str:
            seen = list(self.remembered.curves.get(one["instance"], ()))[-CURVE:]
            most = max([CORE, *(value for value in seen if value is not None)])
            return curve(seen, most, self.screen).rjust(CURVE)

        return Column("TREND".rjust(CURVE), text, 9, paint=lambda _, shown: self.screen.paint("dim", shown))

    def _bar(self, value: float | None, most: float) -> str:
        return "" if value is None else bar(value / most, BAR, self.screen).ljust(BAR, self.screen.sign(TRACK, " "))

    def _tracked(self, shown: str, paint: Callable[[str], str]) -> str:
        """Return a bar in its colour, and the rest of its track, which shows how long it could be."""
        part = shown.rstrip(TRACK)
        return paint(part) + self.screen.paint("dim", shown[len(part) :])

    def _heat(self, one: Members, shown: str) -> str:
        used = one["cpu_usage"] or 0.0
        return self.screen.paint(
            "red" if used >= FULL else "yellow" if used >= BUSY else "green" if used else "", shown
        )


def _percent(one: Members) -> str:
    return NOTHING if one["cpu_usage"] is None else f"{one['cpu_usage']:.1f}"


def _others() -> tuple[Column, ...]:
    pid = Column("PID", lambda one: str(one["pid"] or NOTHING), 6, right=True)
    return pid, Column("UPTIME", uptime, 5)
