"""Draws a dashboard as one SVG: places, frames and titles of the panels; what is in them is `pictures.panels`."""

from collections.abc import Mapping
from typing import Any

from pictures.asked import Asked
from pictures.looks import style
from pictures.panels import KINDS
from pictures.shapes import Area, rectangle, text

COLUMN = 48
ROW = 27
GAP = 6
MARGIN = 10
HEAD = 46
TITLE = 28


def drawn(dashboard: Mapping[str, Any], asked: Asked, *, dark: bool | None = None) -> str:
    """Return the picture."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    width, height = 24 * COLUMN + 2 * MARGIN, rows * ROW + HEAD + MARGIN
    marks = asked.marks(dashboard)
    inside = [
        f"<style>text{{font-family:sans-serif;font-size:12px}}{style(dark)}</style>",
        f"<title>{dashboard['title']}</title>",
        rectangle(0, 0, width, height, kind="page"),
        text(MARGIN + 6, 30, dashboard["title"], size=18, bold=True),
    ]
    for panel in dashboard["panels"]:
        inside += _framed(panel, asked, marks)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">', *inside, "</svg>\n"])


def _framed(panel: Mapping[str, Any], asked: Asked, marks: list[tuple[float, str]]) -> list[str]:
    place = panel["gridPos"]
    x, y = MARGIN + place["x"] * COLUMN, HEAD + place["y"] * ROW
    if panel["type"] == "row":
        return [text(x + 6, y + 18, panel["title"], size=14, bold=True)]
    width, height = place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
    area = Area(x + 10, y + TITLE, width - 20, height - TITLE - 8)
    frame = [
        rectangle(x, y, width, height, kind="panel", corner=3),
        text(x + 10, y + 18, panel["title"], bold=True),
    ]
    return frame + KINDS[panel["type"]](panel, asked, area, marks)
