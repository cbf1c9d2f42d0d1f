"""A real systemd as init, over a copy-on-write view of this machine's root: what is done in it, the machine never sees.

Rules:

1. All its mounts lie in a mount namespace of its own: they go when it goes, also where a test is killed.
2. It has a cgroup of its own in each hierarchy and a loopback interface of its own, so several boxes can run at once.
3. Nothing of the machine's /tmp is swept away: the checkout and its environment can be used inside.
4. It boots to multi-user.target, with none of the services that are enabled on the machine itself: what a test enables
   inside is what comes up.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.nursery import Nursery
from harness.waiting import wait_for

UP_SEC = 120.0
DOWN_SEC = 90.0
RUN_SEC = 240.0
HIERARCHIES = ("systemd", "unified")
REBOOTED = 133
"""How systemd-nspawn exits where the system inside wants to boot again."""
POWER_OFF = 38
"""SIGRTMIN+4, which asks systemd as init to power off."""

START = """\
set -eu
mount -t tmpfs -o size=3g,mode=755 box "$BOX"
mkdir "$BOX/upper" "$BOX/work" "$BOX/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$BOX/upper,workdir=$BOX/work" "$BOX/root"
rm -f "$BOX/root/etc/machine-id"
: >"$BOX/root/etc/machine-id"
printf '#!/bin/sh\\nexit 0\\n' >"$BOX/root/usr/sbin/policy-rc.d"
rm -rf "$BOX/root/etc/systemd/system"/*.wants
mkdir -p "$BOX/root/etc/tmpfiles.d"
ln -sf /dev/null "$BOX/root/etc/tmpfiles.d/tmp.conf"
for cgroup in $CGROUPS; do echo $$ >"$cgroup/cgroup.procs"; done
export SYSTEMD_NSPAWN_TMPFS_TMP=0 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
while :; do
    systemd-nspawn --quiet --boot -D "$BOX/root" --machine="$NAME" --register=no --keep-unit --link-journal=no \\
        --private-network --console=pipe -- --unit=multi-user.target && exit || status=$?
    [ $status -eq $REBOOTED ] || exit $status
done
"""


def missing() -> str:
    """Return why there can be no box on this machine; empty where there can."""
    if os.geteuid() != 0:
        return "a systemd of its own takes root"
    programs = [name for name in ("systemd-nspawn", "nsenter", "unshare") if shutil.which(name) is None]
    return f"not installed: {', '.join(programs)}" if programs else ""


class Box:
    """A context manager: inside it systemd runs, after it nothing is left."""

    def __init__(self) -> None:
        self.name = f"crewd-box-{secrets.token_hex(4)}"
        self.directory = f"{tempfile.gettempdir()}/{self.name}"
        os.mkdir(self.directory, 0o700)
        self._cgroups = [f"/sys/fs/cgroup/{one}/{self.name}" for one in HIERARCHIES if _is_cgroup(one)]
        self._nursery = Nursery()
        self._pid = 0
        self._leader = 0

    def __enter__(self) -> Self:
        """Boot it, and wait until it is up."""
        for cgroup in self._cgroups:
            os.mkdir(cgroup)
        variables = {"PATH": os.environ["PATH"], "BOX": self.directory, "NAME": self.name, "REBOOTED": str(REBOOTED)}
        variables["CGROUPS"] = " ".join(self._cgroups)
        argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", START]
        self._pid = self._nursery.spawn(argv, variables, "/", f"{self.directory}.log")
        try:
            wait_for(self._booted, UP_SEC, self.console)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Power off. Where the test failed, show its journal."""
        try:
            if kind is not None:
                print(self.run("journalctl", "--no-pager", "-n", "200", check=False).stdout)
            self.power_off()
        finally:
            self._close()

    def power_off(self) -> None:
        """Shut down as at a machine's end, and wait for it."""
        if self._leader:
            os.kill(self._leader, POWER_OFF)
            wait_for(lambda: self._nursery.status(self._pid) is not None, DOWN_SEC, self.console)
            self._leader = 0

    def reboot(self) -> None:
        """Shut down and boot again, on the same files; what was mounted by ``mount`` is there again."""
        before = self._leader
        self.run("systemctl", "reboot")
        wait_for(lambda: self._init() not in {0, before}, DOWN_SEC, self.console)
        wait_for(self._booted, UP_SEC, self.console)

    def mount(self, outside: Path, inside: str) -> None:
        """Show a directory of the machine inside: now, and after each boot."""
        self.run("mkdir", "-p", inside)
        self.run("mount", "--bind", str(outside), inside)
        below = ["nsenter", "-t", str(self._pid), "-m", "mount", "--bind", str(outside)]
        subprocess.run([*below, f"{self.directory}/root{inside}"], check=True, capture_output=True)

    def run(
        self, *argv: str, check: bool = True, text: str | None = None, timeout: float = RUN_SEC
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root, in the box's own root; what it prints is in the result."""
        done = subprocess.run(
            self.entering(*argv), capture_output=True, text=True, input=text or "", timeout=timeout, check=False
        )
        assert not check or done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def out(self, *argv: str) -> str:
        """Return what a command that has to succeed prints, without the line end."""
        return self.run(*argv).stdout.rstrip("\n")

    def entering(self, *argv: str) -> list[str]:
        """Return the command line that runs this inside, for tests that start it themselves."""
        clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        return ["nsenter", "-t", str(self._leader), "-a", "--root", "--wd", "--", *clean, *argv]

    def path(self, inside: str) -> Path:
        """Return where the test finds a file of the box. A symlink in it is followed outside: mind absolute ones."""
        return Path(f"/proc/{self._leader}/root{inside}")

    def console(self) -> str:
        """Return what systemd wrote to its console."""
        return Path(f"{self.directory}.log").read_text(errors="replace")

    def _init(self) -> int:
        """Return the process that is init inside; 0 where there is none now."""
        nspawn = _first_child(self._pid)
        return _first_child(nspawn) if nspawn else 0

    def _booted(self) -> bool:
        if self._nursery.status(self._pid) is not None:
            raise AssertionError(f"the box ended:\n{self.console()}")
        self._leader = self._init()
        if not self._leader:
            return False
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in {"running", "degraded"}

    def _close(self) -> None:
        self._nursery.close()
        for cgroup in self._cgroups:
            _remove_cgroup(Path(cgroup))
        os.rmdir(self.directory)
        os.unlink(f"{self.directory}.log")


def _is_cgroup(hierarchy: str) -> bool:
    return Path(f"/sys/fs/cgroup/{hierarchy}").is_dir()


def _first_child(pid: int) -> int:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return int(children[0]) if children else 0


def _remove_cgroup(cgroup: Path) -> None:
    for folder, _, _ in os.walk(cgroup, topdown=False):
        wait_for(lambda folder=folder: _removed(folder), DOWN_SEC, f"an empty {folder}")


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
