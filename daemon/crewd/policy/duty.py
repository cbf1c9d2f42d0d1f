"""Whether an instance should be running now: what tells one that is down from one that is at rest.

Rules:

1. An operator's stop, and a clean end, are rest; also where the next run is due later.
2. A failure is none, whether it is to be restarted or not: nobody asked for it.
3. What was never decided about is on duty where it starts by itself.
"""

from crewd.model.reasons import Reason
from crewd.model.record import Record, Standing
from crewd.model.states import ProcessState


def wanted(record: Record, *, autostart: bool | None) -> bool | None:
    """Return whether it should run now; None where that is not known. ``autostart`` None: its worker is not known."""
    if record.process_state is ProcessState.UNKNOWN:
        return None
    match record.standing:
        case Standing.NEW:
            return autostart
        case Standing.UP:
            return record.process_state is not ProcessState.BACKOFF or not expected(record)
        case Standing.FINISHED | Standing.GIVEN_UP:
            return failed(record)
        case Standing.STOPPED:
            return False


def failed(record: Record) -> bool:
    """Return whether it is down for good, and should not be: given up, or ended by a failure that is not restarted."""
    return record.standing is Standing.GIVEN_UP or (record.standing is Standing.FINISHED and not expected(record))


def expected(record: Record) -> bool:
    """Return whether the last exit was one that is no failure; False where none ended yet."""
    return bool(record.exits) and record.exits[-1].reason is Reason.CLEAN_EXIT
