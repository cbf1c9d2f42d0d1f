"""Which ends of an essential worker's instance are a loss."""

import pytest

from crewd.model.reasons import Reason, Verdict
from crewd.model.record import PastExit, Record, Standing
from crewd.policy.essential import Loss, loss


def ended(standing: Standing, reason: Reason, verdict: Verdict) -> Record:
    """Return one that came to this."""
    return Record(standing, exits=(PastExit(0.0, reason, 1, None, 1.0, verdict=verdict),))


@pytest.mark.parametrize("reason", [Reason.EXIT_CODE, Reason.CLEAN_EXIT])
def test_whatever_the_limit_gave_up_is_lost(reason: Reason) -> None:
    """Also one that ended well each time: it was to run."""
    assert loss(ended(Standing.GIVEN_UP, reason, Verdict.START_LIMIT_HIT)) is Loss.GIVEN_UP


@pytest.mark.parametrize("verdict", [Verdict.NOT_WANTED, Verdict.PREVENTED])
@pytest.mark.parametrize("reason", [Reason.EXIT_CODE, Reason.SIGNAL, Reason.SPAWN_FAILED, Reason.SUPERVISOR_LOST])
def test_a_last_end_that_failed_is_a_loss(reason: Reason, verdict: Verdict) -> None:
    """A one-shot that did not do its work, or one that is not to be restarted after this."""
    assert loss(ended(Standing.FINISHED, reason, verdict)) is Loss.FAILED


def test_a_clean_last_end_is_no_loss() -> None:
    """A one-shot that did its work."""
    assert loss(ended(Standing.FINISHED, Reason.CLEAN_EXIT, Verdict.NOT_WANTED)) is None


@pytest.mark.parametrize("standing", [Standing.NEW, Standing.UP, Standing.STOPPED])
def test_what_waits_or_was_stopped_is_not_lost(standing: Standing) -> None:
    """However it ended before."""
    assert loss(ended(standing, Reason.EXIT_CODE, Verdict.RESTARTED)) is None
    assert loss(Record(standing)) is None
