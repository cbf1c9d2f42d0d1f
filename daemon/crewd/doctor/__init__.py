"""``crewctl doctor``: what is wrong with an installation, where, and what to do about it.

Rules:

1. ``looking`` gathers facts and has no opinion; a check is a pure function from facts to findings and looks at nothing.
2. One cause is one finding: a check passes over what another one tells.
3. It works with the daemon, supervisord or both of them down, and as any user. What could not be looked at is said.
4. Nothing is changed, and nothing is asked for that would change anything.
"""

from collections.abc import Callable, Iterable, Iterator

from crewd.doctor.clock import check_clock
from crewd.doctor.drift import check_drift
from crewd.doctor.engine import check_engine
from crewd.doctor.facts import Facts
from crewd.doctor.finding import Area, Finding, Severity
from crewd.doctor.leftovers import check_leftovers
from crewd.doctor.limits import check_limits
from crewd.doctor.permissions import check_permissions
from crewd.doctor.sockets import check_sockets
from crewd.doctor.units import check_units
from crewd.doctor.versions import check_versions
from crewd.doctor.workers import check_workers

CHECKS: dict[Area, Callable[[Facts], Iterable[Finding]]] = {
    Area.SOCKETS: check_sockets,
    Area.PERMISSIONS: check_permissions,
    Area.VERSIONS: check_versions,
    Area.ENGINE: check_engine,
    Area.DRIFT: check_drift,
    Area.LIMITS: check_limits,
    Area.CLOCK: check_clock,
    Area.WORKERS: check_workers,
    Area.LEFTOVERS: check_leftovers,
    Area.UNITS: check_units,
}


def examine(facts: Facts) -> list[Finding]:
    """Return all that is to be said, area by area; of one where nothing is, that."""
    return [finding for area, check in CHECKS.items() for finding in _of_area(area, check, facts)]


def _of_area(area: Area, check: Callable[[Facts], Iterable[Finding]], facts: Facts) -> Iterator[Finding]:
    found = list(check(facts))
    unseen = [one for one in facts.unseen if one.area is area]
    yield from found
    for one in unseen:
        yield Finding(Severity.NOTE, area, "not-seen", f"could not be looked at: {one.why}", one.what)
    if not found and not unseen:
        yield Finding(Severity.OK, area, "ok", "nothing is wrong")
