"""crewd as a package installs it: below /usr/lib/crewd of a box, on the system's Python, with units, user and folders.

Rules:

1. It is built once for each state of the checkout, and outside of /root and /tmp: a unit's user may look into neither.
2. What is built says where it will lie: it works at /usr/lib/crewd alone.
3. A build of a checkout that is gone is removed by the next one.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.systemd_box import Box

CHECKOUT = Path(__file__).parents[2]
BUILDS = Path("/var/tmp")
PREFIX = "crewd-build-"
PLACE = "/usr/lib/crewd"
BIN = f"{PLACE}/bin"
COMMANDS = ("crewd", "crewctl", "crewd-apply")
PYTHON = "/usr/bin/python3"
REQUIREMENTS = ("pyproject.toml", "packaging/constraints.txt")
SOURCES = ("daemon", "plugins", "packaging", "supervisord.conf.j2", "pyproject.toml", "README.md", "LICENSE")
CONFIG = "/etc/crewd/crewd.yaml"


def built() -> Path:
    """Return the directory of a virtual environment with crewd in it, to be put at /usr/lib/crewd."""
    own = BUILDS / f"{PREFIX}{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]}"
    own.mkdir(mode=0o755, exist_ok=True)
    with _alone(own / "lock"):
        (own / "checkout").write_text(f"{CHECKOUT}\n")
        _remove_stale()
        environment = own / "environment"
        if _stale(own / "requirements", _fingerprint(REQUIREMENTS)):
            shutil.rmtree(environment, ignore_errors=True)
            (own / "sources").unlink(missing_ok=True)
            _run(PYTHON, "-m", "venv", "--without-pip", str(environment))
            _pip(environment, "install", "--constraint", "packaging/constraints.txt", ".[postgresql,redis,http]")
            _note(own / "requirements", _fingerprint(REQUIREMENTS))
            _note(own / "sources", _fingerprint(SOURCES))
            _move(environment)
        elif _stale(own / "sources", _fingerprint(SOURCES)):
            _pip(environment, "install", "--no-deps", "--force-reinstall", ".")
            _note(own / "sources", _fingerprint(SOURCES))
            _move(environment)
    return environment


def install(box: Box, config: str | None = None) -> None:
    """Put crewd into a box: program, units, user, folders, and ``config`` as /etc/crewd/crewd.yaml. Starts nothing."""
    box.mount(built(), PLACE)
    for command in COMMANDS:
        box.run("ln", "-sf", f"{BIN}/{command}", f"/usr/bin/{command}")
    box.run("crewd", "install-units", "--destination", "/usr/lib/systemd/system", "--bin", BIN)
    box.run("systemd-sysusers")
    box.run("systemd-tmpfiles", "--create", "crewd.conf")
    box.run("systemctl", "daemon-reload")
    if config is not None:
        configure(box, config)


def configure(box: Box, config: str) -> None:
    """Write /etc/crewd/crewd.yaml, root:crewd 0640."""
    box.run(
        "sh", "-c", f"umask 027; cat >{CONFIG}.new; chgrp crewd {CONFIG}.new; mv {CONFIG}.new {CONFIG}", text=config
    )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_stale() -> None:
    for build in BUILDS.glob(f"{PREFIX}*"):
        try:
            stale = not Path((build / "checkout").read_text().rstrip("\n")).is_dir()
        except OSError:
            continue  # one that is only beginning
        if stale:
            shutil.rmtree(build, ignore_errors=True)


def _fingerprint(names: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name in names:
        for file in sorted(_files(CHECKOUT / name)):
            digest.update(f"{file.relative_to(CHECKOUT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from (file for file in place.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    elif place.exists():
        yield place


def _stale(stamp: Path, fingerprint: str) -> bool:
    """Return whether the stamp is of another state."""
    return not stamp.exists() or stamp.read_text() != fingerprint


def _note(stamp: Path, fingerprint: str) -> None:
    stamp.write_text(fingerprint)


def _pip(environment: Path, *arguments: str) -> None:
    """Run the pip of the tests' own environment, or uv, on another environment."""
    python = str(environment / "bin/python")
    if uv := shutil.which("uv"):
        subcommand, *rest = (one for one in arguments if one != "--force-reinstall")
        reinstall = ("--reinstall-package", "crewd") if "--force-reinstall" in arguments else ()
        _run(uv, "pip", subcommand, "--quiet", "--python", python, *reinstall, *rest)
    else:
        _run(sys.executable, "-m", "pip", "--quiet", "--no-input", "--python", python, *arguments)


def _move(environment: Path) -> None:
    """Let the scripts begin with the Python that they will find, and all be readable by everybody."""
    for script in (environment / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            content = script.read_bytes()
            script.write_bytes(content.replace(os.fsencode(environment), PLACE.encode()))
    _run("chmod", "-R", "go+rX", str(environment))


def _run(*argv: str) -> None:
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False, umask=0o022)
    assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
