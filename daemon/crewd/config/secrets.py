"""A secret in a file of its own: read by the daemon, looked at by whoever checks the configuration.

Rules:

1. A file that others may read, or that somebody else owns, holds no secret.
2. No message holds what stands in it.
"""

import os
import stat

from crewd.policy.signing import SECRET_LEAST

SECRET_MOST = 4096


def read_secret(path: str) -> bytes:
    """Return the secret, without white space at its ends; raises ValueError that says what is wrong.

    FileNotFoundError and PermissionError, both of which a later moment may put right, stay what they are.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as cause:
        raise ValueError(f"it cannot be read: {cause.strerror}") from None
    try:
        if fault := _fault(os.fstat(descriptor)):
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


def _fault(found: os.stat_result) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid not in (0, os.geteuid()):
        return "it belongs to somebody else: give it to root, or to the user that crewd runs as"
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return "others may read it: chmod 0600"
    return None
