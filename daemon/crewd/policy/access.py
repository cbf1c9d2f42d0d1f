"""Who may do what: pure. One table of routes says what each asks for; this says who has it.

Rules:

1. Roles are a ladder: an operator may what a viewer may, an admin everything. ``node`` and ``worker`` stand beside it.
2. Whoever is limited to some workers is never admin: what asks for that concerns the whole crew, or runs code.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from crewd.model.access import Access, Principal, Role

_RANKS = {Role.VIEWER: 1, Role.OPERATOR: 2, Role.ADMIN: 3}
_NEEDED = {Access.VIEWER: 1, Access.OPERATOR: 2, Access.ADMIN: 3}
_OWN = {Access.NODE: Role.NODE, Access.WORKER: Role.WORKER}


def permits(principal: Principal, access: Access) -> bool:
    """Return whether somebody may ask for what a route offers; for which worker is ``covers``'s to say."""
    if access is Access.ANYONE:
        return True
    if principal.role is None:
        return False
    if access in _OWN:
        return principal.role in (_OWN[access], Role.ADMIN)
    if access is Access.ADMIN and principal.workers:
        return False
    return _RANKS.get(principal.role, 0) >= _NEEDED[access]


def covers(principal: Principal, worker_id: str) -> bool:
    """Return whether somebody's globs name the worker; without globs all are meant."""
    return not principal.workers or any(fnmatchcase(worker_id, glob) for glob in principal.workers)


def strongest(roles: Iterable[Role]) -> Role | None:
    """Return the highest on the ladder; None where there is none of them."""
    return max(roles, key=lambda role: _RANKS.get(role, 0), default=None)
