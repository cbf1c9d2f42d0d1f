"""Commands for workers: the program that misbehaves on request, and shell one-liners for those that must be quick."""

import sys
from pathlib import Path

WORKERS = Path(__file__).resolve().parents[1] / "workers"


def misbehave(*actions: str) -> tuple[str, ...]:
    """Return the argv of ``workers/misbehave.py`` doing these actions, one after the other."""
    return (sys.executable, "-I", "-S", str(WORKERS / "misbehave.py"), *actions)


def worker(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the argv of another program in ``workers/``."""
    return (sys.executable, "-I", "-S", str(WORKERS / name), *arguments)


def shell(script: str) -> tuple[str, ...]:
    """Return the argv of a script for /bin/sh, which is up in less than a millisecond."""
    return ("/bin/sh", "-c", script)


def stamp(path: str) -> str:
    """Return the piece of shell that appends ``start <token> <pid> <boottime>`` to a file."""
    return f'read -r up idle </proc/uptime; echo "start $CREWD_SPAWN $$ $up" >>{path}; '
