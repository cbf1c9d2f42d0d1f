"""Whether an instance is lost: what ends the crew where its worker is essential.

Rules:

1. Lost is what nobody will start again and what did not end well: given up by the start limit, or ended for good
   (``restart`` wants no more, or the status is in ``restart_prevent_exit_status``) with a failure.
2. A clean last exit is no loss, nor is a stop that an operator asked for, nor one that is waiting for its restart.
"""

from enum import StrEnum

from crewd.model.record import Record, Standing
from crewd.policy.duty import failed


class Loss(StrEnum):
    """How an instance was lost."""

    GIVEN_UP = "was given up"
    FAILED = "ended for good"


def loss(record: Record) -> Loss | None:
    """Return how the instance was lost; None where it was not."""
    if not failed(record):
        return None
    return Loss.GIVEN_UP if record.standing is Standing.GIVEN_UP else Loss.FAILED
