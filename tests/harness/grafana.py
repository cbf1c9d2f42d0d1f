"""The dashboards as Grafana uses them: their queries, with the variables put in as it does it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DASHBOARDS = sorted(Path(__file__).parents[2].glob("packaging/grafana/dashboards/*.json"))
VARIABLE = re.compile(r"\$(?:\{(\w+)[^}]*\}|(\w+))")
SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
LABEL_VALUES = re.compile(r"label_values\((.*), (\w+)\)")
ALL = "$__all"
POINTS = 240
"""So many points a panel of some width asks for."""


@dataclass(frozen=True)
class Window:
    """The time shown, in seconds, and how often the data source is said to be scraped."""

    start: float
    end: float
    scrape_sec: float

    @property
    def step(self) -> float:
        """Return `$__interval`: a point for every few pixels, and never two between scrapes."""
        return max((self.end - self.start) / POINTS, self.scrape_sec)

    def variables(self) -> dict[str, str]:
        """Return the variables that Grafana itself has."""
        lengths = {
            "__range": self.end - self.start,
            "__interval": self.step,
            "__rate_interval": max(self.step + self.scrape_sec, 4 * self.scrape_sec),
        }
        return {name: f"{length * 1000:.0f}ms" for name, length in lengths.items()}


@dataclass(frozen=True)
class Query:
    """One query of a panel, of an annotation or of a variable."""

    where: str
    expr: str
    instant: bool
    legend: str = ""

    def filled(self, variables: Mapping[str, str]) -> str:
        """Return it with values in the place of variables."""
        return VARIABLE.sub(lambda found: variables[found[1] or found[2]], self.expr)


def load(path: Path) -> dict[str, Any]:
    """Return a dashboard."""
    return json.loads(path.read_text(encoding="utf-8"))


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Yield every query of its panels and annotations."""
    for panel in panels(dashboard):
        yield from queries_of(panel, dashboard["title"])
    for mark in dashboard["annotations"]["list"]:
        yield Query(f"{dashboard['title']}, annotation {mark['name']}", mark["expr"], instant=False)


def queries_of(panel: Mapping[str, Any], title: str = "") -> list[Query]:
    """Return the queries of one panel."""
    return [
        Query(f"{title}, {panel['title']}, {one['refId']}", one["expr"], one["instant"], one["legendFormat"])
        for one in panel["targets"]
    ]


def choices(dashboard: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variables by their names."""
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def all_chosen(dashboard: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of the variables as a dashboard begins: all, or the one that is set."""
    found = choices(dashboard).values()
    return {one["name"]: one["allValue"] if one["includeAll"] else one["current"]["value"] for one in found}


def chosen(values: list[str]) -> str:
    """Return what stands in a query where these were ticked: a regular expression, inside a PromQL string."""
    escaped = [SPECIAL.sub(r"\\\\\g<0>", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def label_values(query: str) -> tuple[str, str]:
    """Return the selector and the label that a variable asks for."""
    found = LABEL_VALUES.fullmatch(query)
    assert found, query
    return found[1], found[2]
