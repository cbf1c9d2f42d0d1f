"""What there is once: the engine's lag, the journal, the store, supervisord, the configuration, the sampling.

These few are prometheus_client's to write, from a registry of their own.
"""

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import get_args

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from crewd import __version__
from crewd.metrics import families
from crewd.metrics.families import Family
from crewd.model.accounts import BEYOND, LAG_BUCKETS_SEC, MANUAL_BUCKETS_SEC, Total
from crewd.model.facts import Fact
from crewd.model.journal_line import type_word
from crewd.policy.accounting import FAILURE, SUCCESS
from crewd.reconcile.totals import NOTHING, Amounts
from crewd.reconcile.view import View

RPC_BUCKETS_SEC = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
TYPES = tuple(type_word(fact) for fact in get_args(Fact))


class Calls:
    """How long the calls of supervisord took: in memory, for nothing depends on them. Any thread may tell."""

    def __init__(self) -> None:
        about = families.RPC_DURATION
        self._seconds = Histogram(about.name, about.help, about.labels, registry=None, buckets=RPC_BUCKETS_SEC)

    def timed(self, method: str, seconds: float) -> None:
        """Take note of one call."""
        self._seconds.labels(method).observe(seconds)

    def collect(self) -> Iterable[Metric]:
        """Return the histogram, without the creation times that this format has no place for."""
        for metric in self._seconds.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class DaemonPage(Collector):
    """Writes them."""

    def __init__(self, view: View, calls: Calls) -> None:
        self._view = view
        self._calls = calls
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(self) -> bytes:
        """Return the lines of ``families.OF_DAEMON``."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Return all of them, as of now."""
        totals = self._view.totals.now()
        if totals is not None:
            yield from _counted(totals.get("", NOTHING))
            yield self._manual(totals)
        yield from self._calls.collect()
        lost = families.AUDIT_LOST
        yield CounterMetricFamily(lost.name, lost.help, self._view.backlog.lost)
        for family, value in self._gauges().items():
            if value is not None:
                yield _gauge(family, {}, value)
        yield _gauge(families.BUILD_INFO, {"version": __version__}, 1)

    def _manual(self, totals: Mapping[str, Amounts]) -> Metric:
        """Of all workers that can be restarted so: a counter begins at 0."""
        counter = CounterMetricFamily(families.MANUAL.name, families.MANUAL.help, labels=families.MANUAL.labels)
        spec = self._view.spec
        for worker in () if spec is None else spec.workers.values():
            if worker.reset is not None:
                amounts = totals.get(worker.worker_id, NOTHING)
                for result in (SUCCESS, FAILURE):
                    counter.add_metric([worker.worker_id, result], amounts.get((Total.MANUAL, result), 0))
        return counter

    def _gauges(self) -> Mapping[Family, float | None]:
        """Each is read on its own: what is shown together may be some microseconds apart, and nobody adds them up."""
        view, recorded = self._view, self._view.recorder.recorded
        successful, sampled = view.applies.successful, view.usages.at
        return {
            families.JOURNAL_LAG: view.lag(),
            families.AUDIT_LAG: view.backlog.waiting,
            families.STORE_UP: recorded.open and not recorded.trouble,
            families.PICTURE_STALE: view.crew.stale,
            families.SUPERVISORD_UP: view.supervisord_up,
            families.APPLY_SUCCESSFUL: successful,
            families.APPLY_TIMESTAMP: view.applies.at,
            families.SAMPLE_TIMESTAMP: sampled,
            families.SAMPLE_DURATION: None if sampled is None else view.usages.took_sec,
        }


def _counted(amounts: Amounts) -> Iterable[Metric]:
    yield _histogram(families.LAG, LAG_BUCKETS_SEC, amounts, Total.LAG, Total.LAG_SUM)
    seconds = Total.MANUAL_DURATION_SUM
    yield _histogram(families.MANUAL_DURATION, MANUAL_BUCKETS_SEC, amounts, Total.MANUAL_DURATION, seconds)
    events = CounterMetricFamily(families.EVENTS.name, families.EVENTS.help, labels=families.EVENTS.labels)
    for word in TYPES:
        events.add_metric([word], amounts.get((Total.EVENTS, word), 0))
    yield events
    yield CounterMetricFamily(families.LOST.name, families.LOST.help, amounts.get((Total.LOST, ""), 0))


def _histogram(
    family: Family, bounds_sec: tuple[float, ...], amounts: Amounts, counted: Total, seconds: Total
) -> Metric:
    bounds = (*(f"{bound:g}" for bound in bounds_sec), BEYOND)
    counts = accumulate(amounts.get((counted, bound), 0) for bound in bounds)
    return HistogramMetricFamily(
        family.name,
        family.help,
        buckets=tuple(zip(bounds, counts, strict=True)),
        sum_value=amounts.get((seconds, ""), 0),
    )


def _gauge(family: Family, labels: Mapping[str, str], value: float) -> Metric:
    metric = GaugeMetricFamily(family.name, family.help, labels=tuple(labels))
    metric.add_metric(tuple(labels.values()), float(value))
    return metric
