"""A secret in a file of its own: read by the daemon, looked at by whoever checks the configuration.

Rules:

1. A file that others may read, or that somebody else owns, holds no secret. Root's may be read by the group that crewd
   runs as, where crewd is not root: how else could it. Root, who puts the configuration in force for it, knows that
   group by the configuration itself, which is lent to it as well.
2. No message holds what stands in it.
"""

import os
import stat

from crewd.policy.signing import SECRET_LEAST

SECRET_MOST = 4096


def read_secret(path: str, config: str = "") -> bytes:
    """Return the secret, without white space at its ends; raises ValueError that says what is wrong.

    ``config``: the file that names it.

    FileNotFoundError and PermissionError, both of which a later moment may put right, stay what they are.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as cause:
        raise ValueError(f"it cannot be read: {cause.strerror}") from None
    try:
        uid = os.geteuid()
        if fault := fault_of(os.fstat(descriptor), uid, os.getegid() if uid else _group_of(config)):
            raise ValueError(fault)
        secret = os.read(descriptor, SECRET_MOST + 1).strip()
    finally:
        os.close(descriptor)
    if len(secret) > SECRET_MOST:
        raise ValueError(f"it has more than {SECRET_MOST} bytes")
    if len(secret) < SECRET_LEAST:
        raise ValueError(
            f"it has less than {SECRET_LEAST} bytes: write, for instance, what `openssl rand -hex 32` says"
        )
    return secret


def secret_of(path: str) -> bytes:
    """Return the secret; raises ValueError, also where there is no file, or it cannot be read."""
    try:
        return read_secret(path)
    except OSError as cause:
        raise ValueError(f"it cannot be read: {cause.strerror}") from None


def _group_of(config: str) -> int:
    """Return the group that root lets read the configuration; root's own where that is nobody else."""
    try:
        found = os.stat(config)  # noqa: PTH116 - plain strings throughout
    except OSError:
        return 0
    return found.st_gid if found.st_mode & stat.S_IRGRP and not found.st_mode & stat.S_IROTH else 0


def fault_of(found: os.stat_result, uid: int, gid: int) -> str | None:
    """Return why a file holds no secret for a crewd that runs as this user, and this group; None where it may."""
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid not in (0, uid):
        return "it belongs to somebody else: give it to root, or to the user that crewd runs as"
    lent = stat.S_IRGRP if gid != 0 and found.st_gid == gid else 0
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~lent:
        return "others may read it: chmod 0600"
    return None
