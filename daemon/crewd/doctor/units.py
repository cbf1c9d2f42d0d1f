"""The units of systemd's, where there are any. Pure."""

from collections.abc import Iterator

from crewd.doctor.facts import Facts, Unit
from crewd.doctor.finding import Area, Finding, note, problem, warning
from crewd.policy.order import longest_stop_sec
from crewd.reconcile.wanted import STOP_SLACK_SEC

_AREA = Area.UNITS
SUPERVISORD, APPLY = "crewd-supervisord.service", "crewd-apply.socket"
"""What is not said of the others here: whether they listen, which their sockets tell."""


def check_units(facts: Facts) -> Iterator[Finding]:
    """Look at each."""
    for unit in facts.units or ():
        if not unit.loaded:
            continue
        yield from _state(unit)
        if unit.name == SUPERVISORD:
            yield from _stopping(facts, unit)


def _state(unit: Unit) -> Iterator[Finding]:
    if unit.active == "failed":
        what = f"{unit.name} has failed: {unit.result}"
        yield problem(
            _AREA, "unit-failed", what, remedy=f"journalctl -u {unit.name} -e; then systemctl restart {unit.name}"
        )
    elif unit.name == APPLY and unit.active == "inactive":
        what = f"{unit.name} does not listen: crewd cannot have anything applied"
        yield problem(_AREA, "unit-down", what, remedy=f"systemctl start {unit.name}")
    if unit.stale:
        what = f"the files of {unit.name} were changed since systemd read them"
        yield warning(_AREA, "unit-stale", what, remedy="systemctl daemon-reload")
    if unit.enabled == "disabled":
        yield note(
            _AREA,
            "unit-disabled",
            f"{unit.name} does not start with the machine",
            remedy=f"systemctl enable {unit.name}",
        )


def _stopping(facts: Facts, unit: Unit) -> Iterator[Finding]:
    """A crew that takes longer to stop than its unit is given is killed in the middle."""
    spec = None if facts.configuration is None else facts.configuration.spec
    if spec is None or unit.stop_sec is None:
        return
    needed = longest_stop_sec(spec) + STOP_SLACK_SEC
    if unit.stop_sec < needed:
        what = (
            f"{unit.name} is killed {unit.stop_sec:g} s after it was told to stop, and the crew may take {needed:g} s"
        )
        remedy = f"systemctl edit {unit.name}: [Service] TimeoutStopSec={needed:g}s"
        yield warning(_AREA, "unit-stop", what, remedy=remedy)
