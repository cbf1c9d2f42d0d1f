"""The files for Prometheus and Alertmanager before their own tools: well-formed, and each alert as its tests say.

``tests/promtool`` holds those tests, a file for each alert, named as the page that says what to do about it.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from crewd.metrics.families import FAMILIES, Kind
from harness.alerting import ALERTMANAGER, ALERTS, RULES, SHIPPED, alert_rules, page_of

TESTS = Path(__file__).parents[2] / "promtool"
FILES = tuple(sorted(TESTS.glob("*.yml")))
RECORDED = "recorded"


def told(program: str, *arguments: str) -> str:
    """Run one of the tools, which must have nothing against it; return what it says."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"there is no {program}")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def checks(file: Path) -> list[Any]:
    """Return what the tests in a file ask of its alert."""
    tests = yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
    return [check for test in tests for check in test.get("alert_rule_test", ())]


def test_promtool_has_nothing_against_the_rules() -> None:
    """Expressions, templates and names."""
    assert told("promtool", "check", "rules", str(RULES), str(ALERTS)).count("SUCCESS") == 2


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-tls.yml"])
def test_promtool_has_nothing_against_the_examples(name: str, tmp_path: Path) -> None:
    """Each with the files that it names."""
    shutil.copytree(SHIPPED, tmp_path, dirs_exist_ok=True)
    (tmp_path / "crewd-ca.pem").touch()

    assert "2 rule files found" in told("promtool", "check", "config", str(tmp_path / name))


def test_amtool_has_nothing_against_the_example() -> None:
    """Routes, receivers and inhibitions."""
    assert "SUCCESS" in told("amtool", "check-config", str(ALERTMANAGER))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_alert_fires_as_its_tests_say(file: Path) -> None:
    """And stays silent as they say, with its labels and texts word by word."""
    told("promtool", "test", "rules", str(file))


def test_each_alert_is_tested_firing_and_not_firing() -> None:
    """In the file of its page, which tests nothing else."""
    asked = {file.stem: checks(file) for file in FILES if file.stem != RECORDED}

    assert asked.keys() == {page_of(rule) for rule in alert_rules().values()}
    for name, rule in alert_rules().items():
        mine = asked[page_of(rule)]
        assert {check["alertname"] for check in mine} == {name}
        assert {bool(check.get("exp_alerts")) for check in mine} == {True, False}


def test_the_rules_speak_of_metrics_that_there_are() -> None:
    """A name that is wrong is silent for ever."""
    parts = {Kind.HISTOGRAM: ("_bucket", "_count", "_sum")}
    there = {family.name + part for family in FAMILIES for part in parts.get(family.kind, ("",))}
    spoken = {
        word
        for file in (RULES, ALERTS)
        for expression in re.findall(r"expr: (.*?)\n\s+(?:for:|labels:|- |\Z)", file.read_text() + "\n- ", re.DOTALL)
        for word in re.findall(r"(?<![\w:])crewd_\w+", expression)
    }

    assert spoken
    assert not spoken - there


def test_alertmanager_speaks_of_alerts_that_there_are() -> None:
    """Each rule says that one alert hides others: both sides exist."""
    for rule in yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))["inhibit_rules"]:
        for side in ("source_matchers", "target_matchers"):
            _, _, pattern = rule[side][0].partition("=")
            assert [name for name in alert_rules() if re.fullmatch(pattern.strip("~ "), name)], rule
