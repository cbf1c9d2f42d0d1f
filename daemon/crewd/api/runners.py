"""Which workers a user runs: those it may report for.

By what the configuration in force says (``user``), and by whom the processes belong to that run now: a worker may have
become somebody else by itself.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from crewd.api.rules import Rulebook
from crewd.policy.accounting import worker_of

FRESH_SEC = 5.0
AGAIN_SEC = 0.5
"""So soon the processes are looked at again for somebody who runs none."""
_START_TICKS = 19
"""Its place in proc(5)'s stat, behind the name."""

Running = Callable[[], Mapping[str, tuple[int, int]]]
"""Pid and start time of each instance that runs."""


class Runners:
    """Who runs what. ``now`` is a monotonic clock."""

    def __init__(self, rulebook: Rulebook, running: Running, now: Callable[[], float]) -> None:
        self._rulebook = rulebook
        self._running = running
        self._now = now
        self._owners: Mapping[int, frozenset[str]] = {}
        self._at: float | None = None
        self._looking: Awaitable[None] | None = None

    async def runs(self, uid: int) -> frozenset[str]:
        """Return the ids of the workers that this user runs."""
        configured = (await self._rulebook.now()).users.get(uid, frozenset[str]())
        if self._age() > (FRESH_SEC if configured or uid in self._owners else AGAIN_SEC):
            await self._look()
        return configured | self._owners.get(uid, frozenset[str]())

    def _age(self) -> float:
        return float("inf") if self._at is None else self._now() - self._at

    async def _look(self) -> None:
        """Look at all processes; one look at a time, for all who wait."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look_once())
        await asyncio.shield(self._looking)

    async def _look_once(self) -> None:
        try:
            self._owners = await asyncio.to_thread(owners, dict(self._running()))
            self._at = self._now()
        finally:
            self._looking = None


def owners(running: Mapping[str, tuple[int, int]]) -> dict[int, frozenset[str]]:
    """Return the workers that each user runs, by uid; blocking."""
    found: dict[int, set[str]] = {}
    for instance, (pid, start_ticks) in running.items():
        uid = _owner(pid, start_ticks)
        if uid is not None:
            found.setdefault(uid, set()).add(worker_of(instance))
    return {uid: frozenset(ids) for uid, ids in found.items()}


def _owner(pid: int, start_ticks: int) -> int | None:
    """Return whom the process belongs to; None where it is no more, or another by the same number."""
    try:
        uid = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - thousands of them
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    return uid if int(fields[_START_TICKS]) == start_ticks else None
