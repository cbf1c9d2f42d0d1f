"""One daemon per state directory: a lock on a file that holds the holder's pid. The kernel lets go of it with us."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from crewd.errors import TargetError


@contextmanager
def locked(path: str) -> Generator[None]:
    """Hold the lock; raises TargetError that names the process that holds it already."""
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    except OSError as cause:
        raise TargetError(f"cannot lock {path}: {cause.strerror}") from None
    try:
        _take(lock, path)
        with suppress(OSError):  # a full disk: the pid is for a sentence alone
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def _take(lock: int, path: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        raise TargetError(f"cannot run: another crewd holds {path}: pid {holder}") from None
