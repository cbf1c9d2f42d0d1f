"""The daemon's part of the bench: one crew, one figure after the other; what restarts workers comes behind the idle."""

from collections.abc import Callable
from contextlib import closing
from time import perf_counter_ns

from bench import proc
from bench.daemon import changes, delays, growth, idle, programs, sampling
from bench.daemon.crew import Crew
from bench.daemon.delays import asked_ms
from bench.figures import Figures, Key, slope
from bench.peers import Site
from bench.plan import DaemonPlan
from bench.targets import SCRAPED

Step = Callable[[str, Callable[[], object]], None]


def measure_daemon(site: Site, plan: DaemonPlan, figures: Figures, step: Step) -> None:
    """Measure; each by a step of its own."""
    with closing(Crew(site)) as crew:
        desk = _Desk(crew, plan, figures)
        crew.start()
        crew.settle()
        crew.make_ready()
        step("idle", desk.idle)
        step("a look at the resources", desk.sampling)
        step("asking", desk.asking)
        step("crewctl and supervisorctl", desk.programs)
        step("what a scrape delays", desk.delays)
        step("exit → API and metrics", desk.changes)
        step("restarts and memory", desk.growth)


class _Desk:
    """What is measured, and where it is written down."""

    def __init__(self, crew: Crew, plan: DaemonPlan, figures: Figures) -> None:
        self._crew = crew
        self._plan = plan
        self._figures = figures

    def idle(self) -> None:
        """Memory and processor time."""
        found = idle.memory(self._crew) | idle.processor(self._crew, self._plan.idle_intervals)
        for what, samples in found.items():
            self._add(what, *samples)

    def sampling(self) -> None:
        """What a look at all instances costs."""
        for what, sample in sampling.passes(self._crew):
            self._add(what, sample)

    def asking(self) -> None:
        """Requests for all."""
        for _ in range(self._plan.scrapes):
            self._add("GET /metrics ms", _timed_scrape(self._crew))
            self._add("GET /api/v1/workers ms", asked_ms(self._crew, "/api/v1/workers"))

    def programs(self) -> None:
        """Programs that print all."""
        for who, sample in programs.turns(self._crew, self._plan.asks):
            self._add("status of all, as a program ms", sample, peer=who)

    def delays(self) -> None:
        """What is slower while somebody scrapes."""
        for scraped, what, sample in delays.turns(self._crew, self._plan):
            self._add(what, sample, peer=SCRAPED if scraped else "")

    def changes(self) -> None:
        """How soon a crash is shown."""
        for _ in range(self._plan.changes):
            self._add("exit → API ms", changes.seen_by_api_ms(self._crew))
            self._add("exit → metrics ms", changes.seen_by_metrics_ms(self._crew))

    def growth(self) -> None:
        """What restarts leave behind."""
        sizes = zip(*growth.rounds(self._crew, self._plan.growth_rounds), strict=True)
        for whose, series in zip(("", "supervisord's "), sizes, strict=True):
            points = [(growth.RESTARTS * number, size) for number, size in enumerate(series)]
            self._add(f"{whose}growth bytes a restart", slope(points))
            self._add(f"{whose}private MiB, round by round", *(size / 2**20 for size in series))
        self._add("PSS MiB after the restarts", proc.pss_mib([self._crew.daemon]))

    def _add(self, what: str, *samples: float, peer: str = "") -> None:
        self._figures.add(Key(what, self._crew.n, peer or self._crew.name, logs=False), *samples)


def _timed_scrape(crew: Crew) -> float:
    begin = perf_counter_ns()
    crew.scrape()
    return (perf_counter_ns() - begin) / 1e6
