"""What /proc tells: process trees, processor time, memory, descriptors, and the wait for an end."""

import os
import select
import time
from collections.abc import Iterable
from contextlib import ExitStack

MIB = 1024.0


def descendants(root: int) -> set[int]:
    """Return ``root`` and all below it, by one pass over /proc."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            children.setdefault(_parent(int(name)), []).append(int(name))
    found: set[int] = set()
    left = [root]
    while left:
        pid = left.pop()
        found.add(pid)
        left += children.get(pid, ())
    return found


def cpu_ns(pids: Iterable[int]) -> int:
    """Return the time these processes spent on a processor, to the nanosecond (``stat`` counts in ticks of 10 ms)."""
    return sum(int(_read(f"/proc/{pid}/schedstat", "0").split()[0]) for pid in pids)


def threads_cpu_ns(pid: int) -> int:
    """Return the same of a process with threads: ``schedstat`` of a process is that of its first one."""
    return sum(int(_read(f"/proc/{pid}/task/{thread}/schedstat", "0").split()[0]) for thread in _threads(pid))


def children_cpu_sec(pid: int) -> float:
    """Return the processor time of this process's children that it has waited for, in ticks of 10 ms."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def pss_mib(pids: Iterable[int]) -> float:
    """Return the memory of these processes, pages shared with others counted by their share."""
    return sum(_kib(pid, "Pss") for pid in pids) / MIB


def private_bytes(pid: int) -> int:
    """Return the memory that no other process has a part in."""
    return 1024 * _kib(pid, "Private_Clean", "Private_Dirty", "SwapPss")


def descriptors(pids: Iterable[int]) -> int:
    """Return how many descriptors these processes hold open."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


class Endings:
    """Waits for the end of processes, each through a pidfd taken while it was known to live."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._stack = ExitStack()
        self._poll = select.epoll()
        self._stack.callback(self._poll.close)
        self._left = 0
        for pid in pids:
            self._watch(pid)

    def wait(self, timeout_sec: float) -> bool:
        """Wait until all have ended; return whether they did in time."""
        end = time.monotonic() + timeout_sec
        while self._left:
            ready = self._poll.poll(max(0.0, end - time.monotonic()))
            if not ready:
                return False
            for pidfd, _ in ready:
                self._poll.unregister(pidfd)
            self._left -= len(ready)
        return True

    def close(self) -> None:
        """Close the pidfds."""
        self._stack.close()

    def _watch(self, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        self._stack.callback(os.close, pidfd)
        self._poll.register(pidfd, select.EPOLLIN)
        self._left += 1


def _parent(pid: int) -> int:
    text = _read(f"/proc/{pid}/stat")
    return int(text.rpartition(")")[2].split()[1]) if text else 0


def _kib(pid: int, *names: str) -> int:
    members = (line.split() for line in _read(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
    return sum(int(number) for name, number, *_ in members if name.rstrip(":") in names)


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _read(path: str, missing: str = "") -> str:
    try:
        with open(path) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return missing
