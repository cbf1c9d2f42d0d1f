"""The names that the documents have for keys of a worker."""

from collections.abc import Mapping
from math import inf
from typing import Any

from crewd.config.key import Alias
from crewd.config.kinds import AbsolutePath, Flag, Whole
from crewd.model.spec import START_LIMIT_BURST_MOST, RestartMode


def _restart_mode(value: bool) -> Mapping[str, Any]:
    return {"restart": RestartMode.ALWAYS if value else RestartMode.NO}


def _attempts(value: int) -> Mapping[str, Any]:
    return {"start_limit_burst": value + 1, "start_limit_interval_sec": inf}


ALIASES = (
    Alias("auto_start", Flag(), ("autostart",), lambda value: {"autostart": value}, "`autostart`.", "true"),
    Alias(
        "auto_restart",
        Flag(),
        ("restart",),
        _restart_mode,
        "`restart: always` where true, `restart: no` where false.",
        "true",
    ),
    Alias(
        "max_restart_attempts",
        Whole(0, START_LIMIT_BURST_MOST - 1),
        ("start_limit_burst", "start_limit_interval_sec"),
        _attempts,
        "`start_limit_burst`, one more than this number, with `start_limit_interval_sec: infinity`.",
        "3",
    ),
    Alias(
        "restart_delay_ms",
        Whole(0, 1_000_000_000),
        ("restart_sec",),
        lambda value: {"restart_sec": value / 1000},
        "`restart_sec`, in milliseconds.",
        "5000",
    ),
    Alias("cwd", AbsolutePath(), ("directory",), lambda value: {"directory": value}, "`directory`.", "/srv"),
)
