"""Processes that an earlier supervisord left running: found for certain, and killed at once.

Rules:

1. A process is a leftover if its pid and start time are those of a recorded run, or if its environment holds the token
   of a run that was not seen to end (a kill between fork and record leaves an intent without a pid), or one that never
   reached the disk: of the last generation behind its last line, or of a later generation, which wrote nothing at all
   (a full or read-only disk, a journal that somebody emptied). Nothing of the generation that begins runs yet.
2. Members of the leftover's process group go with it, unless the kill mode is ``process``.
3. Signals go through a pidfd that was opened before the identity was checked: a reused pid is never hit. It is closed
   at once: however many there are, descriptors do not run out. Later a leftover is known by pid and start time.
4. It is looked again until nothing new is found: what is killed may have forked behind the look.
5. Generations of two crews may have the same number. One that the journal does not know is ours only with our server's
   URL, in our pid namespace: a container's crew may well have the same path for its socket.
"""

import os
import select
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from crewd_supervisord import proc
from crewd_supervisord.recall import GENERATION_DIGITS, Recalled

LOOKS_MOST = 10


@dataclass(frozen=True, slots=True)
class Leftover:
    """A process that was killed; or that could not be, and ``error`` says why. Known by pid and start time."""

    instance: str
    token: str
    pid: int
    start_ticks: int
    error: str = ""


class _Open:
    """The runs that were not seen to end, of the crew whose supervisord has this URL."""

    def __init__(self, found: Recalled, url: str) -> None:
        records = {name: record for name, record in found.records.items() if record.token}
        self.tokens = {record.token: name for name, record in records.items()}
        self.mains: Mapping[int, tuple[str, str, int]] = {
            record.pid: (name, record.token, record.start_ticks) for name, record in records.items() if record.pid
        }
        self._named = {name for name, record in records.items() if record.pid}
        self._generation = found.previous
        self._sequence = found.sequence
        self._url = url

    def owner(self, pid: int) -> tuple[str, str] | None:
        """Return instance and token of the run that the process belongs to."""
        recorded = self.mains.get(pid)
        if recorded is not None and proc.start_ticks(pid) == recorded[2]:
            return recorded[:2]
        token = proc.spawn_token(pid)
        name = self.tokens.get(token)
        if name is None and token and self._unwritten(pid, token):
            name = proc.variable(pid, b"SUPERVISOR_PROCESS_NAME")
        return (name, token) if name else None

    def is_main(self, pid: int, name: str) -> bool:
        """Return whether this is the main process; where no pid was recorded, one that leads a group."""
        return pid in self.mains or (name not in self._named and proc.group_of(pid) == pid)

    def _unwritten(self, pid: int, token: str) -> bool:
        generation, _, number = token.rpartition(".")
        if not number.isdigit():
            return False
        if generation == self._generation:
            return int(number) > self._sequence
        return self._later(generation) and self._of_our_crew(pid)

    def _later(self, generation: str) -> bool:
        number = generation[:GENERATION_DIGITS]
        if not number.isdigit():
            return False
        # of the same number, too: one that could not even make its folder does not count in the next one's number
        return self._generation is None or number >= self._generation[:GENERATION_DIGITS]

    def _of_our_crew(self, pid: int) -> bool:
        ours = bool(self._url) and proc.variable(pid, b"SUPERVISOR_SERVER_URL") == self._url
        return ours and proc.pid_namespace(pid) == proc.pid_namespace(os.getpid())


def kill_leftovers(found: Recalled, url: str, process_only: frozenset[str]) -> list[Leftover]:
    """Kill what is left of the runs that ``found`` leaves open, and of those that it cannot know of.

    ``url`` is our supervisord's; of the instances in ``process_only`` the main process alone is killed. What could not
    be killed is in the answer, too.
    """
    runs = _Open(found, url)
    seen: dict[int, Leftover] = {}
    for _ in range(LOOKS_MOST):
        new = _look(runs, process_only, seen)
        seen.update(new)
        if all(leftover.error for leftover in new.values()):
            break
    return list(seen.values())


def is_gone(leftover: Leftover) -> bool:
    """Return whether the process has ended; not where that cannot be found out now."""
    try:
        pidfd = os.pidfd_open(leftover.pid)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    try:
        # 0 where it was reaped meanwhile, or nothing can be opened: the next look tells
        return _has_ended(pidfd) or proc.start_ticks(leftover.pid) not in (0, leftover.start_ticks)
    finally:
        os.close(pidfd)


def _has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _look(runs: _Open, process_only: frozenset[str], seen: Mapping[int, Leftover]) -> dict[int, Leftover]:
    new: dict[int, Leftover] = {}
    for pid in proc.pids():
        if pid == os.getpid() or _is_dealt_with(seen.get(pid)):
            continue
        leftover = _kill_if_leftover(pid, runs, process_only)
        if leftover is not None:
            new[pid] = leftover
    return new


def _is_dealt_with(leftover: Leftover | None) -> bool:
    """Return whether this is a process that was killed; one that could not be is tried again."""
    return leftover is not None and not leftover.error and proc.start_ticks(leftover.pid) == leftover.start_ticks


def _kill_if_leftover(pid: int, runs: _Open, process_only: frozenset[str]) -> Leftover | None:
    owner, ticks = runs.owner(pid), proc.start_ticks(pid)
    if owner is None or not _is_meant(pid, owner[0], runs, process_only):
        return None
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError as cause:
        return Leftover(*owner, pid, ticks, str(cause))
    try:
        owner, ticks = runs.owner(pid), proc.start_ticks(pid)
        if owner is None or not _is_meant(pid, owner[0], runs, process_only):
            return None
        return Leftover(*owner, pid, ticks, _kill(pid, pidfd, group=owner[0] not in process_only))
    finally:
        os.close(pidfd)


def _is_meant(pid: int, name: str, runs: _Open, process_only: frozenset[str]) -> bool:
    return name not in process_only or runs.is_main(pid, name)


def _kill(pid: int, pidfd: int, *, group: bool) -> str:
    """Kill the process, and its group where it leads one; return what went wrong."""
    try:
        if group and proc.group_of(pid) == pid:
            os.killpg(pid, signal.SIGKILL)  # its group keeps its number as long as the leader is not reaped
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by the signal to its group, or by itself this very moment
    except OSError as cause:
        return str(cause)
    return ""
