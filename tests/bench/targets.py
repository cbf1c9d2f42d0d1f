"""The targets: what was promised, what was measured, whether the one is within the other. Nothing fails on them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from bench.figures import Figures, quantile

CREWD, RUNIT, STOCK, COLD = "crewd", "runit", "stock", "crewd run, cold"
BIG = 1000
BIGGEST = 3000
P50: Callable[[list[float]], float] = median


def p99(samples: list[float]) -> float:
    """Return the 99th percentile."""
    return quantile(samples, 0.99)


@dataclass(frozen=True, slots=True)
class Line:
    """One target."""

    target: str
    measured: str
    met: bool | None
    """None: what it needs was not measured in this run."""


def lines(figures: Figures) -> Iterator[Line]:
    """Return all targets, in the order in which they were set."""
    for logs in (False, True):
        yield from _of_mode(figures, logs)
    yield _dying(figures)


def _of_mode(figures: Figures, logs: bool) -> Iterator[Line]:
    judge = _Judge(figures, logs)
    for n in (1, 100, BIG):
        for name, of in (("p50", P50), ("p99", p99)):
            yield judge.beside(
                f"crash → new process, n = {n}, {name} ≤ runit's", "crash ms", n, of, peer=RUNIT, factor=1
            )
        yield judge.beside(
            f"crash → new process, n = {n}, p50 ≤ 1/100 of stock's", "crash ms", n, P50, peer=STOCK, factor=0.01
        )
    yield judge.beside(f"{BIG} killed, all back ≤ runit's", "all killed, all back s", BIG, P50, peer=RUNIT, factor=1)
    yield judge.at_most("none lost", "lost", BIG, sum, 0)
    yield judge.at_most("none twice", "twice", BIG, sum, 0)
    yield judge.beside(f"start of {BIG} ≤ runit's", "start all s", BIG, P50, peer=RUNIT, factor=1)
    yield judge.cold()
    yield judge.beside(f"stop of {BIG} ≤ 1/10 of stock's", "stop all s", BIG, P50, peer=STOCK, factor=0.1)
    yield judge.at_most(f"idle with {BIG} ≤ 0.1 % of a core", "idle CPU %", BIG, P50, 0.1)
    yield judge.beside(f"memory with {BIG} ≤ 1.1 × stock's", "PSS MiB", BIG, P50, peer=STOCK, factor=1.1)
    yield judge.at_most(f"status of {BIG} ≤ 15 ms", "status of all ms", BIG, P50, 15)
    yield judge.at_most("RPC in the storm ≤ 50 ms (max)", "RPC in the storm ms", BIG, max, 50)
    yield judge.big_beside_small()


@dataclass(frozen=True, slots=True)
class _Judge:
    figures: Figures
    logs: bool

    def beside(
        self, target: str, what: str, n: int, of: Callable[[list[float]], float], *, peer: str, factor: float
    ) -> Line:
        """Judge crewd's figure beside a peer's."""
        ours, theirs = self._take(what, n, CREWD), self._take(what, n, peer)
        if not ours or not theirs:
            return self._unknown(target)
        mine, other = of(ours), of(theirs)
        return self._line(target, f"{mine:.3g} beside {other:.3g}", mine <= factor * other)

    def at_most(self, target: str, what: str, n: int, of: Callable[[list[float]], float], limit: float) -> Line:
        """Judge crewd's figure by itself."""
        ours = self._take(what, n, CREWD)
        if not ours:
            return self._unknown(target)
        return self._line(target, f"{of(ours):.3g}", of(ours) <= limit)

    def cold(self) -> Line:
        """Judge the start of the whole daemon."""
        target = f"cold `crewd run` of {BIG} ≤ its start on a rendered file + 3 s"
        ours, theirs = self._take("start all s", BIG, COLD), self._take("start all s", BIG, CREWD)
        if not ours or not theirs:
            return self._unknown(target)
        return self._line(target, f"{P50(ours):.3g} beside {P50(theirs):.3g}", P50(ours) <= P50(theirs) + 3)

    def big_beside_small(self) -> Line:
        """Judge how a crash grows with the number of workers."""
        target = f"crash → new process, n = {BIGGEST}, p50 ≤ 2 × that at 100"
        big, small = self._take("crash ms", BIGGEST, CREWD), self._take("crash ms", 100, CREWD)
        if not big or not small:
            return self._unknown(target)
        return self._line(target, f"{P50(big):.3g} beside {P50(small):.3g}", P50(big) <= 2 * P50(small))

    def _take(self, what: str, n: int, peer: str) -> list[float]:
        return self.figures.take(what, n, peer, self.logs)

    def _unknown(self, target: str) -> Line:
        return self._line(target, "—", None)

    def _line(self, target: str, measured: str, met: bool | None) -> Line:
        return Line(f"{target}{', logs' if self.logs else ''}", measured, met)


def _dying(figures: Figures) -> Line:
    target = "a worker that dies at once, under the defaults ≤ 1 % of a core"
    cost = figures.take("dies at once CPU %", 1, "crewd, dying worker", logs=False)
    return Line(target, f"{cost[0]:.3g}" if cost else "—", cost[0] <= 1 if cost else None)
