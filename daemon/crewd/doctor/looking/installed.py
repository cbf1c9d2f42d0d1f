"""What is installed where crewctl itself comes from."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import crewd
from crewd import __version__
from crewd.doctor.facts import Code, Installed
from crewd.store.versions import REVISIONS

PATIENCE_SEC = 30.0
_UNKNOWN = re.compile(r"^(\w+) +(\d+) unknown$", re.MULTILINE)
_REQUIRED = re.compile(r"^supervisor\b\s*\(?([^;)]*)")


def look_at_what_is_installed() -> Installed:
    """Return it. The engine's own modules tell of themselves, each in a process of its own."""
    return Installed(
        __version__,
        _code(_said("crewd_supervisord.fingerprint")),
        _version("supervisor"),
        _wanted(),
        {part: int(count) for part, count in _UNKNOWN.findall(_said("crewd_supervisord.guard"))},
        _changed_at(),
        REVISIONS,
    )


def _said(module: str) -> str:
    """Return what a module prints, run as supervisord would load it; empty where it cannot be run."""
    try:
        ran = subprocess.run(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SEC,
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout


def _code(text: str) -> Code | None:
    try:
        return Code(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _wanted() -> str:
    try:
        required = metadata.requires("crewd") or []
    except metadata.PackageNotFoundError:
        return ""
    return next((found[1].strip() for one in required if (found := _REQUIRED.match(one))), "")


def _changed_at() -> float:
    """By the time at which a file came to its place: a package keeps the times at which it was made."""
    files = Path(crewd.__file__).parent.rglob("*.py")
    return max((file.stat().st_ctime for file in files), default=0.0)
