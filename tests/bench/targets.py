"""The targets: what was promised, what was measured, whether the one is within the other. Nothing fails on them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from bench.figures import Figures, quantile

CREWD, RUNIT, STOCK, COLD = "crewd", "runit", "stock", "crewd run, cold"
DAEMON, SCRAPED = "crewd run", "crewd run, scraped"
LISTENED = "crewd run, listened to"
CREWCTL, SUPERVISORCTL, SUPERVISORCTL_STOCK = "crewctl", "supervisorctl", "supervisorctl, stock's"
DATABASES = ("SQLite", "PostgreSQL")
BIG = 1000
BIGGEST = 3000
BATCH = 100
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
    yield from _of_daemon(_Judge(figures, logs=False))
    yield from _of_api(_Judge(figures, logs=False))
    yield from _of_store(_Judge(figures, logs=False))


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


def _of_daemon(judge: "_Judge") -> Iterator[Line]:
    """With BIG workers. A scrape is to delay nothing; the two limits of that are ours."""
    for target, what, of, limit in (
        ("daemon ≤ 90 MiB PSS", "PSS MiB", P50, 90),
        ("daemon and supervisord, idle ≤ 1 % of a core", "idle CPU %", P50, 1),
        ("GET /metrics ≤ 150 ms (p99)", "GET /metrics ms", p99, 150),
        ("exit → API ≤ 100 ms (p99)", "exit → API ms", p99, 100),
        ("exit → metrics ≤ 100 ms (p99)", "exit → metrics ms", p99, 100),
        ("GET /api/v1/workers ≤ 30 ms (p50)", "GET /api/v1/workers ms", P50, 30),
        ("growth of the daemon ≤ 200 bytes a restart", "growth bytes a restart", P50, 200),
        ("growth of supervisord ≤ 200 bytes a restart", "supervisord's growth bytes a restart", P50, 200),
    ):
        yield judge.at_most(f"{BIG}: {target}", what, BIG, of, limit, ours=DAEMON)
    of_all = "status of all, as a program ms"
    yield judge.at_most(f"{BIG}: `crewctl status` ≤ 150 ms (p50)", of_all, BIG, P50, 150, ours=CREWCTL)
    for peer, whose in ((SUPERVISORCTL_STOCK, "stock's"), (SUPERVISORCTL, "crewd's own supervisord")):
        target = f"{BIG}: `crewctl status` ≤ 1/5 of `supervisorctl status` of {whose}"
        yield judge.beside(target, of_all, BIG, P50, ours=CREWCTL, peer=peer, factor=0.2)
    for target, what, of, factor, plus in (
        ("GET /healthz while scraped without pause, p99 ≤ without + 10 ms", "GET /healthz ms", p99, 1, 10),
        ("crash → new process while scraped without pause, p50 ≤ 2 × without", "crash ms", P50, 2, 0),
    ):
        yield judge.beside(f"{BIG}: {target}", what, BIG, of, ours=SCRAPED, peer=DAEMON, factor=factor, plus=plus)


def _of_api(judge: "_Judge") -> Iterator[Line]:
    """What "does not delay" means is ours: no more than half as much again, and 2 ms."""
    yield judge.at_least(f"{BIG}: status of one ≥ 1500/s", "status of one per s", BIG, P50, 1500, ours=DAEMON)
    what, target = "POST restart → new process ms", "with 200 who listen, p50 ≤ 1.5 × without + 2 ms"
    yield judge.beside(f"{BIG}: a restart {target}", what, BIG, P50, ours=LISTENED, peer=DAEMON, factor=1.5, plus=2)
    target = "`crewctl restart` of 100 < `supervisorctl restart` of the same 100 of stock's"
    what = "restart of many, as a program ms"
    yield judge.beside(target, what, BATCH, P50, ours=CREWCTL, peer=SUPERVISORCTL_STOCK, factor=1)


def _of_store(judge: "_Judge") -> Iterator[Line]:
    for database in DATABASES:
        yield judge.at_most(
            f"{database}, 10,000 events/s: never more than 1 s behind", "behind s", BIG, max, 1, ours=database
        )


@dataclass(frozen=True, slots=True)
class _Judge:
    figures: Figures
    logs: bool

    def beside(
        self,
        target: str,
        what: str,
        n: int,
        of: Callable[[list[float]], float],
        *,
        peer: str,
        factor: float,
        plus: float = 0,
        ours: str = CREWD,
    ) -> Line:
        """Judge crewd's figure beside a peer's."""
        mine, theirs = self._take(what, n, ours), self._take(what, n, peer)
        if not mine or not theirs:
            return self._unknown(target)
        one, other = of(mine), of(theirs)
        return self._line(target, f"{one:.3g} beside {other:.3g}", one <= factor * other + plus)

    def at_most(
        self, target: str, what: str, n: int, of: Callable[[list[float]], float], limit: float, *, ours: str = CREWD
    ) -> Line:
        """Judge crewd's figure by itself."""
        mine = self._take(what, n, ours)
        if not mine:
            return self._unknown(target)
        return self._line(target, f"{of(mine):.3g}", of(mine) <= limit)

    def at_least(
        self, target: str, what: str, n: int, of: Callable[[list[float]], float], limit: float, *, ours: str
    ) -> Line:
        """Judge a figure of which more is better."""
        mine = self._take(what, n, ours)
        if not mine:
            return self._unknown(target)
        return self._line(target, f"{of(mine):.4g}", of(mine) >= limit)

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
