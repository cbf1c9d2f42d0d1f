"""Process states and statuses."""

import pytest
from supervisor.states import ProcessStates

from crewd.model.states import ProcessState, Status, status_of

STATUSES = {
    ProcessState.STOPPED: "stopped",
    ProcessState.STARTING: "starting",
    ProcessState.RUNNING: "running",
    ProcessState.STOPPING: "stopping",
    ProcessState.BACKOFF: "crashed",
    ProcessState.FATAL: "error",
    ProcessState.UNKNOWN: "error",
}


def test_the_states_are_supervisords_own() -> None:
    """Names and numbers, all of them and no more."""
    theirs = {name: value for name, value in vars(ProcessStates).items() if name.isupper()}

    assert {state.name: state.value for state in ProcessState} == theirs


@pytest.mark.parametrize("expected_exit", [False, True])
@pytest.mark.parametrize("state", STATUSES)
def test_every_state_but_exited_has_one_status(state: ProcessState, expected_exit: bool) -> None:
    """How the last run ended does not matter for them."""
    assert status_of(state, expected_exit=expected_exit) is Status(STATUSES[state])


def test_exited_is_stopped_where_it_was_expected_and_crashed_where_not() -> None:
    """A clean end is no crash."""
    assert status_of(ProcessState.EXITED, expected_exit=True) is Status.STOPPED
    assert status_of(ProcessState.EXITED, expected_exit=False) is Status.CRASHED
