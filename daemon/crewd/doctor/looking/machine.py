"""What the machine allows, and its clock."""

import ctypes
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from crewd.doctor.facts import Clock, Disk, Limits, Room
from crewd.doctor.looking.files import opened
from crewd.doctor.looking.processes import owner, pids
from crewd.errors import CrewdError
from crewd.model.home import Home
from crewd.model.journal_line import JournalLineError, decode
from crewd.supervisord.journal import Segment, segments

BOOT_ID = "/proc/sys/kernel/random/boot_id"
CGROUPS = "/sys/fs/cgroup"
_TAIL_BYTES = 256 * 1024
_HEAD_BYTES = 4096
_TIMEX_BYTES, _TIMEX_STATUS, _UNSYNCHRONISED = 208, 40, 0x40


def look_at_limits(home: Home, supervisord: int, daemon_uid: int) -> Limits:
    """Return the limits. ``supervisord``: its pid; 0: there is none."""
    return Limits(
        _open_files(supervisord) if supervisord else None,
        tuple(_processes(supervisord)),
        tuple(_inotify(daemon_uid)),
        tuple(_disks(home)),
    )


def _open_files(pid: int) -> int | None:
    found = re.search(r"^Max open files +\S+ +(\d+)", _text(f"/proc/{pid}/limits"), re.MULTILINE)
    return int(found[1]) if found else None


def _processes(pid: int) -> Iterator[Room]:
    threads = _text("/proc/loadavg").split()
    used = int(threads[3].partition("/")[2]) if len(threads) > 3 else 0  # noqa: PLR2004 - running/all
    for name in ("threads-max", "pid_max"):
        where = f"/proc/sys/kernel/{name}"
        if most := _number(where):
            yield Room("threads of the whole machine", used, most, where)
    for folder in _cgroups(pid) if pid else ():
        most, now = _number(f"{folder}/pids.max"), _number(f"{folder}/pids.current")
        if most is not None and now is not None:
            yield Room("threads of supervisord's cgroup", now, most, f"{folder}/pids.max")


def _cgroups(pid: int) -> Iterator[str]:
    """Yield the directories of the cgroups that a process is in, and of those above."""
    for line in _text(f"/proc/{pid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "pids"):
            continue
        mounts = (f"{CGROUPS}/pids",) if controllers else (CGROUPS, f"{CGROUPS}/unified")
        for mount in mounts:
            folder = Path(f"{mount}{path}")
            yield from (str(one) for one in (folder, *folder.parents) if one.is_relative_to(mount) and one.is_dir())


def _inotify(uid: int) -> Iterator[Room]:
    where = "/proc/sys/fs/inotify/max_user_instances"
    if most := _number(where):
        used = sum(_instances(pid) for pid in pids() if owner(pid) == uid)
        yield Room(f"inotify instances of uid {uid}", used, most, where)


def _instances(pid: int) -> int:
    folder = f"/proc/{pid}/fd"
    try:
        return sum(_leads_to_inotify(f"{folder}/{name}") for name in os.listdir(folder))  # noqa: PTH208 - plain strings throughout
    except OSError:
        return 0


def _leads_to_inotify(descriptor: str) -> bool:
    try:
        return os.readlink(descriptor) == "anon_inode:inotify"  # noqa: PTH115 - as above
    except OSError:
        return False


def _disks(home: Home) -> Iterator[Disk]:
    seen: set[int] = set()
    for path in (home.lib, home.engine, home.log, tempfile.gettempdir()):
        try:
            device, found = os.stat(path).st_dev, os.statvfs(path)  # noqa: PTH116 - as above
        except OSError:
            continue
        if device not in seen:
            seen.add(device)
            total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
            yield Disk(path, total, free, found.f_files, found.f_favail, bool(found.f_flag & os.ST_RDONLY))


def look_at_clock(home: Home) -> Clock:
    """Return the time now, and that of the journal's last line."""
    line_wall, line_boot = _last_line(home.journal)
    return Clock(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), line_wall, line_boot, _synchronised())


def _last_line(directory: str) -> tuple[float | None, float | None]:
    try:
        found = segments(directory)
        line = _tail(found[-1].path(directory)) if found else b""
        event = decode(line)
        same_boot = _text(BOOT_ID).strip() in _head(found[-1], directory)
    except (OSError, JournalLineError, CrewdError):
        return None, None
    return event.at, event.boottime if same_boot else None


def _tail(path: Path) -> bytes:
    """Return the last whole line; of one that is longer than what is read, nothing that can be understood."""
    with opened(str(path)) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        lines = file.read(_TAIL_BYTES).split(b"\n")
    return lines[-2] if len(lines) > 1 else b""


def _head(segment: Segment, directory: str) -> str:
    with opened(str(segment.path(directory))) as file:
        return file.read(_HEAD_BYTES).decode(errors="replace")


def _synchronised() -> bool | None:
    """Return whether something keeps the kernel's clock right, by adjtimex(2); None where it does not tell."""
    answer = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        if ctypes.CDLL(None).adjtimex(answer) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return not ctypes.c_int.from_buffer(answer, _TIMEX_STATUS).value & _UNSYNCHRONISED


def _number(path: str) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
