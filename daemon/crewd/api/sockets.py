"""The sockets that are listened on, bound by ourselves: uvicorn would make a Unix socket that everybody may write to.

Rules:

1. A Unix socket appears whole: it is bound beside its place, given its mode, and moved there.
2. A socket that somebody listens on is never taken away from them; one that was left behind is.
3. Others may open the Unix socket only where the configuration gives somebody of them something to ask. Who is let in
   does not depend on that.
"""

import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from crewd.errors import TargetError
from crewd.model.home import SOCKET_PATH_MOST
from crewd.policy.provenance import is_loopback

BACKLOG = 128
SOCKET_MODE = 0o660
SOCKET_MODE_FOR_OTHERS = 0o666
FOLDER_MODE = 0o755
ASIDE = ".new"


@contextmanager
def unix_socket(path: str) -> Generator[socket.socket]:
    """Listen there for the time of the block; raises TargetError."""
    if len(os.fsencode(path + ASIDE)) > SOCKET_PATH_MOST:
        most = SOCKET_PATH_MOST - len(ASIDE)
        raise TargetError(f"cannot listen on {path}: the path of a socket has at most {most} bytes here")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            identity = _put_in_place(listening, path)
            try:
                yield listening
            finally:
                _take_away(path, identity)
    except OSError as cause:
        raise TargetError(f"cannot listen on {path}: {cause.strerror or cause}") from None


def _put_in_place(listening: socket.socket, path: str) -> tuple[int, int]:
    """Bind and listen; return the identity of the file."""
    place, aside = Path(path), Path(path + ASIDE)
    place.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    _check_place(place)
    aside.unlink(missing_ok=True)
    listening.bind(str(aside))
    aside.chmod(SOCKET_MODE)
    listening.listen(BACKLOG)
    listening.setblocking(False)
    aside.rename(place)
    found = place.lstat()
    return found.st_dev, found.st_ino


def _check_place(place: Path) -> None:
    """Raise TargetError where something is there that is not ours to replace."""
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise TargetError(f"cannot listen on {place}: it is there, and is no socket")
    if _answers(place):
        raise TargetError(f"cannot listen on {place}: another crewd listens there")


def _answers(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(str(place))
        except (ConnectionRefusedError, FileNotFoundError):
            return False  # whoever listened is dead
        except BlockingIOError:
            return True  # somebody who is busy
        return True


def _take_away(path: str, identity: tuple[int, int]) -> None:
    """Remove the file, if it is still ours."""
    try:
        found = Path(path).lstat()
        if (found.st_dev, found.st_ino) == identity:
            Path(path).unlink()
    except OSError:
        pass


def open_for_others(path: str, *, others: bool) -> None:
    """Give a socket of ours the mode with which others may open it, or may not."""
    try:
        Path(path).chmod(SOCKET_MODE_FOR_OTHERS if others else SOCKET_MODE)
    except OSError as cause:
        raise TargetError(f"cannot change the mode of {path}: {cause.strerror}") from None


def tcp_host(listen: str) -> str:
    """Return the host of ``host:port``, as it stands there."""
    return listen.rpartition(":")[0]


def within_machine(listen: str) -> bool:
    """Return whether ``host:port`` can be reached from this machine alone."""
    host = tcp_host(listen)
    return host == "localhost" or is_loopback(host.strip("[]"))


@contextmanager
def tcp_socket(listen: str) -> Generator[socket.socket]:
    """Listen on ``host:port`` for the time of the block; raises TargetError."""
    family, address = _address(listen)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
            listening.setblocking(False)
            yield listening
    except OSError as cause:
        why = "something else listens there" if cause.errno == errno.EADDRINUSE else cause.strerror or cause
        raise TargetError(f"cannot listen on {listen}: {why}", retryable=True) from None


def _address(listen: str) -> tuple[socket.AddressFamily, tuple[str, int]]:
    host, _, port = listen.rpartition(":")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
        number = int(port)
    except ValueError:
        raise TargetError(f"cannot listen on {listen!r}: write 127.0.0.1:3000 or [::1]:3000") from None
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET  # noqa: PLR2004 - IP's
    return family, (str(address), number)
