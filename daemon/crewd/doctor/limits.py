"""What the machine allows, beside what the crew needs of it. Pure."""

from collections.abc import Iterator

from crewd.doctor.facts import Disk, Facts, Room
from crewd.doctor.finding import Area, Finding, problem, warning

_AREA = Area.LIMITS
FILES_EACH, FILES_BESIDE = 5, 200
"""Open files that supervisord needs for each instance, and besides: its minfds goes by it too."""
SPARE = 10
"""So many processes more than the instances that are still to be started."""
MIB = 1024 * 1024
LEAST_BYTES, FEW_BYTES = 16 * MIB, 512 * MIB
LEAST_INODES, FEW_INODES = 100, 10_000
FEW_SHARE = 0.05


def check_limits(facts: Facts) -> Iterator[Finding]:
    """Look at all of them."""
    wanted = instances_wanted(facts)
    yield from _open_files(facts, wanted)
    running = sum(1 for one in facts.instances if one.get("pid"))
    for room in facts.limits.processes:
        yield from _processes(room, max(0, wanted - running) + SPARE)
    for room in facts.limits.inotify:
        if room.used >= room.most:
            what = f"{room.used} of {room.most} {room.what} are in use: the journal cannot be followed"
            yield problem(
                _AREA,
                "inotify",
                what,
                path=room.where,
                remedy=f"echo {2 * room.most} >{room.where}; keep it in /etc/sysctl.d",
            )
    for disk in facts.limits.disks:
        yield from _disk(disk)


def instances_wanted(facts: Facts) -> int:
    """Return how many instances the crew has, by what is known of it."""
    spec = None if facts.configuration is None else facts.configuration.spec
    if spec is not None:
        return sum(worker.instances for worker in spec.workers.values())
    return len(facts.instances) or facts.in_table


def _open_files(facts: Facts, wanted: int) -> Iterator[Finding]:
    most, needed = facts.limits.open_files, FILES_EACH * wanted + FILES_BESIDE
    if most is not None and most < needed:
        what = f"supervisord may open {most} files, and a crew of {wanted} instances needs {needed}"
        remedy = f"LimitNOFILE={needed} in its unit, or ulimit -Hn {needed} before it is started; then start it anew"
        yield problem(_AREA, "open-files", what, remedy=remedy)


def _processes(room: Room, needed: int) -> Iterator[Finding]:
    if room.most - room.used < needed:
        what = f"{room.used} of {room.most} {room.what} are in use, and the crew may need {needed} more"
        yield problem(_AREA, "processes", what, path=room.where, remedy=f"raise it: {room.where}")


def _disk(disk: Disk) -> Iterator[Finding]:
    if disk.read_only:
        yield problem(
            _AREA,
            "read-only",
            "the file system can only be read",
            path=disk.path,
            remedy=f"look at dmesg; mount -o remount,rw {disk.path}",
        )
        return
    if disk.free_bytes < LEAST_BYTES:
        yield problem(_AREA, "disk-space", f"{_free(disk)} are left", path=disk.path, remedy="make room")
    elif disk.free_bytes < FEW_BYTES and disk.free_bytes < FEW_SHARE * disk.total_bytes:
        yield warning(_AREA, "disk-space", f"{_free(disk)} are left", path=disk.path, remedy="make room")
    if not disk.inodes:
        return
    left = f"{disk.free_inodes} of {disk.inodes} inodes are left"
    if disk.free_inodes < LEAST_INODES:
        yield problem(_AREA, "inodes", left, path=disk.path, remedy="remove files")
    elif disk.free_inodes < FEW_INODES and disk.free_inodes < FEW_SHARE * disk.inodes:
        yield warning(_AREA, "inodes", left, path=disk.path, remedy="remove files")


def _free(disk: Disk) -> str:
    return f"{disk.free_bytes // MIB} of {disk.total_bytes // MIB} MiB"
