"""In whose hands a file is: who else could change what root reads or runs."""

import os
import stat
from pathlib import Path

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_LINKS_MOST = 40


def changeable(path: str, trusted: frozenset[int]) -> str:
    """Return the first name on the way to a file, itself included, that others than these users can change.

    "": none. Links are followed as the kernel does. Raises OSError.
    """
    left, at, links = list(reversed(Path(path).parts[1:])), Path("/"), 0
    while left:
        part = left.pop()
        if part == "..":
            at = at.parent
            continue
        name = at / part
        found = name.lstat()
        if not _keeps(at.lstat(), found, trusted):
            return str(name)
        if not stat.S_ISLNK(found.st_mode):
            at = name
            continue
        links += 1
        target = name.readlink() if links <= _LINKS_MOST else Path("/")
        at = Path("/") if target.is_absolute() else at
        left.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))
    return "" if _is_held(at.lstat(), trusted) else str(at)


def _keeps(folder: os.stat_result, name: os.stat_result, trusted: frozenset[int]) -> bool:
    """Return whether nobody else can put something else in the place of a name; in a sticky folder, its owner can."""
    sticky = bool(folder.st_mode & stat.S_ISVTX) and folder.st_uid in trusted and name.st_uid in trusted
    return sticky or _is_held(folder, trusted)


def _is_held(found: os.stat_result, trusted: frozenset[int]) -> bool:
    return found.st_uid in trusted and not found.st_mode & _OTHERS_MAY_WRITE
