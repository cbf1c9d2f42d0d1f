"""Owners and modes: who could change what supervisord trusts, and who could read what is nobody's business. Pure.

Rules:

1. Who writes what supervisord reads decides what it runs, and as whom. So that, all directories above it and the code
   itself belong to root or to supervisord's own user, and nobody else may write there.
2. A directory that many write to is no danger above ours where it is sticky, as /tmp is.
3. Where supervisord is not root, the group of an operator's file may be whose it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from shlex import quote

from crewd.doctor.facts import Entry, Facts, Kind, Program
from crewd.doctor.finding import Area, Finding, problem, warning

_AREA = Area.PERMISSIONS
_ROOT = 0
_STICKY = 0o1000
GROUP_WRITES, OTHERS_WRITE = 0o020, 0o002
OTHERS = 0o007


@dataclass(frozen=True, slots=True)
class _Ours:
    """A directory of ours. ``mode``: to give it; ``hidden``: the bits by which it would show too much."""

    path: str
    owner: int
    mode: int
    hidden: int = OTHERS


def check_permissions(facts: Facts) -> Iterator[Finding]:
    """Look at everything that has a place."""
    yield from _link(facts)
    for ours in _directories(facts):
        yield from _directory(facts, ours)
    for path in facts.files.trusted:
        yield from _trusted(facts, path, GROUP_WRITES | OTHERS_WRITE)
    for path in facts.files.configuration:
        yield from _trusted(facts, path, _operators(facts))
    for path in facts.files.parents:
        yield from _parent(facts, path)
    for path in facts.files.secrets:
        yield from _secret(facts.files.entries, path)
    for path in facts.files.unreadable:
        yield _unreadable(facts, path)
    for program in facts.programs:
        yield from _program(program)


def _directories(facts: Facts) -> Iterable[_Ours]:
    home, engine, daemon = facts.home, facts.engine_uid, facts.daemon_uid
    anybody = 0
    yield _Ours(home.lib, daemon, 0o700, 0o077)
    yield _Ours(home.engine, engine, 0o750)
    yield _Ours(home.generations, engine, 0o700, 0o077)
    yield _Ours(home.journal, engine, 0o750, anybody)
    yield _Ours(home.log, engine, 0o750)
    yield _Ours(home.worker_logs, engine, 0o750, anybody)
    yield _Ours(home.engine_run, engine, 0o750, anybody)
    if home.run != home.engine_run:
        yield _Ours(home.run, daemon, 0o755, anybody)


def _directory(facts: Facts, ours: _Ours) -> Iterator[Finding]:
    entry = facts.files.entries.get(ours.path)
    if entry is None:
        return
    if entry.kind is not Kind.DIRECTORY:
        what = f"is a {entry.kind}, and has to be a directory"
        yield problem(
            _AREA,
            "kind",
            what,
            path=entry.path,
            remedy=f"move it away: it is made where it is missing ({ours.mode:04o})",
        )
        return
    chmod = f"chmod {ours.mode:04o} {entry.path}"
    if entry.uid != ours.owner:
        what = f"belongs to uid {entry.uid}, and has to belong to uid {ours.owner}"
        yield problem(_AREA, "owner", what, path=entry.path, remedy=f"chown {ours.owner} {entry.path}")
    if writers := _writers(entry, GROUP_WRITES | OTHERS_WRITE):
        yield problem(_AREA, "writable", f"{writers} may write to it{_mode(entry)}", path=entry.path, remedy=chmod)
    elif entry.mode & ours.hidden:
        yield warning(_AREA, "readable", f"others may look into it{_mode(entry)}", path=entry.path, remedy=chmod)


def _trusted(facts: Facts, path: str, forbidden: int) -> Iterator[Finding]:
    entry = facts.files.entries.get(path)
    if entry is None or entry.kind is Kind.SYMLINK:
        return
    if entry.uid not in (_ROOT, facts.engine_uid):
        what = f"belongs to uid {entry.uid}, who so decides what supervisord does as uid {facts.engine_uid}"
        yield problem(_AREA, "owner", what, path=path, remedy=f"chown {facts.engine_uid} {path}")
    if writers := _writers(entry, forbidden):
        what = f"{writers} may write to it{_mode(entry)}, and so decide what supervisord does as uid {facts.engine_uid}"
        yield problem(_AREA, "writable", what, path=path, remedy=f"chmod {_letters(forbidden)} {path}")


def _parent(facts: Facts, path: str) -> Iterator[Finding]:
    entry = facts.files.entries.get(path)
    if entry is None or entry.kind is Kind.SYMLINK:
        return
    if entry.uid not in (_ROOT, facts.engine_uid, facts.daemon_uid):
        what = f"belongs to uid {entry.uid}, who may put other directories in the place of crewd's"
        yield problem(_AREA, "parent", what, path=path, remedy=f"chown root {path}, or have crewd lie elsewhere")
    elif not entry.mode & _STICKY and (writers := _writers(entry, _operators(facts))):
        what = f"{writers} may write to it{_mode(entry)}, and put other directories in the place of crewd's"
        yield problem(_AREA, "parent", what, path=path, remedy=f"chmod {_letters(_operators(facts))} {path}")


def _link(facts: Facts) -> Iterator[Finding]:
    """What is in force is named by a symlink."""
    path, entries = facts.home.current, facts.files.entries
    entry = entries.get(path)
    if entry is None:
        if entries.get(facts.home.engine) is not None and not _hidden(facts, path):
            what = "there is no such link: nothing was ever applied, and supervisord has nothing to start from"
            yield problem(_AREA, "nothing-applied", what, path=path, remedy="crewd check, then crewd-apply")
    elif entry.kind is not Kind.SYMLINK:
        what = f"is a {entry.kind}, and has to be a link into {facts.home.generations}"
        yield problem(_AREA, "kind", what, path=path, remedy="move it away, then crewd-apply")
    elif str(PurePath(entry.target).parent) != facts.home.generations:
        what = f"leads to {entry.target}, which is not in {facts.home.generations}"
        yield problem(_AREA, "kind", what, path=path, remedy=f"rm {path}, then crewd-apply")
    elif entry.target not in entries and not _hidden(facts, entry.target):
        what = f"leads to {entry.target}, which is not there: supervisord has nothing to start from"
        yield problem(_AREA, "nothing-applied", what, path=path, remedy="crewd-apply")


def _secret(entries: Mapping[str, Entry], path: str) -> Iterator[Finding]:
    entry = entries.get(path)
    if entry is not None and entry.kind is Kind.FILE and entry.mode & OTHERS:
        what = f"everybody may read it{_mode(entry)}, and there are secrets in it"
        yield warning(_AREA, "readable", what, path=path, remedy=f"chmod o= {quote(path)}")


def _program(program: Program) -> Iterator[Finding]:
    if program.changeable:
        what = f"{program.runs} runs it, and others than root can change {program.changeable}"
        remedy = "install crewd where root alone may write, then crewd install-units from there"
        yield problem(_AREA, "program", what, path=program.path, remedy=remedy)


def _unreadable(facts: Facts, path: str) -> Finding:
    what = f"crewd, which is uid {facts.daemon_uid}, may not read it, and so goes without"
    group = min(facts.daemon_gids, default=facts.daemon_uid)
    remedy = f"chgrp {group} {path}; chmod g+r {path}; who may enter the directories above it says namei -l {path}"
    return problem(_AREA, "unreadable", what, path=path, remedy=remedy)


def _operators(facts: Facts) -> int:
    return OTHERS_WRITE | (GROUP_WRITES if facts.engine_uid == _ROOT else 0)


def _writers(entry: Entry, forbidden: int) -> str:
    """Return who may write there and should not; empty where that is nobody."""
    if entry.mode & forbidden & OTHERS_WRITE:
        return "everybody"
    return f"group {entry.gid}" if entry.mode & forbidden & GROUP_WRITES else ""


def _hidden(facts: Facts, path: str) -> bool:
    """Return whether whoever looks may not see what lies there."""
    return any(one.what == path or path.startswith(f"{one.what}/") for one in facts.unseen)


def _mode(entry: Entry) -> str:
    return f" (mode {entry.mode:04o})"


def _letters(forbidden: int) -> str:
    return "go-w" if forbidden & GROUP_WRITES else "o-w"
