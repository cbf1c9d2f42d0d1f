"""The generations on the disk: written whole or not at all, and the one symlink that says which is in force.

Rules:

1. A generation lies in ``generations/<name>/`` and is written aside, forced to the disk and renamed; it never changes.
2. ``current`` is swapped by renaming a new symlink over it: at every moment it names a whole generation.
3. The folders are ours alone: one that somebody else owns, or that others may write to, or a symlink, is refused.
4. Whoever writes here holds the lock; two applies never mix.
"""

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from crewd.errors import TargetError
from crewd.model import table as policy_table
from crewd.model.generated import untouched
from crewd.model.home import Home
from crewd.model.table import Table, TableError

CONF = "supervisord.conf"
TABLE = "policy.json"
DROP_IN = "systemd.conf"
KEPT = 5
"""How many generations are kept, those in force before and now included."""

_CONFINED = "; under systemd it is made by: systemd-tmpfiles --create crewd.conf"
_SECRET = 0o600
_OTHERS_MAY_WRITE = 0o022


def prepare(home: Home) -> None:
    """Make the folders that a rendering needs, and see that nobody else may write to those that root trusts."""
    _folder(home.engine, 0o750)
    _folder(home.generations, 0o700)
    _folder(home.log, 0o750, trusted=False)
    _folder(home.worker_logs, 0o750, trusted=False)
    _folder(home.engine_run, 0o750, trusted=False)


@contextmanager
def locked(home: Home) -> Generator[None]:
    """Wait until nobody else applies, and keep others waiting."""
    descriptor = os.open(f"{home.engine}/apply.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _SECRET)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def current(home: Home) -> str | None:
    """Return the name of the generation in force; None before the first."""
    try:
        return Path(home.current).readlink().name
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise TargetError(f"cannot read {home.current}: {cause.strerror}") from None


def table_in_force(home: Home) -> Table:
    """Return the policy table in force; an empty one where there is none that this version can read."""
    try:
        return policy_table.decode(Path(home.table).read_bytes())
    except (OSError, TableError):
        return Table("")


def conf_in_force(home: Home) -> str | None:
    """Return the configuration in force; None where there is none."""
    try:
        return Path(home.supervisord_conf).read_text("utf-8", "surrogateescape")
    except OSError:
        return None


def drifted(conf: str) -> bool:
    """Return whether a configuration was edited by hand since it was generated."""
    return not untouched(Path(conf).read_text("utf-8", "surrogateescape"))


def drop_in(home: Home) -> str | None:
    """Return what systemd is told of the generation in force, empty for nothing; None where that is not known."""
    try:
        return Path(home.drop_in).read_text("utf-8")
    except OSError:
        return None


def write(home: Home, name: str, conf_text: str, table: Table, drop_in: str) -> None:
    """Put a generation on the disk; one of that name that was edited by hand is mended."""
    contents = {CONF: conf_text.encode(), TABLE: policy_table.encode(table).encode(), DROP_IN: drop_in.encode()}
    final = Path(home.generations, name)
    if final.is_dir():
        _mend(final, contents)
        return
    aside = Path(home.generations, f".{name}.{secrets.token_hex(4)}")
    aside.mkdir(0o700)
    for file, content in contents.items():
        _write_new(aside / file, content, _SECRET)
    _sync(aside)
    aside.rename(final)
    _sync(final.parent)


def switch(home: Home, name: str | None) -> None:
    """Put a generation in force; None: none, as before the first."""
    link = Path(home.current)
    if name is None:
        link.unlink(missing_ok=True)
    else:
        aside = link.with_name(f".current.{secrets.token_hex(4)}")
        aside.symlink_to(f"{Path(home.generations).name}/{name}")
        aside.rename(link)
    _sync(link.parent)


def kept_offers(home: Home) -> bytes | None:
    """Return the workers made over the API that were offered last; None where none ever were."""
    try:
        return Path(home.offers).read_bytes()
    except FileNotFoundError:
        return None


def keep_offers(home: Home, text: bytes) -> None:
    """Keep these for the next apply that is given none."""
    file = Path(home.offers)
    if _content(file) != text:
        aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        _write_new(aside, text, _SECRET)
        aside.rename(file)


def prune(home: Home, keep: frozenset[str]) -> None:
    """Remove what a killed apply left behind, and all generations but these and the newest."""
    for file in (home.current, home.offers, home.supervisorctl_conf):
        for left in Path(home.engine).glob(f".{Path(file).name}.*"):
            left.unlink()
    folders = sorted(Path(home.generations).iterdir(), key=_age)
    for left in [folder for folder in folders if folder.name.startswith(".")]:
        shutil.rmtree(left)
    whole = [folder for folder in folders if not folder.name.startswith(".") and folder.name not in keep]
    for old in whole[max(0, KEPT - len(keep)) :]:
        shutil.rmtree(old)


def write_readable(path: str, text: str) -> None:
    """Write a file that the folder's group may read, whole or not at all."""
    file = Path(path)
    if _content(file) == text.encode():
        return
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    _write_new(aside, text.encode(), 0o640, file.parent.stat().st_gid)
    aside.rename(file)


def _age(folder: Path) -> float:
    return -folder.stat().st_mtime


def _mend(folder: Path, contents: Mapping[str, bytes]) -> None:
    os.utime(folder)
    for file, content in contents.items():
        if _content(folder / file) != content:
            aside = folder / f".{file}.{secrets.token_hex(4)}"
            _write_new(aside, content, _SECRET)
            aside.rename(folder / file)
    _sync(folder)


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _write_new(file: Path, content: bytes, mode: int, gid: int = -1) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _SECRET)
    with os.fdopen(descriptor, "wb") as opened:
        if gid >= 0:
            os.fchown(descriptor, -1, gid)
        os.fchmod(descriptor, mode)
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    """Force a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _folder(path: str, mode: int, *, trusted: bool = True) -> None:
    """Make a folder where it is missing; see that one that was there is safe."""
    folder = Path(path)
    try:
        folder.parent.mkdir(0o755, parents=True, exist_ok=True)
        folder.mkdir(mode)
        folder.chmod(mode)
        return
    except FileExistsError:
        pass
    except OSError as cause:
        hint = _CONFINED if cause.errno == errno.EROFS else ""
        raise TargetError(f"cannot make {path}: {cause.strerror}{hint}") from None
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise TargetError(f"cannot use {path}: it is no directory")
    if trusted and (found.st_uid != os.geteuid() or found.st_mode & _OTHERS_MAY_WRITE):
        raise TargetError(f"cannot use {path}: it must belong to uid {os.geteuid()}, and nobody else may write to it")
    if found.st_mode & stat.S_IWOTH:
        raise TargetError(f"cannot use {path}: everybody may write to it")
