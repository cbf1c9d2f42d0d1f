"""A real Prometheus that scrapes one page, with a data directory of its own, owned by a nursery."""

import json
import os
import shutil
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.nursery import Nursery
from harness.ports import free_port
from harness.waiting import PATIENCE_SEC, wait_for

SCRAPE_SEC = 0.25
UP_SEC = 60.0
CONFIGURATION = """\
global: {{scrape_interval: {millis}ms, scrape_timeout: {millis}ms, evaluation_interval: {millis}ms}}
rule_files: {rules}
alerting: {{alertmanagers: [static_configs: [targets: {alertmanagers}]]}}
scrape_configs:
  - job_name: crewd
    metrics_path: {url.path}
    static_configs: [{{targets: ["{url.netloc}"]}}]
"""


def installed() -> bool:
    """Return whether there is a Prometheus on this machine."""
    return shutil.which("prometheus") is not None


class Prometheus:
    """A context manager: inside it Prometheus runs and scrapes ``url``, after it nothing is left."""

    def __init__(
        self, url: str, scrape_sec: float = SCRAPE_SEC, rules: Sequence[str] = (), alertmanagers: Sequence[str] = ()
    ) -> None:
        """Scrape ``url``; ``rules`` are the contents of rule files, ``alertmanagers`` the addresses of some."""
        self.root = tempfile.mkdtemp(prefix="prometheus-")
        self.address = f"127.0.0.1:{free_port()}"
        self._nursery = Nursery()
        files = [f"{self.root}/rules-{number}.yml" for number in range(len(rules))]
        for file, rule in zip(files, rules, strict=True):
            Path(file).write_text(rule)
        text = CONFIGURATION.format(
            millis=int(scrape_sec * 1000), url=urllib.parse.urlsplit(url), rules=files, alertmanagers=[*alertmanagers]
        )
        Path(self.root, "prometheus.yml").write_text(text)

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        argv = [
            "prometheus",
            f"--config.file={self.root}/prometheus.yml",
            f"--storage.tsdb.path={self.root}/data",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
        ]
        self._nursery.spawn(argv, {"PATH": os.environ["PATH"]}, self.root, f"{self.root}/output")
        wait_for(self._ready, UP_SEC, self._output)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        try:
            self._nursery.close()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and values of an instant query's vector."""
        answer = json.loads(self._get(f"/api/v1/query?{urllib.parse.urlencode({'query': promql})}"))
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def query_range(
        self, promql: str, start: float, end: float, step_sec: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Return the labels and samples, each with its time, of a query over a range."""
        asked = {"query": promql, "start": start, "end": end, "step": step_sec}
        answer = json.loads(self._get(f"/api/v1/query_range?{urllib.parse.urlencode(asked)}"))
        return [
            (one["metric"], [(at, float(value)) for at, value in one["values"]]) for one in answer["data"]["result"]
        ]

    def label_values(self, selector: str, label: str) -> list[str]:
        """Return the values that a label has among the series of a selector."""
        matching = urllib.parse.urlencode({"match[]": selector})
        return list(json.loads(self._get(f"/api/v1/label/{label}/values?{matching}"))["data"])

    def value(self, promql: str) -> float | None:
        """Return the value of a query with one result; None where it has none as yet."""
        found = self.query(promql)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def wait_value(self, promql: str, value: float, timeout: float = PATIENCE_SEC) -> None:
        """Wait until a query has this value."""
        wait_for(
            lambda: self.value(promql) == value,
            timeout,
            lambda: f"{promql} = {value}, is {self.query(promql)}\n{self.targets()}",
        )

    def targets(self) -> Any:
        """Return what it says of what it scrapes: whether it can, and if not, why."""
        return json.loads(self._get("/api/v1/targets"))["data"]["activeTargets"]

    def alerts(self) -> list[Any]:
        """Return the alerts that are pending or firing, with their labels and texts."""
        return json.loads(self._get("/api/v1/alerts"))["data"]["alerts"]

    def _ready(self) -> bool:
        try:
            return bool(self._get("/-/ready"))
        except OSError:
            return False

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=PATIENCE_SEC) as answer:
            return bytes(answer.read())

    def _output(self) -> str:
        return Path(self.root, "output").read_text()
