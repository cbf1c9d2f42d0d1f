"""What a panel is drawn from: the answers to its queries, in the shape in which Grafana gives them to a panel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness import grafana
from harness.grafana import VARIABLE, Query, Window
from harness.prometheus import Prometheus

Samples = list[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One series: what the legend calls it, and its samples, each with its time."""

    name: str
    labels: Mapping[str, str]
    samples: Samples

    @property
    def last(self) -> float:
        """Return the last value."""
        return self.samples[-1][1]


class Asked:
    """The answers to one dashboard's queries, over one range."""

    def __init__(self, dashboard: Mapping[str, Any], prometheus: Prometheus, window: Window) -> None:
        self.window = window
        self._prometheus = prometheus
        self._variables = {**grafana.all_chosen(dashboard), **window.variables()}

    def lines(self, panel: Mapping[str, Any]) -> list[Line]:
        """Return the series of all queries of a panel."""
        return [line for query in grafana.queries_of(panel) for line in self._lines(query)]

    def columns(self, panel: Mapping[str, Any]) -> list[list[Line]]:
        """Return the series of each query of a table."""
        return [self._lines(query) for query in grafana.queries_of(panel)]

    def marks(self, dashboard: Mapping[str, Any]) -> list[tuple[float, str]]:
        """Return the times, in seconds, and the colours of the annotations."""
        found = [
            (value / 1000, one["iconColor"])
            for one in dashboard["annotations"]["list"]
            for line in self._lines(Query(one["name"], one["expr"], instant=False))
            for _, value in line.samples
        ]
        return sorted({(at, colour) for at, colour in found if self.window.start < at < self.window.end})

    def _lines(self, query: Query) -> list[Line]:
        promql = query.filled(self._variables)
        if query.instant:
            answer = [(labels, [(self.window.end, value)]) for labels, value in self._prometheus.query(promql)]
        else:
            answer = self._prometheus.query_range(promql, self.window.start, self.window.end, self.window.step)
        return [Line(_legend(query, labels), labels, samples) for labels, samples in answer]


def _legend(query: Query, labels: Mapping[str, str]) -> str:
    name = query.legend
    for label, value in labels.items():
        name = name.replace(f"{{{{{label}}}}}", value)
    return VARIABLE.sub("", name)
