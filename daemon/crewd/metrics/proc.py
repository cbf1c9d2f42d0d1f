"""What /proc tells of every process there is, in one flat pass, and which of them belong to an instance.

Rules:

1. One read of ``/proc/PID/stat`` per process and pass: all that is said of a process is of one moment.
2. A process belongs to the instance that it descends from. One whose parent has died descends from nobody; it belongs
   to the instance whose process group or session it is still in, and its own children with it. One that left both, a
   daemon, belongs to nobody.
3. A process that is gone, or may not be looked at, is not there.

Why not by psutil: ``docs/explanation/decisions/0004-proc-by-hand.md``.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import psutil

TICKS_PER_SEC = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STAT_BYTES = 2048
"""More than a line of ``stat`` can have: 52 numbers and a name of 64 bytes."""


class Seen(NamedTuple):
    """One process. Of its children, ``cpu_ticks`` holds those that ended and were waited for."""

    pid: int
    parent: int
    group: int
    session: int
    cpu_ticks: int
    start_ticks: int
    rss_pages: int
    zombie: bool


def processes() -> Iterator[Seen]:
    """Yield all processes that there are."""
    for pid in psutil.pids():
        if (found := seen(pid)) is not None:
            yield found


def seen(pid: int) -> Seen | None:
    """Return one process, None where there is none."""
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        line = os.read(file, STAT_BYTES)
    except OSError:
        return None
    finally:
        os.close(file)
    return _read(pid, line)


def _read(pid: int, line: bytes) -> Seen:
    """Proc(5): the fields from the third on stand behind the last parenthesis, for a name may hold any character."""
    fields = line[line.rindex(b")") + 2 :].split(b" ", 22)
    return Seen(
        pid,
        int(fields[1]),
        int(fields[2]),
        int(fields[3]),
        int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14]),
        int(fields[19]),
        int(fields[21]),
        fields[0] == b"Z",
    )


def trees_of(roots: Mapping[str, tuple[int, int]], all_seen: Iterable[Seen]) -> dict[str, list[Seen]]:
    """Return the processes of each instance, its own first; those whose pid names another process by now are left out.

    ``roots``: pid and start time in ticks, by instance.
    """
    by_pid = {process.pid: process for process in all_seen}
    children: dict[int, list[Seen]] = {}
    for process in by_pid.values():
        children.setdefault(process.parent, []).append(process)
    owners = {
        pid: instance
        for instance, (pid, start_ticks) in roots.items()
        if pid in by_pid and by_pid[pid].start_ticks == start_ticks
    }
    found = {instance: list(_below(by_pid[pid], children)) for pid, instance in owners.items()}
    at_home = {process.pid for tree in found.values() for process in tree}
    for process in by_pid.values():
        owner = owners.get(process.group) or owners.get(process.session)
        if owner is not None and process.pid not in at_home:
            strays = [one for one in _below(process, children) if one.pid not in at_home]
            found[owner] += strays
            at_home.update(one.pid for one in strays)
    return found


def _below(root: Seen, children: Mapping[int, list[Seen]]) -> Iterator[Seen]:
    """Yield a process and all that descend from it."""
    left = [root]
    while left:
        process = left.pop()
        yield process
        left += children.get(process.pid, ())
