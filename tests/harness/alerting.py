"""The rules that are shipped, as a test has the time for: each minute in them is a second, all else is as it is."""

import re
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).parents[2] / "packaging" / "prometheus"
RULES = SHIPPED / "rules" / "crewd.rules.yml"
ALERTS = SHIPPED / "rules" / "crewd.alerts.yml"
ALERTMANAGER = SHIPPED / "alertmanager.yml"
UNITS_SEC = {"s": 1, "m": 60, "h": 3600}
QUICKER = 60


def quicker(text: str) -> str:
    """Return rules whose durations and windows are a sixtieth, and so are the lengths of time that are compared."""
    text = re.sub(r"(?<=\[)(\d+)([smh])(?=\])|(?<=for: |val: )(\d+)([smh])$", _shorter, text, flags=re.MULTILINE)
    return re.sub(r"(\d+) \* 60\b", r"\1", text)


def quicker_route(text: str) -> str:
    """Return Alertmanager's configuration with a sixtieth of its waits."""
    return re.sub(r"(?<=(?:wait|rval): )(\d+)([smh])$", _shorter, text, flags=re.MULTILINE)


def _shorter(found: "re.Match[str]") -> str:
    number, unit = (one for one in found.groups() if one is not None)
    return f"{int(number) * UNITS_SEC[unit] * 1000 // QUICKER}ms"


def alert_rules() -> dict[str, Any]:
    """Return the alerts that are shipped, by name."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def page_of(rule: Any) -> str:
    """Return the name of the page that says what to do about an alert."""
    return rule["annotations"]["runbook_url"].rpartition("/")[2].removesuffix(".md")
