"""What rendering has to know of this machine: users, groups, the content of environment files, the host's name.

``gather`` looks it all up, so that ``render`` is a function of its arguments. Rules:

1. All mistakes of all workers are reported at once; no message shows the content of a file.
2. Root's supervisord starts a worker as any user but the daemon's own: who can be the daemon controls all workers.
3. Any other supervisord starts workers as itself alone.
4. The environment file of a worker that was made over the API lies below a root, and is opened without following a link
   below it: what is read is what lies there, whoever swaps what meanwhile.
"""

import grp
import os
import platform
import pwd
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crewd.errors import ConfigError, Problem
from crewd.model.home import Home
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.supervisord.environment import parse

SETPRIV = "/usr/bin/setpriv"
ENVIRONMENT_FILE_MOST = 1024 * 1024
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Account:
    """A line of the password database."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a worker runs as. ``uid`` and ``gid`` are None where they are supervisord's own."""

    uid: int | None = None
    gid: int | None = None
    account: Account | None = None
    """Of ``user:``; its HOME, USER, LOGNAME and SHELL are set."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """This machine, as far as rendering needs it; the mappings are by worker."""

    hostname: str = "localhost"
    root: bool = False
    """Whether supervisord runs as root."""
    identities: Mapping[str, Identity] = field(default_factory=dict[str, Identity])
    environment_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])

    def joined(self, other: "Surroundings") -> "Surroundings":
        """Return these, and what the other has of other workers."""
        return replace(
            self,
            identities={**self.identities, **other.identities},
            environment_files={**self.environment_files, **other.environment_files},
        )


class _UnfitError(ValueError):
    """The value does not fit this machine."""


Where = Callable[[str, str], Problem]
"""Takes a worker and one of its keys to a problem at that place, still without a message."""


def gather(spec: CrewSpec, home: Home, where: Where, roots: Sequence[str] | None = None) -> Surroundings:
    """Return what the workers need; raises ConfigError.

    ``roots``: below these alone an environment file may lie, as for workers made over the API; None: anywhere.
    """
    problems: list[Problem] = []
    lookup = _Lookup(home)
    identities: dict[str, Identity] = {}
    files: dict[str, Mapping[str, str]] = {}
    for worker in spec.workers.values():
        try:
            identities[worker.worker_id] = lookup.identity(worker)
        except _UnfitError as why:
            key = "user" if worker.user is not None else "group"
            problems.append(replace(where(worker.worker_id, key), message=str(why)))
        try:
            files[worker.worker_id] = _environment_file(worker, where(worker.worker_id, "environment_file"), roots)
        except ConfigError as mistakes:
            problems.extend(mistakes.problems)
    if problems:
        raise ConfigError(problems)
    return Surroundings(platform.node(), lookup.root, identities, files)


class _Lookup:
    """Looks users and groups up, each once."""

    def __init__(self, home: Home) -> None:
        self._uid = os.geteuid()
        self.root = self._uid == 0
        self._daemon = _owner(home.lib)
        self._accounts: dict[str, Account] = {}
        self._groups: dict[str, int] = {}

    def identity(self, worker: WorkerSpec) -> Identity:
        account = None if worker.user is None else self._account(worker.user)
        gid = None if worker.group is None else self._group(worker.group)
        if not self.root:
            return self._own(account, gid)
        if account is None and gid is None:
            return Identity()
        if account is not None and account.uid == self._daemon != 0:
            raise _UnfitError(f"cannot run as {account.name}: that is the daemon's own user")
        if not os.access(SETPRIV, os.X_OK):
            raise _UnfitError(f"cannot run as another user: {SETPRIV} is missing (install util-linux)")
        if account is None:
            return Identity(gid=gid)
        return Identity(account.uid, account.gid if gid is None else gid, account)

    def _own(self, account: Account | None, gid: int | None) -> Identity:
        if account is not None and account.uid != self._uid:
            raise _UnfitError(f"cannot run as {account.name}: only root's supervisord can run workers as another user")
        if gid is not None and gid != os.getegid():
            raise _UnfitError("cannot run in another group: only root's supervisord can")
        return Identity(account=account)

    def _account(self, user: str) -> Account:
        if user not in self._accounts:
            try:
                entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
            except (KeyError, ValueError, OverflowError):
                raise _UnfitError("no such user") from None
            self._accounts[user] = Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell)
        return self._accounts[user]

    def _group(self, group: str) -> int:
        if group not in self._groups:
            try:
                entry = grp.getgrgid(int(group)) if group.isdecimal() else grp.getgrnam(group)
            except (KeyError, ValueError, OverflowError):
                raise _UnfitError("no such group") from None
            self._groups[group] = entry.gr_gid
        return self._groups[group]


def _owner(path: str) -> int:
    try:
        return Path(path).stat().st_uid
    except OSError:
        return 0


def _environment_file(worker: WorkerSpec, problem: Problem, roots: Sequence[str] | None) -> Mapping[str, str]:
    if worker.environment_file is None:
        return {}
    optional = worker.environment_file.startswith("-")
    file = worker.environment_file.removeprefix("-")
    try:
        return parse(_read(file, roots), file, problem.path)
    except FileNotFoundError as cause:
        if optional:
            return {}
        message = f"cannot read {file}: {cause.strerror}; write -{file} if it may be missing"
        raise ConfigError([replace(problem, message=message)]) from None
    except UnicodeDecodeError:
        raise ConfigError([replace(problem, message=f"cannot read {file}: must be UTF-8")]) from None
    except (OSError, _UnfitError) as cause:
        why = cause.strerror if isinstance(cause, OSError) else cause
        raise ConfigError([replace(problem, message=f"cannot read {file}: {why}")]) from None


def _read(file: str, roots: Sequence[str] | None) -> str:
    """Return the text of a regular file; a pipe or a device would make us wait, or never end."""
    if not file.startswith("/"):
        raise _UnfitError("the path must be absolute")
    descriptor = os.open(file, _READING) if roots is None else _opened_below(roots, file)
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _UnfitError("not a regular file")
        if roots is not None and found.st_nlink > 1:
            raise _UnfitError("it has another name elsewhere (a hard link)")
        content = opened.read(ENVIRONMENT_FILE_MOST + 1)
    if len(content) > ENVIRONMENT_FILE_MOST:
        raise _UnfitError(f"larger than {ENVIRONMENT_FILE_MOST} bytes")
    return content.decode("utf-8-sig")


def _opened_below(roots: Sequence[str], file: str) -> int:
    """Open a file below one of the roots, following no link on the way from there."""
    for root in roots:
        below = os.path.relpath(file, root)
        if below != "." and not below.startswith(".."):
            return _walked(os.path.realpath(root), Path(below).parts)
    raise _UnfitError("it lies below no root")


def _walked(root: str, names: Sequence[str]) -> int:
    folder = os.open(root, _READING | os.O_DIRECTORY)
    try:
        for name in names[:-1]:
            below = os.open(name, _READING | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.open(names[-1], _READING | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)
