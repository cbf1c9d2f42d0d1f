"""What is in a panel, by its kind: drawn from the panel's own description, as Grafana would."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from pictures.asked import Asked, Line, Samples
from pictures.looks import HEAT, PALETTE, hue, mapping, number, threshold
from pictures.shapes import LETTER, Area, cut, joined, path, rectangle, text
from pictures.times import Scale, clock_lines, stretches

Marks = list[tuple[float, str]]
Drawing = Callable[[Mapping[str, Any], Asked, Area, Marks], list[str]]
LEGEND = 18
AXIS = 46


def _defaults(panel: Mapping[str, Any]) -> Mapping[str, Any]:
    return panel["fieldConfig"]["defaults"]


def _overrides(panel: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = [one["properties"] for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == name]
    return {one["id"]: one["value"] for properties in found for one in properties}


def nothing(panel: Mapping[str, Any], area: Area) -> list[str]:
    """Draw the words for a panel without data."""
    words = _defaults(panel).get("noValue", "No data")
    return [text(area.x + area.width / 2, area.y + area.height / 2 + 4, words, kind="m", anchor="middle")]


def stat(panel: Mapping[str, Any], asked: Asked, area: Area, _: Marks) -> list[str]:
    """Draw one number, or a few side by side."""
    lines = asked.lines(panel)
    if not lines:
        return nothing(panel, area)
    out = list[str]()
    share = area.width / len(lines)
    for index, line in enumerate(lines):
        words, colour = _valued(_defaults(panel), line.last)
        middle = area.x + share * (index + 0.5)
        size = min(28, int(share / max(len(words), 1) * 1.7))
        baseline = area.y + area.height / 2 + (4 if len(lines) > 1 else 10)
        out.append(text(middle, baseline, words, fill=colour, size=size, bold=True, anchor="middle"))
        if len(lines) > 1:
            out.append(text(middle, baseline + 20, line.name, kind="m", anchor="middle"))
    return out


def _valued(options: Mapping[str, Any], value: float) -> tuple[str, str]:
    return mapping(options, value) or (
        number(value, options.get("unit", "short"), options.get("decimals")),
        threshold(options, value) if "thresholds" in options else "",
    )


def timeseries(panel: Mapping[str, Any], asked: Asked, area: Area, marks: Marks) -> list[str]:
    """Draw lines, or stacked areas or bars, below them a legend."""
    lines = asked.lines(panel)
    if not lines:
        return nothing(panel, area)
    colours = _colours(panel, lines)
    custom = _defaults(panel)["custom"]
    inner = area.without(left=AXIS, bottom=2 * LEGEND)
    stacked = custom["stacking"]["mode"] == "normal"
    unit = _defaults(panel)["unit"]
    top, parts = _nice(max(sum(column) if stacked else max(column) for column in _by_time(lines).values()), unit)
    scale = Scale(inner, asked.window.start, asked.window.end, top)
    out = _axes(scale, unit, parts)
    if custom["drawStyle"] == "bars":
        out += _bars(lines, colours, scale, asked.window.step)
    elif stacked:
        out += _stack(lines, colours, scale, asked.window.step)
    else:
        out += [path(_curve(line.samples, scale, asked.window.step), stroke=colours[line.name]) for line in lines]
    return out + _marks(marks, scale) + _legend([(line.name, colours[line.name]) for line in lines], area)


def _colours(panel: Mapping[str, Any], lines: list[Line]) -> dict[str, str]:
    own = {line.name: _overrides(panel, line.name).get("color") for line in lines}
    return {
        name: hue(chosen["fixedColor"]) if chosen else PALETTE[index % len(PALETTE)]
        for index, (name, chosen) in enumerate(own.items())
    }


def _by_time(lines: list[Line]) -> dict[float, list[float]]:
    found: dict[float, list[float]] = {}
    for line in lines:
        for at, value in line.samples:
            found.setdefault(at, []).append(value)
    return found


def _nice(value: float, unit: str) -> tuple[float, int]:
    """Return the next number upwards that an axis may end with, and into how many round parts it falls."""
    if value <= 0:
        return 1.0, 1
    base = 1024 ** max(math.floor(math.log(value, 1024)), 0) if unit == "bytes" else 1
    power = base * 10 ** math.floor(math.log10(value / base))
    return next(
        (step * power, parts)
        for step, parts in ((1, 5), (2, 4), (4, 4), (5, 5), (8, 4), (10, 5))
        if step * power >= value
    )


def _axes(scale: Scale, unit: str, parts: int) -> list[str]:
    out = list[str]()
    for part in range(parts + 1):
        value = scale.top * part / parts
        y = scale.y(value)
        out.append(path(f"M{scale.area.x:.0f} {y:.0f}h{scale.area.width:.0f}", kind="g"))
        out.append(text(scale.area.x - 6, y + 4, number(value, unit), kind="m", size=10, anchor="end"))
    return out + clock_lines(scale)


def _curve(samples: Samples, scale: Scale, step: float) -> str:
    """Return the path of a line, with gaps where there are no samples."""
    found, before = list[list[tuple[float, float]]](), -math.inf
    for at, value in samples:
        if at - before > step * 1.5:
            found.append([])
        found[-1].append((scale.x(at), scale.y(value)))
        before = at
    return "".join(
        joined(points if len(points) > 1 else [points[0], (points[0][0] + 2, points[0][1])]) for points in found
    )


def _stack(lines: list[Line], colours: Mapping[str, str], scale: Scale, step: float) -> list[str]:
    """Draw areas on each other: each as the column of its own height at each time."""
    out = list[str]()
    below: dict[float, float] = {}
    for line in lines:
        columns = [(at, (below.get(at, 0.0), value)) for at, value in line.samples]
        for start, end, (base, value) in stretches(columns, step):
            if value:
                y = scale.y(base + value)
                across = scale.x(end) - scale.x(start)
                out.append(
                    rectangle(scale.x(start), y, across, scale.y(base) - y, fill=colours[line.name], opacity=0.75)
                )
        for at, value in line.samples:
            below[at] = below.get(at, 0.0) + value
    return out


def _bars(lines: list[Line], colours: Mapping[str, str], scale: Scale, step: float) -> list[str]:
    """Draw a bar for each sample that is not 0, those of one time on each other."""
    out = list[str]()
    below: dict[float, float] = {}
    width = max(scale.length(step) - 0.6, 1)
    for line in lines:
        bars = list[str]()
        for at, value in line.samples:
            base = below.get(at, 0.0)
            if value > 0:
                middle = (scale.x(at) + scale.x(at + step)) / 2
                bars.append(f"M{middle:.1f} {scale.y(base):.0f}V{scale.y(base + value):.0f}")
            below[at] = base + value
        if bars:
            out.append(path("".join(bars), stroke=colours[line.name], width=width))
    return out


def _marks(marks: Marks, scale: Scale) -> list[str]:
    """Draw the annotations: a line at each time, and a foot."""
    out = list[str]()
    for colour in sorted({colour for _, colour in marks}):
        times = sorted({round(scale.x(at)) for at, own in marks if own == colour})
        bottom, height = round(scale.area.bottom), round(scale.area.height)
        lines = "".join(f"M{x} {bottom}v-{height}" for x in times)
        feet = "".join(f"M{x - 3} {bottom + 4}h6l-3-4z" for x in times)
        out.append(f'<path d="{lines}" stroke="{hue(colour)}" stroke-opacity=".3" stroke-dasharray="2 3" fill="none"/>')
        out.append(path(feet, fill=hue(colour)))
    return out


def _legend(names: list[tuple[str, str]], area: Area) -> list[str]:
    """Draw the names with their colours, as many as a line has room for."""
    out, x, y = list[str](), area.x, area.bottom - 4
    for index, (name, colour) in enumerate(names):
        width = 18 + len(name) * LETTER + 10
        if x + width > area.right - (30 if index < len(names) - 1 else -10):
            return [*out, text(x, y, f"+ {len(names) - index}", kind="m", size=11)]
        out.append(rectangle(x, y - 8, 12, 4, fill=colour, corner=2))
        out.append(text(x + 17, y, name, kind="m", size=11))
        x += width
    return out


def state_timeline(panel: Mapping[str, Any], asked: Asked, area: Area, _: Marks) -> list[str]:
    """Draw a row for each series, a stretch for each state, with its word where that fits."""
    lines = sorted(asked.lines(panel), key=lambda line: line.name)
    if not lines:
        return nothing(panel, area)
    left = max(len(line.name) for line in lines) * LETTER + 12
    inner = area.without(left=left, bottom=2 * LEGEND)
    scale = Scale(inner, asked.window.start, asked.window.end, 1.0)
    height = inner.height / len(lines)
    out = clock_lines(scale)
    seen: dict[str, str] = {}
    for index, line in enumerate(lines):
        y = inner.y + index * height
        out.append(text(inner.x - 8, y + height / 2 + 4, line.name, anchor="end", size=11))
        for start, end, value in stretches(line.samples, asked.window.step):
            word, colour = mapping(_defaults(panel), value) or (number(value), PALETTE[0])
            seen[word] = colour
            x, across = scale.x(start), max(scale.x(end) - scale.x(start), 1)
            out.append(rectangle(x, y + 2, across, height - 4, fill=colour, opacity=0.8))
            if across > len(word) * LETTER + 8:
                out.append(text(x + across / 2, y + height / 2 + 4, word, fill="#fff", size=11, anchor="middle"))
    return out + _legend(list(seen.items()), area)


def heatmap(panel: Mapping[str, Any], asked: Asked, area: Area, _: Marks) -> list[str]:
    """Draw a cell for each bucket and time, the darker the more fell into it alone."""
    lines = sorted(asked.lines(panel), key=lambda line: float(line.labels["le"]))
    cells = _cells(lines)
    filled = [bucket for (_, bucket), count in cells.items() if count > 0]
    if not filled:
        return nothing(panel, area)
    low, high = max(min(filled) - 1, 0), min(max(filled) + 1, len(lines) - 1)
    inner = area.without(left=AXIS, bottom=2 * LEGEND)
    scale = Scale(inner, asked.window.start, asked.window.end, 1.0)
    height, most = inner.height / (high - low + 1), max(cells.values())
    out = clock_lines(scale)
    for bucket in range(low, high + 1):
        y = inner.bottom - (bucket - low + 1) * height
        bound = float(lines[bucket].labels["le"])
        out.append(path(f"M{inner.x:.0f} {y:.0f}h{inner.width:.0f}", kind="g"))
        words = number(bound, "s") if math.isfinite(bound) else "more"
        out.append(text(inner.x - 6, y + 4, words, kind="m", size=10, anchor="end"))
    for (at, bucket), count in cells.items():
        if count > 0:
            y = inner.bottom - (bucket - low + 1) * height
            x, shade = scale.x(at), 0.2 + 0.8 * (count / most) ** 0.5
            width = scale.x(at + asked.window.step) - x
            out.append(rectangle(x, y + 0.5, width, height - 1, fill=HEAT, opacity=shade))
    return out


def _cells(lines: list[Line]) -> dict[tuple[float, int], float]:
    """Return how much fell into each bucket alone: buckets hold what is in the smaller ones, too."""
    found: dict[tuple[float, int], float] = {}
    below: dict[float, float] = {}
    for bucket, line in enumerate(lines):
        for at, value in line.samples:
            found[at, bucket] = value - below.get(at, 0.0)
            below[at] = value
    return {place: count for place, count in found.items() if count > 1e-9}


def bar_gauge(panel: Mapping[str, Any], asked: Asked, area: Area, _: Marks) -> list[str]:
    """Draw a bar for each series, longest where there is most."""
    lines = asked.lines(panel)
    if not lines:
        return nothing(panel, area)
    options = _defaults(panel)
    left = max(len(line.name) for line in lines) * LETTER + 12
    across = area.width - left - 64
    height = min(area.height / len(lines), 34)
    top = options.get("max", max(line.last for line in lines)) or 1
    out = list[str]()
    for index, line in enumerate(lines):
        y = area.y + index * height
        words, colour = _valued(options, line.last)
        out.append(text(area.x + left - 8, y + height / 2 + 4, line.name, anchor="end"))
        out.append(rectangle(area.x + left, y + 4, across, height - 8, kind="u", corner=2))
        if line.last > 0:
            out.append(rectangle(area.x + left, y + 4, across * line.last / top, height - 8, fill=colour, corner=2))
        out.append(text(area.right, y + height / 2 + 4, words, fill=colour, bold=True, anchor="end"))
    return out


def table(panel: Mapping[str, Any], asked: Asked, area: Area, _: Marks) -> list[str]:
    """Draw a row for each combination of labels, merged over all queries, as many as there is room for."""
    names = next(one for one in panel["transformations"] if one["id"] == "organize")["options"]["renameByName"]
    keys = [label for label in names if not label.startswith("Value #")]
    rows = _merged(asked.columns(panel), keys)
    if not rows:
        return nothing(panel, area)
    out, widths = list[str](), _widths(list(names.values()), area.width)
    shown = list(rows.items())[: int(area.height / 20) - 1]
    x = area.x
    for (field, name), width in zip(names.items(), widths, strict=True):
        out.append(text(x, area.y + 10, name, kind="m", size=11, bold=True))
        for index, (key, values) in enumerate(shown):
            words, colour = _cell(panel, field, name, dict(zip(keys, key, strict=True)), values)
            out.append(text(x, area.y + 32 + index * 20, cut(words, width - 6), fill=colour))
        x += width
    for index in range(len(shown)):
        out.append(path(f"M{area.x:.0f} {area.y + 17 + index * 20:.0f}h{area.width:.0f}", kind="g"))
    return out


def _merged(columns: list[list[Line]], keys: list[str]) -> dict[tuple[str, ...], dict[str, float]]:
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for index, lines in enumerate(columns):
        for line in lines:
            key = tuple(line.labels.get(label, "") for label in keys)
            same = (one for one in found if all(not b or a == b for a, b in zip(one, key, strict=True)))
            found.setdefault(next(same, key), {})[f"Value #{chr(ord('A') + index)}"] = line.last
    return found


def _cell(
    panel: Mapping[str, Any], field: str, name: str, labels: Mapping[str, str], values: Mapping[str, float]
) -> tuple[str, str]:
    if field in labels:
        return labels[field], ""
    if field not in values:
        return "", ""
    options = {**_defaults(panel), **_overrides(panel, name)}
    words, colour = _valued(options, values[field])
    return words, colour if "custom.cellOptions" in options else ""


def _widths(names: list[str], width: float) -> list[float]:
    wanted = [max(len(name), 9) for name in names]
    return [width * one / sum(wanted) for one in wanted]


KINDS: dict[str, Drawing] = {
    "stat": stat,
    "timeseries": timeseries,
    "state-timeline": state_timeline,
    "heatmap": heatmap,
    "bargauge": bar_gauge,
    "table": table,
}
