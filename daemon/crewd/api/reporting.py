"""Who may report for a worker: whoever runs it, a token that was made for it, an admin.

Rules:

1. A process is its uid, and nothing that it says of itself: it may report for those workers whose instances run as that
   uid, and for no other.
2. Whoever came with a token, a signature or a certificate reports for the workers that its globs name.
"""

import pwd
from functools import lru_cache

from crewd.model.access import How, Principal, Role
from crewd.policy.access import covers
from crewd.reconcile.view import View

_BY_UID = frozenset({How.PEER, How.LOOPBACK})
USERS_MOST = 1024


def may_report(principal: Principal, worker_id: str, view: View) -> bool:
    """Return whether what somebody reports of this worker is to be believed."""
    if principal.role is Role.ADMIN:
        return covers(principal, worker_id)
    if principal.how in _BY_UID:
        return principal.uid is not None and principal.uid == _uid_of(worker_id, view)
    return principal.role is Role.WORKER and covers(principal, worker_id)


def _uid_of(worker_id: str, view: View) -> int | None:
    """Return whom its instances run as; None where that is not known."""
    worker = view.worker(worker_id)
    if worker is None:
        return None
    return view.supervisord_uid if worker.user is None else _uid(worker.user)


@lru_cache(maxsize=USERS_MOST)
def _uid(user: str) -> int | None:
    """Return the number of a user, looked up once: who it is would be asked elsewhere where there is a directory."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None
