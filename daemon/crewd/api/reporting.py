"""Who may report for a worker: whoever runs it, a token that was made for it, an admin.

Rules:

1. A process is its uid, and nothing that it says of itself: it may report for those workers that its user runs, as
   admission made them out (``runners``), and for no other.
2. Whoever came with a token, a signature or a certificate reports for the workers that its globs name.
"""

from crewd.model.access import How, Principal, Role
from crewd.policy.access import covers

_BY_UID = frozenset({How.PEER, How.LOOPBACK})


def may_report(principal: Principal, worker_id: str) -> bool:
    """Return whether what somebody reports of this worker is to be believed."""
    if principal.role is Role.WORKER and principal.how in _BY_UID:
        return worker_id in principal.workers
    return principal.role in (Role.WORKER, Role.ADMIN) and covers(principal, worker_id)
