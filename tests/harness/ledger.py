"""The journal as a ledger: every run of every instance, and what does not add up.

Rules that a journal keeps, whoever was killed when:

1. Sequence numbers are contiguous inside a generation, from 1.
2. A token is one run: one ``starting`` line, at most one ``spawned``, and one end: exited, spawn_failed or lost.
3. A run of an instance begins when the one before has ended.
4. Only ``lost`` is written in a later generation than the run's.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from crewd.model.facts import Exited, Gap, Lost, Removed, Spawned, SpawnFailed, Starting
from harness.journal import Entry

End = Exited | SpawnFailed | Lost


@dataclass(slots=True)
class Run:
    """One token."""

    instance: str
    starting: Entry
    spawned: list[Entry] = field(default_factory=list)
    ends: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Ledger:
    """All runs by token, and every rule that was broken, in words."""

    runs: dict[str, Run] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def open(self) -> dict[str, Run]:
        """The runs that have no end yet."""
        return {token: run for token, run in self.runs.items() if not run.ends}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a worker said itself."""

    word: str
    token: str
    pid: int
    boottime: float


def read_stamps(path: str) -> list[Stamp]:
    """Return the stamps of all workers, in the order in which they were written."""
    fields = (line.split() for line in Path(path).read_text().splitlines())
    return [Stamp(word, token, int(pid), float(at)) for word, token, pid, at in fields]


def read_ledger(entries: Iterable[Entry]) -> Ledger:
    """Return the ledger of a journal."""
    ledger = Ledger()
    last: dict[str, Run] = {}
    expected: dict[str, int] = {}
    for entry in entries:
        _contiguous(ledger, expected, entry)
        match entry.event.fact:
            case Starting() as fact:
                _starting(ledger, last, entry, fact)
            case Spawned() | Exited() | SpawnFailed() | Lost() as fact:
                _continued(ledger, entry, fact)
            case Removed() as fact:
                last.pop(fact.instance, None)
            case _:
                pass
    return ledger


def _contiguous(ledger: Ledger, expected: dict[str, int], entry: Entry) -> None:
    sequence, wanted = entry.event.sequence, expected.get(entry.generation, 1)
    if isinstance(entry.event.fact, Gap):
        wanted = entry.event.fact.last
    if sequence != wanted:
        ledger.problems.append(f"{entry.generation}: {sequence} where {wanted} was due")
    expected[entry.generation] = sequence + 1


def _starting(ledger: Ledger, last: dict[str, Run], entry: Entry, fact: Starting) -> None:
    if fact.token != f"{entry.generation}.{entry.event.sequence}" or fact.token in ledger.runs:
        ledger.problems.append(f"a token that is not its line's: {entry}")
    before = last.get(fact.instance)
    if before is not None and not before.ends:
        ledger.problems.append(f"{fact.instance} starts again before the end of {before.starting}: {entry}")
    last[fact.instance] = ledger.runs[fact.token] = Run(fact.instance, entry)


def _continued(ledger: Ledger, entry: Entry, fact: Spawned | End) -> None:
    run = ledger.runs.get(fact.token)
    if run is None or run.instance != fact.instance:
        ledger.problems.append(f"of a run that never began: {entry}")
        return
    if run.ends or (isinstance(fact, Spawned) and run.spawned):
        ledger.problems.append(f"once too often: {entry}")
    if isinstance(fact, Lost) == (entry.generation == run.starting.generation):
        ledger.problems.append(f"in the wrong generation: {entry}")
    (run.spawned if isinstance(fact, Spawned) else run.ends).append(entry)


def compare(ledger: Ledger, stamps: Iterable[Stamp]) -> list[str]:
    """Return where the journal and the workers' own stamps disagree."""
    problems: list[str] = []
    seen: set[str] = set()
    for stamp in stamps:
        run = ledger.runs.get(stamp.token)
        if run is None:
            problems.append(f"not in the journal: {stamp}")
        elif stamp.word == "doubled":
            problems.append(f"started while an older process of {run.instance} was alive: {stamp}")
        elif stamp.word == "start":
            problems.extend(_disagree(run, stamp, twice=stamp.token in seen))
            seen.add(stamp.token)
    return problems


def _disagree(run: Run, stamp: Stamp, *, twice: bool) -> Iterable[str]:
    if twice:
        yield f"two processes of one token: {stamp}"
    pids = {entry.event.fact.pid for entry in (*run.spawned, *run.ends) if getattr(entry.event.fact, "pid", None)}
    if pids - {stamp.pid}:
        yield f"{run.instance} has another pid in the journal, {pids}: {stamp}"
    if stamp.boottime < run.starting.event.boottime - 1e-3:
        yield f"lived before it was started: {stamp}"
    if any(isinstance(end.event.fact, SpawnFailed) for end in run.ends):
        yield f"lived though its spawn failed: {stamp}"


def live_tokens(token_prefix: str = "") -> dict[int, str]:
    """Return the CREWD_SPAWN of every live process on the machine whose token begins like that, by pid."""
    found: dict[int, str] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            token = _token(int(name))
            if token and token.startswith(token_prefix):
                found[int(name)] = token
    return found


def _token(pid: int) -> str:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    found = [one for one in environment.split(b"\0") if one.startswith(b"CREWD_SPAWN=")]
    return found[0][12:].decode() if found else ""
