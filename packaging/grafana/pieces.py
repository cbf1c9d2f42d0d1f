"""What a dashboard is made of: queries, panels of each kind, variables, and where they stand.

Rules:

1. A panel is a dictionary as Grafana keeps it; what all panels of a kind share is said here, once.
2. No data source is named: the variable `datasource` chooses it. No address of a host stands anywhere.
3. A quotient ends with `>= 0`: what is not a number falls out, and the panel says in words why it is empty.
4. What has a series for each worker or instance goes through `most`: a legend never has more than $top lines.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
SCHEMA_VERSION = 39
"""That of Grafana 10.4: later ones move it on by themselves."""

STATES = {
    "UNKNOWN": "purple",
    "STOPPED": "#8e8e8e",
    "STARTING": "blue",
    "RUNNING": "green",
    "BACKOFF": "orange",
    "STOPPING": "light-blue",
    "EXITED": "#5a5a5a",
    "FATAL": "red",
}
"""Process states and their colours; the position is the number that stands for a state in a state timeline."""

RANGE = "$__range"
STEP = "$__rate_interval"
UNCOUNTED = "not counted: others' workers need Linux 6.2"
"""Of open files: before 6.2 the kernel tells them to root and to the worker's own user alone."""
OF_CREWD = 'job=~"$job",instance=~"$crewd"'
OF_WORKER = f'{OF_CREWD},worker=~"$worker"'
OF_INSTANCE = f'{OF_WORKER},exported_instance=~"$instance"'


def quotient(part: str, whole: str) -> str:
    """Return the query for a part of a whole, without a sample where there is no whole."""
    return f"{part} / {whole} >= 0"


def quantile(q: float, histogram: str, labels: str, window: str, by: str = "") -> str:
    """Return the query for a quantile of a histogram, without a sample where nothing was observed."""
    return f"histogram_quantile({q}, sum by (le{by}) (rate({histogram}_bucket{{{labels}}}[{window}]))) >= 0"


def most(query: str, of: str, label: str = "worker") -> str:
    """Return the query for those that are among the $top by another one, looked at once, at the end of the range."""
    return f"{query} and on ({label}) topk($top, {of})"


def target(expr: str, legend: str = "", *, instant: bool = False, form: str = "time_series") -> Json:
    """Return a query: over the range, or of now."""
    return {
        "datasource": DATASOURCE,
        "expr": expr,
        "legendFormat": legend,
        "instant": instant,
        "range": not instant,
        "format": form,
        "editorMode": "code",
    }


def column(expr: str) -> Json:
    """Return a query that fills a column of a table."""
    return target(expr, instant=True, form="table")


def steps(*above: tuple[float, str], below: str = "green") -> Json:
    """Return thresholds: a colour, and others from a value on."""
    first = {"value": None, "color": below}
    return {"mode": "absolute", "steps": [first, *({"value": value, "color": color} for value, color in above)]}


def words(of: Mapping[int, tuple[str, str]]) -> list[Json]:
    """Return the mappings of numbers to words in colours."""
    options = {
        str(value): {"text": text, "color": color, "index": index}
        for index, (value, (text, color)) in enumerate(of.items())
    }
    return [{"type": "value", "options": options}]


def override(name: str, **properties: Any) -> Json:
    """Return what is different of one field; ``a__b`` stands for the property a.b."""
    found = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": found}


def colours(of: Mapping[str, str]) -> list[Json]:
    """Return overrides that give each series its colour."""
    return [override(name, color={"mode": "fixed", "fixedColor": colour}) for name, colour in of.items()]


def _panel(kind: str, title: str, size: tuple[int, int], targets: Sequence[Json], about: str) -> Json:
    named = [{**one, "refId": chr(ord("A") + index)} for index, one in enumerate(targets)]
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": DATASOURCE,
        "gridPos": {"w": size[0], "h": size[1], "x": 0, "y": 0},
        "targets": named,
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {},
    }


def stat(
    title: str,
    size: tuple[int, int],
    *targets: Json,
    about: str = "",
    unit: str = "none",
    decimals: int | None = None,
    empty: str = "",
    thresholds: Json | None = None,
    mappings: Sequence[Json] = (),
) -> Json:
    """Return a panel of one number, or a few; `empty` is what it says where there is none."""
    panel = _panel("stat", title, size, targets, about)
    defaults: Json = {"unit": unit, "thresholds": thresholds or steps(below="blue"), "mappings": list(mappings)}
    defaults |= {"color": {"mode": "thresholds"}}
    if decimals is not None:
        defaults["decimals"] = decimals
    if empty:
        defaults["noValue"] = empty
    panel["fieldConfig"]["defaults"] = defaults
    panel["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"], "values": False, "fields": ""},
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "vertical",
        "textMode": "value_and_name" if len(targets) > 1 else "value",
    }
    return panel


def series(
    title: str,
    size: tuple[int, int],
    *targets: Json,
    about: str = "",
    unit: str = "short",
    stacked: bool = False,
    bars: bool = False,
    overrides: Sequence[Json] = (),
    empty: str = "",
) -> Json:
    """Return a panel of lines, areas or bars over time."""
    panel = _panel("timeseries", title, size, targets, about)
    custom = {
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 0 if bars else 1,
        "fillOpacity": 70 if bars or stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if bars or stacked else "none", "group": "A"},
    }
    defaults = {"unit": unit, "min": 0, "color": {"mode": "palette-classic"}, "custom": custom}
    panel["fieldConfig"] = {"defaults": defaults | ({"noValue": empty} if empty else {}), "overrides": list(overrides)}
    panel["options"] = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def timeline(title: str, size: tuple[int, int], *targets: Json, about: str, mappings: Sequence[Json]) -> Json:
    """Return a panel of a row for each series, coloured by what it is at each time."""
    panel = _panel("state-timeline", title, size, targets, about)
    panel["fieldConfig"]["defaults"] = {
        "mappings": list(mappings),
        "color": {"mode": "thresholds"},
        "thresholds": steps(below="text"),
        "custom": {"lineWidth": 0, "fillOpacity": 80},
    }
    panel["options"] = {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "center",
        "rowHeight": 0.85,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return panel


def heatmap(title: str, size: tuple[int, int], buckets: Json, *, about: str) -> Json:
    """Return a panel of the buckets of a histogram over time."""
    panel = _panel("heatmap", title, size, [buckets], about)
    panel["options"] = {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "mode": "scheme",
            "scheme": "Oranges",
            "steps": 64,
            "exponent": 0.5,
            "fill": "dark-orange",
            "reverse": False,
        },
        "yAxis": {"unit": "s", "axisPlacement": "left", "reverse": False},
        "rowsFrame": {"layout": "auto"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "showValue": "never",
    }
    return panel


def ranking(
    title: str,
    size: tuple[int, int],
    query: Json,
    *,
    about: str,
    unit: str,
    empty: str,
    thresholds: Json,
    top: float | None = None,
) -> Json:
    """Return a panel of horizontal bars, one for each of a few."""
    panel = _panel("bargauge", title, size, [query], about)
    defaults: Json = {
        "unit": unit,
        "min": 0,
        "noValue": empty,
        "thresholds": thresholds,
        "color": {"mode": "thresholds"},
    }
    panel["fieldConfig"]["defaults"] = defaults | ({"max": top} if top is not None else {})
    panel["options"] = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "color",
        "minVizHeight": 10,
        "minVizWidth": 0,
        "reduceOptions": {"calcs": ["lastNotNull"], "values": False, "fields": ""},
    }
    return panel


def table(
    title: str,
    size: tuple[int, int],
    columns: Mapping[str, Json],
    *,
    about: str,
    key: Mapping[str, str],
    overrides: Sequence[Json] = (),
    empty: str = "",
) -> Json:
    """Return a table: a row for each combination of the `key` labels, a column for each query that has a name."""
    panel = _panel("table", title, size, list(columns.values()), about)
    panel["fieldConfig"] = {
        "defaults": {"custom": {"align": "auto", "filterable": False}, **({"noValue": empty} if empty else {})},
        "overrides": list(overrides),
    }
    values = {f"Value #{chr(ord('A') + index)}": name for index, name in enumerate(columns) if name}
    names = {**key, **values}
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": list(names)}}},
        {
            "id": "organize",
            "options": {"indexByName": {name: index for index, name in enumerate(names)}, "renameByName": names},
        },
    ]
    panel["options"] = {
        "showHeader": True,
        "cellHeight": "sm",
        "footer": {"show": False, "reducer": ["sum"], "fields": ""},
    }
    return panel


def row(title: str) -> Json:
    """Return a heading between panels."""
    return {
        "type": "row",
        "title": title,
        "collapsed": False,
        "gridPos": {"w": WIDTH, "h": 1, "x": 0, "y": 0},
        "panels": [],
    }


def placed(panels: Sequence[Json]) -> list[Json]:
    """Return the panels with ids and places: from left to right, a new line where one no longer fits."""
    return list(_placed(panels))


def _placed(panels: Sequence[Json]) -> Iterator[Json]:
    x = y = height = 0
    for number, panel in enumerate(panels, start=1):
        place = panel["gridPos"]
        if x + place["w"] > WIDTH:
            x, y, height = 0, y + height, 0
        yield {"id": number, **panel, "gridPos": {**place, "x": x, "y": y}}
        x, height = x + place["w"], max(height, place["h"])


def choice(name: str, label: str, query: str, *, all_of_them: bool = True) -> Json:
    """Return a variable with the values of a label; several may be chosen, and all are unless somebody chooses."""
    every = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 5,
        "regex": "",
        "multi": True,
        "includeAll": all_of_them,
        "allValue": ".+",
        "current": every,
        "hide": 0,
        "skipUrlSync": False,
        "options": [],
    }


def chosen_by(*more: Json) -> list[Json]:
    """Return the variables of every dashboard, those of its own, and how many are shown."""
    source = {
        "type": "datasource",
        "name": "datasource",
        "label": "Prometheus",
        "query": "prometheus",
        "regex": "",
        "refresh": 1,
    }
    few = ["5", "10", "25", "50"]
    top = {
        "type": "custom",
        "name": "top",
        "label": "Show at most",
        "query": ",".join(few),
        "current": {"selected": True, "text": "10", "value": "10"},
        "options": [{"selected": value == "10", "text": value, "value": value} for value in few],
    }
    common = {"hide": 0, "skipUrlSync": False, "multi": False, "includeAll": False}
    return [
        {**source, **common, "refresh": 1, "current": {"text": "", "value": ""}, "options": []},
        choice("job", "Job", "label_values(crewd_build_info, job)"),
        choice("crewd", "crewd", 'label_values(crewd_build_info{job=~"$job"}, instance)'),
        choice("worker", "Worker", f"label_values(crewd_worker_state{{{OF_CREWD}}}, worker)"),
        *more,
        {**top, **common},
    ]


def annotation(name: str, expr: str, colour: str, title: str) -> Json:
    """Return marks at the times, in milliseconds, that a query has for values."""
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expr,
        "step": "15s",
        "titleFormat": title,
        "textFormat": "{{instance}}",
        "tagKeys": "worker",
        "useValueForTime": True,
    }


def dashboard(
    uid: str,
    title: str,
    about: str,
    panels: Sequence[Json],
    *,
    variables: Sequence[Json],
    annotations: Sequence[Json],
) -> Json:
    """Return a whole dashboard, linked with all others that have the tag crewd."""
    link = {
        "type": "dashboards",
        "title": "crewd",
        "icon": "external link",
        "tooltip": "",
        "tags": ["crewd"],
        "asDropdown": False,
        "targetBlank": False,
        "includeVars": True,
        "keepTime": True,
    }
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["crewd"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "links": [link],
        "templating": {"list": list(variables)},
        "annotations": {"list": list(annotations)},
        "panels": placed(panels),
    }
