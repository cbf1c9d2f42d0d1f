"""What systemd says of units in a box."""

from harness.systemd_box import Box
from harness.waiting import wait_for

UNIT_SEC = 120.0


def shown(box: Box, unit: str, name: str) -> str:
    """Return a property of a unit."""
    return box.out("systemctl", "show", "--value", "--property", name, unit)


def main_pid(box: Box, unit: str) -> int:
    """Return the unit's main process, by its number inside; 0 where it has none."""
    return int(shown(box, unit, "MainPID"))


def wait_status(box: Box, unit: str, words: str) -> None:
    """Wait until the unit's status line has these words in it."""
    wait_for(lambda: words in shown(box, unit, "StatusText"), UNIT_SEC, lambda: shown(box, unit, "StatusText"))


def wait_back(box: Box, unit: str, before: int) -> int:
    """Wait until another process than the one before is the unit's main one, and the unit is up; return its number."""

    def back() -> int:
        pid = main_pid(box, unit)
        return pid if pid not in {0, before} and shown(box, unit, "ActiveState") == "active" else 0

    return wait_for(back, UNIT_SEC, lambda: box.out("systemctl", "status", "--no-pager", unit))


def drop_in(box: Box, unit: str, *lines: str) -> None:
    """Change the [Service] section of a unit; no lines: as it was."""
    file = f"/etc/systemd/system/{unit}.d/90-test.conf"
    if lines:
        box.run("mkdir", "-p", f"/etc/systemd/system/{unit}.d")
        box.run("sh", "-c", f"cat >{file}", text="\n".join(("[Service]", *lines, "")))
    else:
        box.run("rm", "-f", file)
    box.run("systemctl", "daemon-reload")


def processes(box: Box, pattern: str) -> frozenset[int]:
    """Return the processes whose command line matches, by their numbers inside."""
    return frozenset(map(int, box.run("pgrep", "-f", pattern, check=False).stdout.split()))
