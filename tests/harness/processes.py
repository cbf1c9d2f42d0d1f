"""What /proc says of processes. Imports nothing of ours: the subreaper runs as a bare script."""

import os
from typing import NamedTuple


class Member(NamedTuple):
    """A process."""

    pid: int
    parent: int
    group: int
    state: str
    command: str


def member(pid: int) -> Member | None:
    """Return what /proc says of a process, None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            stat = file.read()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read()
    except OSError:
        return None
    rest = stat[stat.rindex(")") + 2 :].split()
    return Member(
        pid, int(rest[1]), int(rest[2]), rest[0], command.replace(b"\0", b" ").decode(errors="replace").strip()
    )


def alive(pid: int) -> bool:
    """Return whether the process exists and is no zombie."""
    found = member(pid)
    return found is not None and found.state not in "ZX"


def below(root: int) -> list[Member]:
    """Return all descendants, zombies included."""
    children: dict[int, list[Member]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := member(int(name))):
            children.setdefault(found.parent, []).append(found)
    descendants: list[Member] = []
    queue = [root]
    while queue:
        for child in children.get(queue.pop(), []):
            descendants.append(child)
            queue.append(child.pid)
    return descendants


def environment_of(pid: int) -> dict[str, str]:
    """Return the variables a process was started with; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            raw = file.read()
    except OSError:
        return {}
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if item)
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs}
