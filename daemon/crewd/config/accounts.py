"""Who a worker may run as: the machine's users and groups."""

import grp
import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _user(text: str) -> str:
    return (pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)).pw_name


def _group(text: str) -> str:
    return (grp.getgrgid(int(text)) if text.isdecimal() else grp.getgrnam(text)).gr_name


@dataclass(frozen=True, slots=True)
class Database:
    """Users or groups."""

    what: str
    _look_up: Callable[[str], str]

    def find(self, text: str) -> str | None:
        """Return the name of what has this name or number; None where there is none."""
        try:
            return self._look_up(text)
        except (KeyError, ValueError, OverflowError):
            return None


USERS = Database("user", _user)
GROUPS = Database("group", _group)


@dataclass(frozen=True, slots=True)
class Self:
    """Who supervisord runs as: whoever puts the configuration in force."""

    uid: int
    gid: int

    @classmethod
    def now(cls) -> "Self":
        """Return the process's own ids."""
        return cls(os.geteuid(), os.getegid())

    @classmethod
    def owning(cls, directory: str) -> "Self":
        """Return whose supervisord it is that keeps its state there; where nothing is there, it will be our own."""
        try:
            found = Path(directory).stat()
        except OSError:
            return cls.now()
        return cls(found.st_uid, os.getegid() if found.st_uid == os.geteuid() else found.st_gid)

    def may_be_user(self, name: str) -> bool:
        """Return whether a worker can be started as this user: root may be anybody, others only themselves."""
        return self.uid == 0 or pwd.getpwnam(name).pw_uid == self.uid

    def may_be_group(self, name: str) -> bool:
        """Return whether a worker can be started in this group."""
        return self.uid == 0 or grp.getgrnam(name).gr_gid == self.gid
