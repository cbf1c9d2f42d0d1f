"""What the crew needs of systemd beyond what ``crewd-supervisord.service`` says: a drop-in below /run/systemd/system.

systemd kills what has not stopped within TimeoutStopSec, and supervisord cannot open more than LimitNOFILE. The unit's
own values do for most crews, and then there is no drop-in. It is root's to write, where that unit is installed.
"""

import os
import subprocess
from collections.abc import Sequence
from math import ceil, inf
from pathlib import Path

from crewd.model.generated import GENERATED
from crewd.model.spec import CrewSpec
from crewd.policy.order import longest_stop_sec

UNIT = "crewd-supervisord.service"
UNIT_STOP_SEC = 90
UNIT_NOFILE = 524_288
"""What the unit says itself."""
UNIT_SLACK_SEC = 15
"""What systemd gives a graceful stop beyond the workers' own timeouts: more than the daemon, by its STOP_SLACK_SEC."""
PLACES = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
RELOAD_SEC = 30.0

_DROP_IN = Path(f"/run/systemd/system/{UNIT}.d/50-crew.conf")


def needed(spec: CrewSpec) -> str:
    """Return the drop-in's text; empty where the unit's own values do."""
    stop_sec = longest_stop_sec(spec) + UNIT_SLACK_SEC
    programs = sum(worker.instances for worker in spec.workers.values()) + len(spec.engine.eventlisteners)
    descriptors = 5 * programs + 200  # as minfds in the template
    lines: list[str] = []
    if stop_sec > UNIT_STOP_SEC:
        lines.append(f"TimeoutStopSec={'infinity' if stop_sec == inf else f'{ceil(stop_sec)}s'}")
    if descriptors > UNIT_NOFILE:
        lines.append(f"LimitNOFILE=1024:{descriptors}")
    return "\n".join((GENERATED.rstrip("\n"), "[Service]", *lines, "")) if lines else ""


def put(text: str, drop_in: Path = _DROP_IN, reload: Sequence[str] = ("systemctl", "daemon-reload")) -> str:
    """Have systemd know of it; return why it does not, empty where it does. Nothing is done where nothing changed.

    What systemd was not told of is taken back, so that the next apply tries again.
    """
    if os.geteuid() != 0 or not any(Path(place, UNIT).exists() for place in PLACES):
        return ""
    try:
        before = _content(drop_in)
        if before == text:
            return ""
        _write(drop_in, text)
        try:
            subprocess.run(reload, check=True, capture_output=True, timeout=RELOAD_SEC, stdin=subprocess.DEVNULL)
        except BaseException:
            _write(drop_in, before)
            raise
    except (OSError, subprocess.SubprocessError) as cause:
        return f"systemd does not know how long the crew takes to stop, and what it opens: {drop_in}: {cause}"
    return ""


def _content(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return ""


def _write(file: Path, text: str) -> None:
    if not text:
        file.unlink()
        return
    file.parent.mkdir(mode=0o755, exist_ok=True)
    file.parent.chmod(0o755)
    aside = file.with_name(f".{file.name}.new")
    aside.write_text(text, "utf-8")
    aside.chmod(0o644)
    aside.rename(file)
