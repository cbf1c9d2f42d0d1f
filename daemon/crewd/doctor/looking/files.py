"""What lies where: owners and modes of everything that has a place, links not followed; and what is closed to whom."""

import errno
import os
import stat
import subprocess
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from crewd.config.loading import DROP_INS
from crewd.doctor.facts import Entry, Files, Kind, Unseen
from crewd.doctor.finding import Area
from crewd.model.home import Home

_KINDS = {stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFREG: Kind.FILE, stat.S_IFSOCK: Kind.SOCKET, stat.S_IFLNK: Kind.SYMLINK}


class Looked:
    """What was looked at by now."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.unseen: dict[str, Unseen] = {}

    def at(self, path: str, area: Area = Area.PERMISSIONS) -> Entry | None:
        """Look at one; return what is there, None where that is nothing, or may not be seen."""
        try:
            found = os.lstat(path)
            target = os.path.join(os.path.dirname(path), os.readlink(path)) if stat.S_ISLNK(found.st_mode) else ""  # noqa: PTH115, PTH118, PTH120 - plain strings throughout
        except PermissionError as cause:
            closed = _closed(path)
            self.unseen.setdefault(closed, Unseen(area, closed, f"what is below it: {cause.strerror}"))
            return None
        except OSError:
            return None
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), Kind.OTHER)
        entry = Entry(
            path,
            kind,
            found.st_uid,
            found.st_gid,
            stat.S_IMODE(found.st_mode),
            os.path.normpath(target) if target else "",
        )
        self.entries[path] = entry
        return entry


def look_at_files(
    home: Home, source: str, code: Iterable[str], secrets: Iterable[str], logs: Iterable[str]
) -> tuple[Files, Looked]:
    """Look at all of it. ``code``: directories of the engine's code; ``logs``: where workers' output goes."""
    looked = Looked()
    directories = (
        home.lib,
        home.engine,
        home.generations,
        home.journal,
        home.log,
        home.worker_logs,
        home.run,
        home.engine_run,
    )
    for path in (*directories, home.socket, home.engine_socket):
        looked.at(path)
    trusted = tuple(_trusted(home, looked, code))
    configuration = tuple(dict.fromkeys(_configuration(source)))
    parents = tuple(dict.fromkeys(str(one) for path in (home.etc, *directories) for one in Path(path).parents))
    logs = tuple(dict.fromkeys((home.worker_logs, *logs)))
    for path in (*trusted, *configuration, *parents, *secrets, *logs):
        looked.at(path)
    inside = {*directories, home.etc}
    files = Files(
        looked.entries, configuration, tuple(one for one in parents if one not in inside), trusted, tuple(secrets), logs
    )
    return files, looked


def unreadable(paths: Iterable[str], uid: int, gids: Collection[int]) -> Iterator[str]:
    """Yield those that are there and that such a process may not read, as far as root asks.

    It is the kernel that is asked: directories above them count, as do links and access lists.
    """
    if os.geteuid() != 0 or uid == 0:
        return
    for path in paths:
        if os.path.exists(path) and not _may_read(path, uid, gids):  # noqa: PTH110 - as above
            yield path


def _may_read(path: str, uid: int, gids: Collection[int]) -> bool:
    asked = subprocess.run(
        ["test", "-r", path], check=False, cwd="/", user=uid, group=min(gids, default=uid), extra_groups=list(gids)
    )
    return asked.returncode == 0


@contextmanager
def opened(path: str) -> Generator[BinaryIO]:
    """Open a file that may be another user's: no link, and nothing that would have one wait. Raises OSError."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is no file", path)
        yield file


def _trusted(home: Home, looked: Looked, code: Iterable[str]) -> Iterator[str]:
    current = looked.at(home.current)
    if current is not None and current.target:
        yield current.target
        yield f"{current.target}/supervisord.conf"
        yield f"{current.target}/policy.json"
    yield home.offers
    yield home.supervisorctl_conf
    yield f"{home.engine}/apply.lock"
    yield from code


def _configuration(source: str) -> Iterator[str]:
    """Yield the operator's files, and the directories that they are looked for in; a link's end, too."""
    folder = os.path.dirname(source)  # noqa: PTH120
    drop_ins = f"{folder}/{DROP_INS}"
    try:
        names = sorted(name for name in os.listdir(drop_ins) if name.endswith(".yaml"))  # noqa: PTH208
    except OSError:
        names = []
    for path in (folder, source, drop_ins, *(f"{drop_ins}/{name}" for name in names)):
        yield path
        yield os.path.realpath(path)


def _closed(path: str) -> str:
    """Return the directory on the way to a path that keeps whoever looks from going on."""
    for parent in reversed(Path(path).parents):
        if not os.access(parent, os.X_OK):
            return str(parent)
    return path
