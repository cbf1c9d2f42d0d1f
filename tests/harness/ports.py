"""Ports for programs that are told theirs: nobody else's, until this process ends.

The kernel gives those of its own range to whoever asks next: between here and the program that is to listen, that
may be somebody else. These lie below that range, and a lock on a file for each keeps other tests away, in whichever
process.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 20000, 32000
"""Below 32768, where Linux begins to give ports away."""
LOCKS = Path(tempfile.gettempdir(), f"crewd-test-ports-{os.getuid()}")
_held: list[int] = []


def free_port() -> int:
    """Return a port of this machine that nobody listens on, nor will but whoever is told it."""
    LOCKS.mkdir(mode=0o700, exist_ok=True)
    while True:
        port = random.SystemRandom().randrange(FIRST, LAST)
        lock = os.open(LOCKS / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            os.close(lock)
            continue
        _held.append(lock)
        return port
