"""crewd-apply behind a socket, as systemd's Accept=yes has it: each connection is the standard input of one."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def serving(path: str, environ: Mapping[str, str]) -> Iterator[None]:
    """Listen there for the time of the block."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen()
        accepting = threading.Thread(target=_accept, args=(listener, dict(environ)), daemon=True)
        accepting.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(listener: socket.socket, environ: dict[str, str]) -> None:
    running: list[subprocess.Popen[bytes]] = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            break
        with connection:
            command = [sys.executable, "-P", "-m", "crewd.apply", "--serve"]
            running.append(subprocess.Popen(command, env=environ, stdin=connection, stdout=subprocess.DEVNULL))
    for one in running:
        one.wait(60)
