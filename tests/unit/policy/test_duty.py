"""Who should be running now: what an alert goes by."""

import pytest

from crewd.model.reasons import Reason
from crewd.model.record import PastExit, Record, Standing
from crewd.model.states import ProcessState
from crewd.policy.duty import expected, wanted

CLEAN = (PastExit(1e9, Reason.CLEAN_EXIT, 0, None, 3.0),)
CRASH = (PastExit(1e9, Reason.EXIT_CODE, 3, None, 3.0),)


@pytest.mark.parametrize(
    ("record", "should"),
    [
        (Record(Standing.UP, ProcessState.RUNNING), True),
        (Record(Standing.UP, ProcessState.STARTING, exits=CLEAN), True),
        (Record(Standing.UP, ProcessState.STOPPING), True),
        (Record(Standing.UP, ProcessState.STOPPED), True),
        (Record(Standing.UP, ProcessState.BACKOFF, exits=CRASH), True),
        (Record(Standing.UP, ProcessState.BACKOFF, exits=CLEAN), False),
        (Record(Standing.FINISHED, ProcessState.EXITED, exits=CRASH), True),
        (Record(Standing.FINISHED, ProcessState.EXITED, exits=CLEAN), False),
        (Record(Standing.GIVEN_UP, ProcessState.FATAL, exits=CLEAN), True),
        (Record(Standing.STOPPED, ProcessState.STOPPED, exits=CRASH), False),
        (Record(Standing.STOPPED, ProcessState.STOPPING), False),
        (Record(Standing.UP, ProcessState.UNKNOWN), None),
    ],
    ids=lambda one: f"{one.standing}-{one.process_state.name}" if isinstance(one, Record) else str(one),
)
@pytest.mark.parametrize("autostart", [True, False, None])
def test_what_somebody_stopped_and_what_ended_cleanly_is_at_rest(
    record: Record, should: bool | None, autostart: bool | None
) -> None:
    """A failure is not, whether it is to be restarted or not."""
    assert wanted(record, autostart=autostart) is should


@pytest.mark.parametrize("autostart", [True, False, None])
def test_of_whom_nothing_was_ever_decided_the_configuration_decides(autostart: bool | None) -> None:
    """As supervisord does when it starts; without a configuration nothing is known."""
    assert wanted(Record(), autostart=autostart) is autostart


def test_an_end_is_expected_by_its_reason() -> None:
    """The last one counts; where none ended there is nothing to expect."""
    assert not expected(Record())
    assert expected(Record(exits=CRASH + CLEAN))
    assert not expected(Record(exits=CLEAN + CRASH))
