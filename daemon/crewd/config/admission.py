"""What a worker made over the API may do: the rules of ``crewd.api_workers``, which root's file alone sets.

Rules:

1. Judged is what would hold, whoever said it: a user that ``defaults`` name has to be admitted too. The directory and
   the log files of ``defaults`` are root's own words.
2. A path lies below a root with all symbolic links followed. Where supervisord is root there is no link on the way, and
   nobody else may be able to put one there later: every directory on it is root's, and nobody else may write to it.
3. A group is the user's own, or one that the user is a member of.
4. Messages name what is admitted; the places of the file are no secret to who may write configurations.
"""

import grp
import os
import pwd
import stat
from pathlib import Path

from crewd.config.accounts import Self
from crewd.config.tree import shown
from crewd.config.worker import Worker
from crewd.config.worker_kinds import INSTANCE_PLACEHOLDER
from crewd.model.spec import ApiWorkers

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_LOGS = ("stdout_logfile", "stderr_logfile")


class Admission:
    """The rules, for one reading of the file. ``reader``: who supervisord runs as."""

    def __init__(self, rules: ApiWorkers, reader: Self) -> None:
        self._rules = rules
        self._reader = reader
        self._root = reader.uid == 0
        self._roots = tuple(os.path.realpath(root) for root in rules.roots)

    def judge(self, worker: Worker) -> None:
        """Report what is not admitted."""
        self._judge_user(worker)
        self._judge_group(worker)
        directory = worker.spec.directory
        if directory is not None and self._own(worker, "directory"):
            self._judge_path(worker, "directory", directory, self._parents(directory))
        if worker.spec.environment_file is not None:
            file = worker.spec.environment_file.removeprefix("-")
            self._judge_path(worker, "environment_file", file, "")  # it is opened without following links
        for key, log in zip(_LOGS, (worker.spec.stdout, worker.spec.stderr), strict=True):
            if log.path not in {"auto", "none"} and self._own(worker, key):
                unsafe = self._folder(log.path)
                if self._judge_path(worker, key, log.path, unsafe):
                    self._judge_log(worker, key, log.path)

    def _own(self, worker: Worker, key: str) -> bool:
        """Return whether the document says it, and not ``defaults``."""
        return worker.where(key)[0] == worker.place

    def _judge_user(self, worker: Worker) -> None:
        admitted, user = self._admitted(), worker.spec.user
        if user is None:
            if self._root:
                worker.error("user", f"has nobody to run as: {self._who(admitted)}")
        elif user not in admitted:
            worker.error("user", f"{shown(user)} is not admitted: {self._who(admitted)}")

    def _admitted(self) -> tuple[str, ...]:
        own = () if self._root else (_name(self._reader.uid),)
        return tuple(dict.fromkeys((*self._rules.users, *own)))

    def _who(self, admitted: tuple[str, ...]) -> str:
        if not admitted:
            return "crewd.api_workers.users in the file is empty"
        return f"those that crewd.api_workers.users in the file admits are {', '.join(admitted)}"

    def _judge_group(self, worker: Worker) -> None:
        user, group = worker.spec.user, worker.spec.group
        if group is None or user is None or not self._root:
            return
        account = pwd.getpwnam(user)
        if _number(group) not in os.getgrouplist(user, account.pw_gid):
            worker.error("group", f"{shown(user)} is no member of {shown(group)}: name one of its own groups")

    def _judge_path(self, worker: Worker, key: str, path: str, unsafe: str) -> bool:
        real = os.path.realpath(path)
        if ".." in Path(path).parts:
            worker.error(key, "must not hold '..': write the path that is meant")
        elif not any(real == root or real.startswith(root.rstrip("/") + "/") for root in self._roots):
            roots = ", ".join(self._rules.roots) or "none"
            worker.error(key, f"does not lie below a root: crewd.api_workers.roots in the file are {roots}")
        elif self._root and real != os.path.normpath(path):
            worker.error(key, f"goes through a symbolic link: write {shown(real)}")
        elif self._root and unsafe:
            worker.error(key, f"cannot be trusted: {shown(unsafe)} could be replaced by others than root")
        else:
            return True
        return False

    def _judge_log(self, worker: Worker, key: str, path: str) -> None:
        """supervisord itself opens it, and follows what it finds."""
        for instance in worker.spec.instance_names:
            file = Path(path.replace(INSTANCE_PLACEHOLDER, instance))
            try:
                found = file.lstat()
            except OSError:
                continue
            if not stat.S_ISREG(found.st_mode):
                worker.error(key, f"{shown(str(file))} is no regular file")
                return

    def _folder(self, file: str) -> str:
        """Return what others could replace, or put links into, on the way to a file that is to be made."""
        folder = os.path.realpath(os.path.dirname(file))  # noqa: PTH120 - plain strings throughout
        return _replaceable(folder) or ("" if _only_root_writes(folder) else folder)

    def _parents(self, directory: str) -> str:
        """Return what others could replace on the way to a directory; it itself may be anybody's."""
        return _replaceable(os.path.realpath(directory))


def _replaceable(path: str) -> str:
    """Return the first name on the way, the last one included, that others than root could replace; "": none."""
    parent = Path("/")
    for part in Path(path).parts[1:]:
        name = parent / part
        if not _only_root_writes(str(parent)) and not (_sticky(parent) and _owner(name) == 0):
            return str(name)
        parent = name
    return ""


def _only_root_writes(folder: str) -> bool:
    try:
        found = Path(folder).lstat()
    except OSError:
        return False
    return found.st_uid == 0 and not found.st_mode & _OTHERS_MAY_WRITE


def _sticky(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return found.st_uid == 0 and bool(found.st_mode & stat.S_ISVTX)


def _owner(name: Path) -> int | None:
    try:
        return name.lstat().st_uid
    except OSError:
        return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _number(group: str) -> int:
    return grp.getgrnam(group).gr_gid
