"""crewd's Debian package, as `make deb` builds it, and the next version of it."""

import re
import shutil
from pathlib import Path

from crewd import __version__
from harness import builds
from harness.builds import SOURCES, fingerprint, run, stale

BUILDING = (*SOURCES, "docs", "examples", "CHANGELOG.md")
"""All that goes into the package."""
NEXT_VERSION = f"{__version__}.1"
NEXT_SETTING = "restart_mood"
"""What a policy has in the next version, and no engine of this one knows."""


def built() -> Path:
    """Return the package of this checkout."""
    with builds.place("package") as own:
        current = fingerprint(BUILDING)
        if stale(own / "stamp", current):
            shutil.rmtree(own / "output", ignore_errors=True)
            run("packaging/deb/build", str(own / "output"))
            (own / "stamp").write_text(current)
        return next((own / "output").glob("crewd_*.deb"))


def following() -> Path:
    """Return the package of the version that follows: another number, and a policy table with something new in it."""
    package = built()
    with builds.place("package") as own:
        found = own / "next" / "crewd.deb"
        if stale(own / "next" / "stamp", fingerprint(BUILDING)):
            shutil.rmtree(own / "next", ignore_errors=True)
            (own / "next").mkdir()
            run("dpkg-deb", "--raw-extract", str(package), str(own / "next" / "tree"))
            _advance(own / "next" / "tree")
            run("dpkg-deb", "--build", "-Znone", "--root-owner-group", str(own / "next" / "tree"), str(found))
            (own / "next" / "stamp").write_text(fingerprint(BUILDING))
        return found


def _advance(tree: Path) -> None:
    packages = next(tree.glob("usr/lib/crewd/lib/python3*/site-packages"))
    _replace(packages / "crewd/__init__.py", f'"{re.escape(__version__)}"', f'"{NEXT_VERSION}"')
    _replace(
        packages / "crewd/model/spec.py", "(    restart_sec: float = .*)", rf'\1\n    {NEXT_SETTING}: str = "good"'
    )
    _replace(packages / f"crewd-{__version__}.dist-info/METADATA", "(?m)^Version: .*$", f"Version: {NEXT_VERSION}")
    (packages / f"crewd-{__version__}.dist-info").rename(packages / f"crewd-{NEXT_VERSION}.dist-info")
    _replace(tree / "DEBIAN/control", "(?m)^Version: .*$", f"Version: {NEXT_VERSION}")
    _replace(tree / "DEBIAN/md5sums", rf"(?m)^.*(crewd/__init__|model/spec|crewd-{re.escape(__version__)}).*\n", "")


def _replace(file: Path, pattern: str, by: str) -> None:
    text, count = re.subn(pattern, by, file.read_text())
    assert count, f"no {pattern} in {file}"
    file.write_text(text)
