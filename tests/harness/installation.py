"""crewd as a package installs it: below /usr/lib/crewd of a box, on the system's Python, with units, user and folders.

What is built says where it will lie: it works at /usr/lib/crewd alone.
"""

import os
import shutil
import sys
from pathlib import Path

from harness import builds
from harness.builds import SOURCES, fingerprint, run, stale
from harness.systemd_box import Box

PLACE = "/usr/lib/crewd"
BIN = f"{PLACE}/bin"
COMMANDS = ("crewd", "crewctl", "crewd-apply", "crewd-supervisorctl")
PYTHON = "/usr/bin/python3"
REQUIREMENTS = ("pyproject.toml", "packaging/constraints.txt")
CONFIG = "/etc/crewd/crewd.yaml"


def built() -> Path:
    """Return the directory of a virtual environment with crewd in it, to be put at /usr/lib/crewd."""
    with builds.place("installation") as own:
        environment, requirements, sources = own / "environment", own / "requirements", own / "sources"
        if stale(requirements, fingerprint(REQUIREMENTS)):
            shutil.rmtree(environment, ignore_errors=True)
            sources.unlink(missing_ok=True)
            run(PYTHON, "-m", "venv", "--without-pip", str(environment))
            _pip(environment, "install", "--constraint", "packaging/constraints.txt", ".[postgresql,redis,http]")
            requirements.write_text(fingerprint(REQUIREMENTS))
            sources.write_text(fingerprint(SOURCES))
            _move(environment)
        elif stale(sources, fingerprint(SOURCES)):
            _pip(environment, "install", "--no-deps", "--force-reinstall", ".")
            sources.write_text(fingerprint(SOURCES))
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


def install_by_pip(box: Box, place: str) -> None:
    """Leave a box as pip does that has installed crewd into a virtual environment at ``place``."""
    box.mount(built(), place)
    scripts = f"{place}.scripts"
    box.run("cp", "-a", f"{place}/bin", scripts)
    box.run("sh", "-c", f"sed -i '1s,{BIN},{place}/bin,' {scripts}/crew* {scripts}/supervisor*")
    box.run("mount", "--bind", scripts, f"{place}/bin")


def configure(box: Box, config: str) -> None:
    """Write /etc/crewd/crewd.yaml, root:crewd 0640."""
    box.run(
        "sh", "-c", f"umask 027; cat >{CONFIG}.new; chgrp crewd {CONFIG}.new; mv {CONFIG}.new {CONFIG}", text=config
    )


def _pip(environment: Path, *arguments: str) -> None:
    """Run the pip of the tests' own environment, or uv, on another environment."""
    python = str(environment / "bin/python")
    if uv := shutil.which("uv"):
        subcommand, *rest = (one for one in arguments if one != "--force-reinstall")
        reinstall = ("--reinstall-package", "crewd") if "--force-reinstall" in arguments else ()
        run(uv, "pip", subcommand, "--quiet", "--python", python, *reinstall, *rest)
    else:
        run(sys.executable, "-m", "pip", "--quiet", "--no-input", "--python", python, *arguments)


def _move(environment: Path) -> None:
    """Let the scripts begin with the Python that they will find, and all be readable by everybody."""
    for script in (environment / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            content = script.read_bytes()
            script.write_bytes(content.replace(os.fsencode(environment), PLACE.encode()))
    run("chmod", "-R", "go+rX", str(environment))
