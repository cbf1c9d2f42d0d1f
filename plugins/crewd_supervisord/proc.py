"""What /proc tells of a process. Every function answers for a process that is gone, too."""

import os
from collections.abc import Iterator


def command_name(pid: int) -> str:
    """Return the command name of a process, zombies included; empty where there is none."""
    return _read(f"/proc/{pid}/comm", 64).decode(errors="replace").rstrip("\n")


def start_ticks(pid: int) -> int:
    """Return when the process started, in clock ticks since boot (field 22 of its stat); 0 where there is none."""
    stat = _stat(pid)
    return int(stat[19]) if stat else 0


def group_of(pid: int) -> int:
    """Return the process group; 0 where there is no such process, or it is a zombie."""
    stat = _stat(pid)
    return int(stat[2]) if stat and stat[0] != b"Z" else 0


def spawn_token(pid: int) -> str:
    """Return the process's CREWD_SPAWN; empty where it has none or may not be read."""
    return variable(pid, b"CREWD_SPAWN")


def variable(pid: int, name: bytes) -> str:
    """Return a variable that the process was started with; empty where it has none or may not be read."""
    for one in _read(f"/proc/{pid}/environ", 1 << 20).split(b"\0"):
        if one.startswith(name + b"="):
            return one[len(name) + 1 :].decode(errors="replace")
    return ""


def pid_namespace(pid: int) -> int:
    """Return the number of the process's pid namespace; 0 where there is no such process, or it may not be asked."""
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return 0


def pids() -> Iterator[int]:
    """Yield every process there is."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdigit():
            yield int(name)


def _stat(pid: int) -> list[bytes] | None:
    """Return the fields of /proc/PID/stat from the third (state) on."""
    text = _read(f"/proc/{pid}/stat", 1024)
    end = text.rfind(b")")
    fields = text[end + 2 :].split()
    return fields if end > 0 and len(fields) > 19 else None  # noqa: PLR2004 - start time is the 20th


def _read(path: str, most: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, most)  # /proc answers a read that is large enough in one piece
    except OSError:
        return b""
    finally:
        os.close(fd)
