"""A Docker engine of the test's own: its own socket, directories and images. No registry and no network.

``Engine`` is a context manager: after it nothing that was started in it is left. ``python_base`` makes a small image of
this machine's own Python.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pip

from harness.nursery import Nursery
from harness.waiting import wait_for

ROOT = Path(__file__).parents[2]
UP_SEC = 60.0
RUN_SEC = 300.0
PYTHON = "/usr/bin/python3"
BUSYBOX = "/usr/bin/busybox"
LIBRARIES = ("libgcc_s.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1")
"""What wheels of others need, beside what Python itself does."""
UNUSED = {"test", "idlelib", "tkinter", "lib2to3", "ensurepip"}


def missing() -> str:
    """Return why there can be no engine on this machine; empty where there can."""
    if os.geteuid() != 0:
        return "a Docker engine of its own takes root"
    programs = [name for name in ("dockerd", "docker", BUSYBOX, PYTHON) if shutil.which(name) is None]
    return f"not installed: {', '.join(programs)}" if programs else ""


class Engine:
    """A dockerd, and what the client has it do."""

    def __init__(self) -> None:
        self.root = tempfile.mkdtemp(prefix="crewd-docker-")
        self._nursery = Nursery()

    def __enter__(self) -> Self:
        """Start it, and wait until it answers."""
        directories = [f"--{name}={self.root}/{name}" for name in ("data-root", "exec-root", "pidfile")]
        alone = ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"]
        drivers = ["--storage-driver=overlay2", "--exec-opt", "native.cgroupdriver=cgroupfs"]
        argv = ["dockerd", *directories, "-H", f"unix://{self.root}/sock", *alone, *drivers]
        pid = self._nursery.spawn(argv, {"PATH": os.environ["PATH"]}, self.root, f"{self.root}/log")

        def up() -> bool:
            assert self._nursery.status(pid) is None, self.log()
            return self.run("version", check=False).returncode == 0

        try:
            wait_for(up, UP_SEC, self.log)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all containers, and it."""
        try:
            left = self.run("ps", "--all", "--quiet").stdout.split()
            self.run("rm", "--force", "--volumes", *left, check=False)
        finally:
            self._close()

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Have the client do something; what it prints is in the result."""
        variables = {"PATH": os.environ["PATH"], "DOCKER_BUILDKIT": "0", "HOME": self.root}
        command = ["docker", "-H", f"unix://{self.root}/sock", *argv]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=RUN_SEC, check=False)
        assert not check or done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def out(self, *argv: str) -> str:
        """Return what a command that has to succeed prints, without the line end."""
        return self.run(*argv).stdout.rstrip("\n")

    def logs(self, container: str) -> str:
        """Return what a container wrote, on both streams."""
        found = self.run("logs", container)
        return found.stdout + found.stderr

    def log(self) -> str:
        """Return what dockerd itself wrote."""
        return Path(f"{self.root}/log").read_text(errors="replace")

    def _close(self) -> None:
        self._nursery.close()
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if self.root in line]
        for mount in reversed(mounts):
            subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(self.root, ignore_errors=True)


def python_base(engine: Engine, name: str) -> None:
    """Make an image of this machine's Python, with pip and a busybox: what crewd needs of its base."""
    path = f"{engine.root}/base.tar"
    with tarfile.open(path, "w", dereference=True) as tar:
        for file in sorted(set(_files())):
            tar.add(file, file.lstrip("/"))
        tar.add(Path(pip.__file__).parent, f"usr/local/lib/{_python().name}/dist-packages/pip")
        tar.add(BUSYBOX, "bin/busybox")
        for applet in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if applet != "busybox":
                _made(tar, f"bin/{applet}", tarfile.SYMTYPE, "busybox")
        _made(tar, "usr/bin/python3", tarfile.SYMTYPE, _python().name)
        for folder in ("tmp", "etc", "run", "proc", "sys", "dev", "var"):
            _made(tar, folder, tarfile.DIRTYPE)
    engine.run("import", path, name)
    os.unlink(path)


def wheels(directory: Path) -> None:
    """Fill the directory with all that crewd is built from and needs, for this machine's Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    argv = [sys.executable, "-m", "pip", "--python", PYTHON, "wheel", "--quiet", "--wheel-dir", str(directory)]
    subprocess.run([*argv, "--constraint", str(ROOT / "packaging/constraints.txt"), *needed], check=True)


def _python() -> Path:
    return Path(PYTHON).resolve()


def _made(tar: tarfile.TarFile, name: str, kind: bytes, target: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, target, 0o1777 if name == "tmp" else 0o755
    tar.addfile(member)


def _files() -> Iterator[str]:
    program = str(_python())
    library = Path("/usr/lib", _python().name)
    modules = [str(path) for path in library.rglob("*") if path.is_file() and not UNUSED & set(path.parts)]
    yield from (program, *modules)
    binaries = [program, *(one for one in modules if one.endswith(".so"))]
    linked = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=True).stdout
    libraries = {word for word in linked.split() if word.startswith("/") and not word.endswith(":")}
    yield from libraries
    [beside] = {str(Path(one).parent) for one in libraries if Path(one).name == "libc.so.6"}
    yield from (f"{beside}/{one}" for one in LIBRARIES if Path(beside, one).exists())
