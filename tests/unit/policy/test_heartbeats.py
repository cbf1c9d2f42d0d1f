"""When silence is too long, and how much may be reported: numbers alone."""

from math import inf

import pytest

from crewd.model.report import Heartbeat, Pulse
from crewd.policy.allowance import Allowance, Rate
from crewd.policy.heartbeats import STALE_SEC, stale_at

HEARD = Pulse(Heartbeat(0.0, 100.0))


@pytest.mark.parametrize(
    ("pulse", "limit_sec", "started_at", "wanted"),
    [
        (HEARD, 30.0, 50.0, 130.0),
        (HEARD, None, 50.0, 100.0 + STALE_SEC),
        (HEARD, 30.0, 120.0, 150.0),
        (HEARD, 30.0, None, inf),
        (HEARD, inf, 50.0, inf),
        (Pulse(), 30.0, 50.0, 80.0),
        (Pulse(), None, 50.0, inf),
        (Pulse(), 30.0, None, inf),
    ],
)
def test_silence_begins_with_the_last_word_or_the_process(
    pulse: Pulse, limit_sec: float | None, started_at: float | None, wanted: float
) -> None:
    """A new process has all the time for its first one; of who never reported nothing is expected unasked."""
    assert stale_at(pulse, limit_sec, started_at) == wanted


def test_an_allowance_comes_back_with_time() -> None:
    """Up to the burst and no further, also where the clock goes back."""
    rate = Rate(per_sec=2.0, burst=10.0)
    spent = Allowance(10.0, 100.0).after(rate, 100.0).taken(8.0)

    assert spent.wait_sec(rate, 2.0) == 0.0
    assert spent.wait_sec(rate, 5.0) == 1.5
    assert spent.after(rate, 101.5).wait_sec(rate, 5.0) == 0.0
    assert spent.after(rate, 1e9) == Allowance(10.0, 1e9)
    assert spent.after(rate, 0.0) == Allowance(2.0, 0.0)
