"""What tests build of this checkout: once for each state of it, and outside of it.

Rules:

1. It lies outside of /root and /tmp: a unit's user may look into neither.
2. One process builds at a time; the others wait, and find it built.
3. The builds of a checkout that is gone are removed by the next one.
"""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
BUILDS = Path("/var/tmp")
PREFIX = "crewd-build-"
SOURCES = ("daemon", "plugins", "packaging", "supervisord.conf.j2", "pyproject.toml", "README.md", "LICENSE")


@contextmanager
def place(name: str) -> Iterator[Path]:
    """Give the directory for what is built under this name, to this process alone."""
    own = BUILDS / f"{PREFIX}{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]}"
    (own / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    (own / "checkout").write_text(f"{CHECKOUT}\n")
    with (own / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_stale()
        yield own / name


def fingerprint(names: tuple[str, ...]) -> str:
    """Return what changes when one of these files and folders does."""
    digest = hashlib.sha256()
    for name in names:
        for file in sorted(_files(CHECKOUT / name)):
            digest.update(f"{file.relative_to(CHECKOUT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def stale(stamp: Path, current: str) -> bool:
    """Return whether the stamp is of another state."""
    return not stamp.exists() or stamp.read_text() != current


def run(*argv: str) -> None:
    """Run a command of a build in the checkout, for everybody to read what it makes."""
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False, umask=0o022)
    assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"


def _remove_stale() -> None:
    for build in BUILDS.glob(f"{PREFIX}*"):
        try:
            gone = not Path((build / "checkout").read_text().rstrip("\n")).is_dir()
        except OSError:
            continue  # one that is only beginning
        if gone:
            shutil.rmtree(build, ignore_errors=True)


def _files(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from (file for file in place.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    elif place.exists():
        yield place
