"""The dashboards of packaging/grafana, on the example crew and a real Prometheus, and by Grafana's published schema."""

import json
import math
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from harness import grafana
from harness.example import ExampleCrew
from harness.grafana import DASHBOARDS, Query, Window
from harness.ports import free_port
from harness.prometheus import Prometheus, installed
from harness.waiting import wait_for
from pictures.asked import Asked
from pictures.drawing import drawn

ROOT = Path(__file__).parents[2]
PACKAGED = ROOT / "packaging/grafana"
SCRAPE_SEC = 1.0
SHOWN_SEC = 600.0

register_default_plugins()
needs_prometheus = pytest.mark.skipif(not installed(), reason="there is no Prometheus")
each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def lost(ours: Any, theirs: Any, at: str = "") -> list[str]:
    """Return the places of what stands in the one and not in the other, which may say more."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            place
            for key, value in ours.items()
            for place in (lost(value, theirs[key], f"{at}.{key}") if key in theirs else [f"{at}.{key}"])
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [place for index, one in enumerate(ours) for place in lost(one, theirs[index], f"{at}[{index}]")]
    return [] if ours == theirs else [at]


def through_the_schema(dashboard: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard as the types that Grafana publishes write it down."""
    return json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))


@each_dashboard
def test_a_dashboard_goes_through_grafana_s_schema_and_back(path: Path) -> None:
    """Nothing is lost: each word of it is one that Grafana knows, and stands where Grafana looks for it."""
    ours = grafana.load(path)
    theirs = through_the_schema(ours)

    assert lost(ours, theirs) == []
    assert through_the_schema(theirs) == theirs


@each_dashboard
def test_a_dashboard_can_be_imported_anywhere(path: Path) -> None:
    """It names no data source and no host, and keeps its address."""
    text = path.read_text(encoding="utf-8")
    found = grafana.load(path)
    sources = {one["datasource"]["uid"] for one in (*grafana.panels(found), *found["annotations"]["list"])}

    assert sources == {"${datasource}"}
    assert found["uid"] == path.stem
    assert "id" not in found
    assert "http" not in text
    assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])


@each_dashboard
def test_no_two_panels_lie_on_each_other(path: Path) -> None:
    """Each place of the grid has one panel."""
    taken: dict[tuple[int, int], str] = {}
    for panel in grafana.load(path)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_the_dashboards_are_those_that_the_script_writes(tmp_path: Path) -> None:
    """Whoever changes one changes the script: else the next change would take it back."""
    subprocess.run([sys.executable, str(PACKAGED / "write.py"), str(tmp_path)], check=True)

    for path in DASHBOARDS:
        assert path.read_text() == (tmp_path / path.name).read_text(), f"run {PACKAGED / 'write.py'}"


def test_grafana_is_told_to_look_where_the_package_has_the_dashboards() -> None:
    """The provider reads files below /usr, and the data source is a Prometheus."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    packaged = build["shared-data"]["packaging/grafana/dashboards"]
    (provider,) = yaml.safe_load((PACKAGED / "provisioning/dashboards.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((PACKAGED / "provisioning/datasources.yaml").read_text())["datasources"]

    assert (provider["type"], source["type"]) == ("file", "prometheus")
    assert provider["options"]["path"] == f"/usr/{packaged}"


class Scene:
    """The example crew, and the Prometheus that scrapes it."""

    def __init__(self, crew: ExampleCrew, prometheus: Prometheus) -> None:
        self.crew, self.prometheus = crew, prometheus

    def now(self) -> Window:
        """Return what a dashboard shows that was opened now."""
        end = time.time()
        return Window(end - SHOWN_SEC, end, SCRAPE_SEC)

    def past(self) -> Window:
        """Return one that ended a while ago: all that it will ever show is there."""
        end = time.time() - 2 * SCRAPE_SEC
        return Window(end - SHOWN_SEC, end, SCRAPE_SEC)

    def samples(self, query: Query, variables: dict[str, str], window: Window | None = None) -> list[list[float]]:
        """Return the values of each series that a query has, as Grafana asks it; ``window`` None: until now."""
        window = window or self.now()
        promql = query.filled({**variables, **window.variables()})
        if query.instant:
            return [[value] for _, value in self.prometheus.query(promql)]
        found = self.prometheus.query_range(promql, window.start, window.end, window.step)
        return [[value for _, value in samples] for _, samples in found]

    def trouble(self) -> None:
        """Let workers die: one is back at once, one waits for its next try."""
        os.kill(wait_for(lambda: self.crew.pids().get("primes-2")), signal.SIGKILL)
        if self.crew.states().get("broken-0") == "FATAL":
            self.crew.client.start(["broken-0"], "a test")


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """One crew and one Prometheus for all; scraped before the first worker dies, so that increases are seen."""
    port = free_port()
    with ExampleCrew() as crew, Prometheus(f"http://127.0.0.1:{port}/metrics", SCRAPE_SEC) as prometheus:
        crew.listen(port)
        wait_for(lambda: prometheus.value("sum(crewd_worker_memory_bytes)"), 120)
        wait_for(lambda: prometheus.value("sum(crewd_worker_heartbeat_age_seconds) >= 0") is not None, 120)
        yield Scene(crew, prometheus)


@needs_prometheus
@each_dashboard
def test_every_query_has_a_sample_while_the_example_crew_runs(path: Path, scene: Scene) -> None:
    """No panel stays empty, no annotation without a mark, and what is shown are numbers."""
    dashboard = grafana.load(path)
    variables = grafana.all_chosen(dashboard)
    open_ones = list(grafana.queries(dashboard))
    scene.trouble()

    def unanswered() -> list[Query]:
        for query in tuple(open_ones):
            if found := scene.samples(query, variables):
                assert all(math.isfinite(value) for series in found for value in series), query
                open_ones.remove(query)
        return open_ones

    wait_for(lambda: not unanswered(), 120, lambda: "\n".join(map(str, open_ones)))


@needs_prometheus
@each_dashboard
def test_every_variable_has_values_and_choosing_them_is_understood(path: Path, scene: Scene) -> None:
    """The names of instances, hosts and ports go into regular expressions unharmed."""
    dashboard = grafana.load(path)
    variables = grafana.all_chosen(dashboard)
    for name, one in grafana.choices(dashboard).items():
        if one["type"] != "query":
            continue
        selector, label = grafana.label_values(Query(name, one["query"]["query"], instant=True).filled(variables))
        values = scene.prometheus.label_values(selector, label)
        assert values, name
        variables[name] = grafana.chosen(values)
    running = next(one for one in grafana.queries(dashboard) if "Instances" in one.where)
    past = scene.past()  # what changes between the two questions is no difference

    assert scene.samples(running, variables, past) == scene.samples(running, grafana.all_chosen(dashboard), past)


@needs_prometheus
@each_dashboard
def test_where_nothing_happened_a_quotient_has_no_sample(path: Path, scene: Scene) -> None:
    """Not even one that is not a number: the panel says in words that there were no restarts."""
    dashboard = grafana.load(path)
    variables = {**grafana.all_chosen(dashboard), "worker": "steady"}
    titles = ("Succeeded", "Outage, 95 of 100")
    for panel in (panel for panel in grafana.panels(dashboard) if panel["title"] in titles):
        assert panel["fieldConfig"]["defaults"]["noValue"] == "no restarts"
        for query in grafana.queries_of(panel):
            assert scene.samples(query, variables) == []


@needs_prometheus
@each_dashboard
def test_a_panel_has_no_more_lines_than_are_asked_for(path: Path, scene: Scene) -> None:
    """With a thousand workers, too: what has a line for each is cut to the first few."""
    dashboard = grafana.load(path)
    variables = {**grafana.all_chosen(dashboard), "top": "2"}
    for query in grafana.queries(dashboard):
        if "{{worker}}" in query.legend or "{{exported_instance}}" in query.legend:
            assert len(scene.samples(query, variables)) <= 2, query


def titles(picture: str) -> set[str]:
    """Return all that is written in a picture."""
    return {"".join(one.itertext()) for one in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")}


@needs_prometheus
@each_dashboard
def test_a_dashboard_can_be_drawn(path: Path, scene: Scene) -> None:
    """From what Prometheus has of the crew: each panel has its place, and none is without data."""
    dashboard = grafana.load(path)
    scene.trouble()  # another process may have had the tests that made some

    def picture() -> set[str]:
        return titles(drawn(dashboard, Asked(dashboard, scene.prometheus, scene.now())))

    wait_for(lambda: "No data" not in picture(), 120)
    assert {panel["title"] for panel in dashboard["panels"]} <= picture()


@each_dashboard
def test_the_docs_show_a_dashboard_as_it_is(path: Path) -> None:
    """A panel that is new is in the picture, too, and a page shows the picture."""
    image = ROOT / "docs/images" / f"{path.stem}.svg"
    page = ROOT / "docs/how-to/see-it-in-grafana.md"

    assert {panel["title"] for panel in grafana.load(path)["panels"]} <= titles(image.read_text()), "run make pictures"
    assert image.stat().st_size <= 150_000
    assert f"(../images/{image.name})" in page.read_text()
