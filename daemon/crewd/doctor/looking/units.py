"""systemd's units, where this installation is its."""

import re
import subprocess
from math import inf
from pathlib import Path

from crewd.doctor.facts import Unit
from crewd.model.home import Home

TARGET = "crewd.target"
"""What starts with the machine, and the others with it: no other unit can be enabled."""
UNITS = ("crewd.service", "crewd-supervisord.service", "crewd-apply.socket", TARGET)
_ASKED = "Id,LoadState,ActiveState,Result,UnitFileState,TimeoutStopUSec,NeedDaemonReload,ExecStart"
_PROGRAM = re.compile(r"\{ path=(\S+) ;")
PATIENCE_SEC = 10.0
_SECONDS = {
    "y": 31557600,
    "month": 2629800,
    "w": 604800,
    "d": 86400,
    "h": 3600,
    "min": 60,
    "s": 1,
    "ms": 1e-3,
    "us": 1e-6,
}


def look_at_units(home: Home) -> tuple[Unit, ...] | None:
    """Return the units; None where the home is not the system's, or the system not systemd's."""
    if home != Home() or not Path("/run/systemd/system").is_dir():
        return None
    command = ["systemctl", "show", "--property", _ASKED, *UNITS]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SEC)
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = (dict(line.split("=", 1) for line in one.splitlines() if "=" in line) for one in ran.stdout.split("\n\n"))
    return tuple(_unit(members) for members in told if members.get("Id"))


def _unit(members: dict[str, str]) -> Unit:
    return Unit(
        members["Id"],
        members.get("LoadState") == "loaded",
        members.get("ActiveState", ""),
        members.get("Result", ""),
        members.get("UnitFileState", ""),
        seconds(members.get("TimeoutStopUSec", "")),
        members.get("NeedDaemonReload") == "yes",
        found[1] if (found := _PROGRAM.match(members.get("ExecStart", ""))) else "",
    )


def seconds(text: str) -> float | None:
    """Return a length of time as systemctl writes it, ``1min 30s``; None where it is none."""
    if text == "infinity":
        return inf
    parts = re.findall(r"(\d+(?:\.\d+)?)(y|month|w|d|h|min|ms|us|s)(?![a-z])", text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else None
