"""How pictures look: colours that are readable in light and in dark, and numbers as people write them."""

import math
import time
from collections.abc import Mapping
from typing import Any

NAMED = {
    "green": "#56a64b",
    "red": "#e02f44",
    "orange": "#ff780a",
    "blue": "#3274d9",
    "light-blue": "#8ab8ff",
    "purple": "#a352cc",
}
PALETTE = ("#56a64b", "#e0b400", "#5794f2", "#ff780a", "#e02f44", "#a352cc", "#37872d", "#1f60c4", "#c4162a", "#8f3bb8")
HEAT = "#ff780a"

LIGHT = {
    "page": "#f4f5f5",
    "panel": "#ffffff",
    "edge": "#dcdee1",
    "text": "#24292e",
    "muted": "#6e7580",
    "grid": "#ebedef",
}
DARK = {
    "page": "#111217",
    "panel": "#181b1f",
    "edge": "#2c3036",
    "text": "#d5d8de",
    "muted": "#8b919a",
    "grid": "#262a30",
}


def style(dark: bool | None = None) -> str:
    """Return the classes; the reader's own choice of light or dark decides, unless it is given."""
    if dark is not None:
        return _classes(DARK if dark else LIGHT)
    return f"{_classes(LIGHT)}@media(prefers-color-scheme:dark){{{_classes(DARK)}}}"


def _classes(colours: Mapping[str, str]) -> str:
    found = {
        ".page": f"fill:{colours['page']}",
        ".panel": f"fill:{colours['panel']};stroke:{colours['edge']}",
        ".t": f"fill:{colours['text']}",
        ".m": f"fill:{colours['muted']}",
        ".g": f"stroke:{colours['grid']}",
        ".u": f"fill:{colours['grid']}",
    }
    return "".join(f"{name}{{{rules}}}" for name, rules in found.items())


def hue(colour: str) -> str:
    """Return a colour by its name in Grafana; empty for that of text."""
    return "" if colour == "text" else NAMED.get(colour, colour)


def mapping(defaults: Mapping[str, Any], value: float) -> tuple[str, str] | None:
    """Return the word and the colour that stand for a value, where there are such."""
    for one in defaults.get("mappings", []):
        found = one["options"].get(f"{value:.0f}")
        if found:
            return found["text"], hue(found["color"])
    return None


def threshold(defaults: Mapping[str, Any], value: float) -> str:
    """Return the colour of a value."""
    reached = [one for one in defaults["thresholds"]["steps"] if one["value"] is None or value >= one["value"]]
    return hue(reached[-1]["color"])


def number(value: float, unit: str = "short", decimals: int | None = None) -> str:
    """Return a value as it is written in its unit."""
    match unit:
        case "s":
            return _seconds(value)
        case "bytes":
            return _scaled(value, 1024, ("B", "KiB", "MiB", "GiB"))
        case "percentunit":
            return f"{value * 100:.{1 if decimals is None and value < 0.1 else decimals or 0}f} %"
        case "dateTimeFromNow":
            return _from_now(value / 1000 - time.time())
        case _:
            return f"{value:.{decimals}f}" if decimals is not None else f"{value:.3g}"


def _seconds(value: float) -> str:
    if value == 0:
        return "0 s"
    for factor, name in ((1e-3, "µs"), (1.0, "ms")):
        if abs(value) < factor:
            return f"{value / factor * 1000:.3g} {name}"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"


def _scaled(value: float, base: int, names: tuple[str, ...]) -> str:
    power = min(int(math.log(value, base)), len(names) - 1) if value >= 1 else 0
    return f"{value / base**power:.3g} {names[power]}"


def _from_now(seconds: float) -> str:
    length = abs(seconds)
    count, name = (length, "second") if length < 60 else (length / 60, "minute")
    words = f"{count:.0f} {name}{'' if round(count) == 1 else 's'}"
    return f"in {words}" if seconds > 0 else f"{words} ago"
