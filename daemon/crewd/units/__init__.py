"""``crewd install-units``: systemd's units, filled in and put where systemd looks for them.

The files themselves are in ``packaging/systemd``. Beside ``X/systemd/system`` lie ``X/sysusers.d`` and
``X/tmpfiles.d``, wherever X is: /etc, /usr/lib, or what becomes that in a package.
"""

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path, PurePosixPath

from crewd.apply.hands import changeable
from crewd.errors import CrewdError

BIN = "@BIN@"
"""Stands for the directory of crewd's executables."""

UNITS = (
    "crewd.target",
    "crewd.service",
    "crewd-supervisord.service",
    "crewd-apply.socket",
    "crewd-apply@.service",
)
PROGRAMS = ("python", "crewd", "crewd-apply")
"""What the units start, partly as root."""
SYSUSERS, TMPFILES = "crewd.sysusers", "crewd.tmpfiles"

NEXT = f"""\
Next, as root:
  ln -sf {BIN}/crew* /usr/local/bin/    # the commands, for everybody's PATH
  systemd-sysusers                     # the user and group crewd
  systemd-tmpfiles --create            # the directories, with their owners and modes
  systemctl daemon-reload
  crewd check                          # /etc/crewd/crewd.yaml: root:crewd, 0640; a sample: crewd schema --sample
  systemctl enable --now crewd.target"""


class UnitsError(CrewdError):
    """The units cannot be installed there."""


def places(destination: str) -> Mapping[str, Path]:
    """Return where each file goes; ``destination`` is systemd's directory of units. Raises UnitsError."""
    units = Path(destination)
    if units.parts[-2:] != ("systemd", "system"):
        raise UnitsError(f"cannot install units into {destination}: the directory has to end with systemd/system")
    beside = units.parents[1]
    found = {name: units / name for name in UNITS}
    return {**found, SYSUSERS: beside / "sysusers.d/crewd.conf", TMPFILES: beside / "tmpfiles.d/crewd.conf"}


def text(name: str, executables: str) -> str:
    """Return a file, filled in; from the package, or, in an editable install, from ``packaging``."""
    packaged = resources.files("crewd.units") / name
    source = packaged if packaged.is_file() else Path(__file__).parents[3] / "packaging/systemd" / name
    return source.read_text("utf-8").replace(BIN, executables)


def install(destination: str, executables: str) -> tuple[Path, ...]:
    """Write all files; return them. Raises UnitsError."""
    if (
        not PurePosixPath(executables).is_absolute()
        or not executables.isprintable()
        or set(executables) & set(" %$\"'\\")
    ):
        raise UnitsError(f"cannot install units for {executables}: must be an absolute path of plain characters")
    wanted = places(destination)
    _check_hands(executables)
    try:
        for name, place in wanted.items():
            place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            place.write_text(text(name, executables), "utf-8")
            place.chmod(0o644)
    except OSError as cause:
        raise UnitsError(f"cannot write {cause.filename}: {cause.strerror}") from None
    return tuple(wanted.values())


def _check_hands(executables: str) -> None:
    """Return if root, where it is root who asks, alone can change what will run. What is not there yet passes."""
    for program in PROGRAMS if os.geteuid() == 0 else ():
        try:
            name = changeable(f"{executables}/{program}", frozenset({0}))
        except OSError:
            continue
        if name:
            raise UnitsError(
                f"cannot install units for {executables}: root would run what others than root can change, by {name}; "
                "install crewd where root alone may write"
            )
