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


def quicker(text: str, times: int = QUICKER) -> str:
    """Return rules whose durations and windows are a sixtieth, and so are the lengths of time that are compared."""
    windows = r"(?<=\[)(\d+)([smh])(?=\])|(?<=for: |val: )(\d+)([smh])$"
    text = re.sub(windows, lambda found: _shorter(found, times), text, flags=re.MULTILINE)
    return re.sub(r"(\d+) \* 60\b", lambda found: str(int(found[1]) * 60 // times), text)


def quicker_route(text: str, times: int = QUICKER) -> str:
    """Return Alertmanager's configuration with a sixtieth of its waits."""
    waits = r"(?<=(?:wait|rval): )(\d+)([smh])$"
    return re.sub(waits, lambda found: _shorter(found, times), text, flags=re.MULTILINE)


def _shorter(found: "re.Match[str]", times: int) -> str:
    number, unit = (one for one in found.groups() if one is not None)
    return f"{int(number) * UNITS_SEC[unit] * 1000 // times}ms"


def alert_rules() -> dict[str, Any]:
    """Return the alerts that are shipped, by name."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def page_of(rule: Any) -> str:
    """Return the name of the page that says what to do about an alert."""
    return rule["annotations"]["runbook_url"].rpartition("/")[2].removesuffix(".md")
