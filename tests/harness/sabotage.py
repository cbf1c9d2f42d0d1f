"""The plugin in ``plugins/saboteur.py``, which makes the engine fail: how a test loads it into a supervisord."""

from collections.abc import Mapping
from pathlib import Path

from harness.programs import Section

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
NO_LIMITS: Mapping[str, int] = {}


def saboteur(limits: Mapping[str, float] = NO_LIMITS) -> Section:
    """Return its section; ``limits`` are constants of the engine, ``journal:SEGMENT_BYTES`` to a smaller value."""
    options = {"supervisor.rpcinterface_factory": "saboteur:make"}
    if limits:
        options["limits"] = ", ".join(f"crewd_supervisord.{target}={value}" for target, value in limits.items())
    return Section("rpcinterface:saboteur", options)
