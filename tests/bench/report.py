"""The result as Markdown for people and as JSON for whoever compares runs."""

import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from statistics import median

from bench import targets
from bench.figures import Figures, Key, summary

PEERS = ("crewd", "crewd, fallback", "runit", "runit, no shell", "stock")
SHOWN_WHOLE = (
    *(targets.DAEMON, targets.SCRAPED, targets.LISTENED),
    *(targets.CREWCTL, targets.SUPERVISORCTL, targets.SUPERVISORCTL_STOCK),
    *targets.DATABASES,
)
"""What has no peer beside it, of the daemon and the store."""
WITH_P99 = ("crash ms", "RPC in the storm ms")
HEAD_LINES = 2


def markdown(figures: Figures, failures: list[str]) -> str:
    """Return the tables."""
    parts = [f"Machine: {machine()}"]
    for table in (_series(figures), _others(figures), _whole(figures), _targets(figures)):
        if len(lines := list(table)) > HEAD_LINES:
            parts += ["", *lines]
    if failures:
        parts += ["", "What could not be measured:", *(f"- {failure}" for failure in failures)]
    return "\n".join(parts) + "\n"


def as_json(figures: Figures, failures: list[str]) -> str:
    """Return everything, samples included."""
    series = [
        {"what": key.what, "workers": key.n, "peer": key.peer, "logs": key.logs, **summary(samples), "samples": samples}
        for key, samples in figures
    ]
    judged = [{"target": line.target, "measured": line.measured, "met": line.met} for line in targets.lines(figures)]
    return json.dumps({"machine": machine(), "targets": judged, "series": series, "failures": failures}, indent=1)


def machine() -> str:
    """Return what it ran on, in one line."""
    cores, python, supervisor = os.cpu_count(), platform.python_version(), version("supervisor")
    return f"{cores} cores, Linux {platform.release()}, Python {python}, supervisor {supervisor}"


def _series(figures: Figures) -> Iterator[str]:
    """One row for each figure and size, one column for each peer."""
    rows = sorted({(key.what, key.n, key.logs) for key, _ in figures if key.peer in PEERS}, key=_order(figures))
    yield "| median (p99; count), log files | workers | " + " | ".join(PEERS) + " | crewd / runit | stock / crewd |"
    yield "|---|---|" + "---|" * (len(PEERS) + 2)
    for what, n, logs in rows:
        found = [figures.take(what, n, peer, logs) for peer in PEERS]
        cells = [_cell(what, samples) for samples in found]
        crewd, runit, stock = found[0], found[2], found[4]
        ratios = [_ratio(crewd, runit), _ratio(stock, crewd)]
        yield f"| {what}{', logs' if logs else ''} | {n} | " + " | ".join(cells + ratios) + " |"


def _others(figures: Figures) -> Iterator[str]:
    yield "| beside | workers | median |"
    yield "|---|---|---|"
    for key, samples in figures:
        if key.peer not in (*PEERS, *SHOWN_WHOLE):
            yield f"| {_title(key)} | {key.n} | {_number(median(samples))} |"


def _whole(figures: Figures) -> Iterator[str]:
    """The daemon and the store: one row for each figure, with all that is said of its samples."""
    yield "| daemon and store | workers | median | p99 | max | count |"
    yield "|---|---|---|---|---|---|"
    for key, samples in figures:
        if key.peer in SHOWN_WHOLE:
            found = summary(samples)
            numbers = " | ".join(_number(found[name]) for name in ("p50", "p99", "max"))
            yield f"| {_title(key)} | {key.n} | {numbers} | {found['n']} |"


def _targets(figures: Figures) -> Iterator[str]:
    yield "| target | measured | met? |"
    yield "|---|---|---|"
    found = list(targets.lines(figures))
    for line in found:
        if line.met is not None:
            yield f"| {line.target} | {line.measured} | {'yes' if line.met else '**no**'} |"
    yield ""
    yield (
        f"{sum(line.met is True for line in found)} targets are met, {sum(line.met is False for line in found)} are "
        f"missed, {sum(line.met is None for line in found)} were not measured in this run."
    )


def _order(figures: Figures):
    """Sort by the figure as first measured, then by log mode, then by size."""
    seen = list(dict.fromkeys(key.what for key, _ in figures))
    return lambda row: (seen.index(row[0]), row[2], row[1])


def _title(key: Key) -> str:
    return f"{key.peer}: {key.what}{', logs' if key.logs else ''}"


def _cell(what: str, samples: list[float]) -> str:
    if not samples:
        return ""
    found = summary(samples)
    if what not in WITH_P99:
        return _number(found["p50"])
    return f"{_number(found['p50'])} ({_number(found['p99'])}; {found['n']})"


def _ratio(upper: list[float], lower: list[float]) -> str:
    if not upper or not lower or not median(lower):
        return ""
    return f"{median(upper) / median(lower):.2g}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
