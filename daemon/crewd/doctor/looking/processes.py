"""Processes: who listens, who holds a lock, and which belong to this crew."""

import os
import pwd
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from crewd.doctor.facts import Process, Reply, Socket

KNOCK_SEC = 5.0
TICKS_PER_SEC = os.sysconf("SC_CLK_TCK")
_SPAWN, _URL, _NAME = b"CREWD_SPAWN", b"SUPERVISOR_SERVER_URL", b"SUPERVISOR_PROCESS_NAME"


def knock(path: str) -> Socket:
    """Return who listens on a socket; a listener that the kernel names says nothing of whether it answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.settimeout(KNOCK_SEC)
        try:
            knocking.connect(path)
            credentials = knocking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except FileNotFoundError:
            return Socket(path, Reply.MISSING)
        except ConnectionRefusedError:
            return Socket(path, Reply.REFUSED)
        except PermissionError as cause:
            return Socket(path, Reply.DENIED, cause.strerror or "")
        except OSError as cause:
            return Socket(path, Reply.SILENT, cause.strerror or str(cause))
    pid, uid, _ = struct.unpack("3i", credentials)
    return Socket(path, Reply.ANSWERS, listener=Process(pid, uid, started_at(pid)))


def started_at(pid: int) -> float:
    """Return when a process started, in unix seconds; 0 where there is none."""
    fields = _stat(pid)
    if not fields:
        return 0.0
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)  # btime of /proc/stat is of whole seconds
    return boot + int(fields[19]) / TICKS_PER_SEC


def supervisords(configuration: str) -> tuple[Process, ...]:
    """Return the processes that were started with this configuration as ``-c``."""
    wanted = os.fsencode(configuration)
    found = [pid for pid in pids() if (b"-c", wanted) in pairwise(_words(pid))]
    return tuple(Process(pid, owner(pid), started_at(pid)) for pid in found)


def configuration_of(process: Process | None, looker: int) -> str:
    """Return the file that ``crewd run`` was told to read by ``-c`` or ``--config``; empty where there is none.

    Only root and whoever looks are believed: what another user runs says what that user would have root read.
    """
    if process is None or not {process.uid, owner(process.pid)} <= {0, looker}:
        return ""
    pid, words = process.pid, _words(process.pid)
    options = words[_after(words, b"run") :]
    told = _option(options, b"-c") or _option(options, b"--config")
    try:
        return os.path.join(os.readlink(f"/proc/{pid}/cwd"), os.fsdecode(told)) if told else ""  # noqa: PTH115, PTH118 - plain strings throughout
    except OSError:
        return os.fsdecode(told)


def strays(url: str, above: Iterable[int]) -> tuple[Process, ...]:
    """Return the processes of workers of the supervisord with this URL that do not descend from any of ``above``."""
    ours = {pid: name for pid in pids() if (name := _instance(pid, os.fsencode(url)))}
    known = set(above)
    return tuple(
        Process(pid, owner(pid), started_at(pid), name)
        for pid, name in ours.items()
        if not known.intersection(ancestors := set(_ancestors(pid))) and not ancestors.intersection(ours)
    )


def holder(path: str) -> int:
    """Return the process that holds a lock on a file for itself; 0 where nobody does. A link names no file of ours."""
    try:
        found = os.lstat(path)
    except OSError:
        return 0
    name = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}".encode()
    locks = (line.split() for line in _read("/proc/locks").splitlines() if b"->" not in line)
    return next((max(0, int(fields[4])) for fields in locks if fields[3] == b"WRITE" and fields[5] == name), 0)


def groups_of(process: Process | None, uid: int) -> frozenset[int]:
    """Return the groups that a process is in; those of the user where there is none."""
    for line in _read(f"/proc/{process.pid}/status").splitlines() if process else ():
        if line.startswith((b"Gid:", b"Groups:")) and (numbers := line.split()[1:]):
            own = frozenset(map(int, numbers))
            if line.startswith(b"Groups:"):
                return own | _user_groups(uid)
    return _user_groups(uid)


def owner(pid: int) -> int:
    """Return whose process it is; -1 where there is none."""
    try:
        return os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - as above
    except OSError:
        return -1


def pids() -> Iterator[int]:
    """Yield every process there is."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - as above


def _user_groups(uid: int) -> frozenset[int]:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return frozenset()
    return frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))


def _words(pid: int) -> list[bytes]:
    return _read(f"/proc/{pid}/cmdline").split(b"\0")


def _after(words: list[bytes], word: bytes) -> int:
    """Return the place behind a word; the end where it is not among them."""
    return words.index(word) + 1 if word in words else len(words)


def _option(words: list[bytes], name: bytes) -> bytes:
    place = _after(words, name)
    return words[place] if place < len(words) else b""


def _instance(pid: int, url: bytes) -> str:
    """Return the instance that a process is of; empty where it is none of that supervisord's."""
    each = (one.partition(b"=") for one in _read(f"/proc/{pid}/environ").split(b"\0"))
    variables = {name: value for name, _, value in each}
    if _SPAWN not in variables or variables.get(_URL) != url:
        return ""
    return os.fsdecode(variables.get(_NAME, b"?"))


def _ancestors(pid: int) -> Iterator[int]:
    while fields := _stat(pid):
        pid = int(fields[1])
        yield pid


def _stat(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the third on; none where there is no such process."""
    text = _read(f"/proc/{pid}/stat")
    return text[text.rfind(b")") + 2 :].split() if text else []


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
