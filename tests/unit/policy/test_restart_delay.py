"""The delay before a restart, against systemd's formula."""

from decimal import Decimal, getcontext
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crew_strategies import jitters, policies
from crewd.model.spec import RestartPolicy
from crewd.policy.restart import delay

getcontext().prec = 40
USEC = 1_000_000


def systemd_delay_usec(first: int, steps: int, most: int | None, n: int) -> int:
    """Return systemd's delay before restart n, in its whole microseconds; ``most`` None is infinity.

    The facts of ``service_restart_usec_next``, in exact arithmetic: the first delay for n <= 1, for no steps, for a
    delay of 0, for no maximum and for a maximum that is not above the first delay; the maximum for n > steps; between
    them a geometric series, cut to whole microseconds.
    """
    if n <= 1 or steps == 0 or first == 0 or most is None or first >= most:
        return first
    if n > steps:
        return most
    return int(Decimal(first) * (Decimal(most) / first) ** (Decimal(n - 1) / steps))


def crewd_delay(first: int, steps: int, most: int | None, n: int) -> float:
    policy = RestartPolicy(
        restart_sec=first / USEC,
        restart_steps=steps,
        restart_max_delay_sec=inf if most is None else most / USEC,
    )
    return delay(policy, n, 0.0)


@pytest.mark.parametrize("n", range(1, 12))
@pytest.mark.parametrize(
    ("first", "steps", "most"),
    [
        (100_000, 6, 60 * USEC),
        (10 * USEC, 4, 160 * USEC),
        (1, 5, 3600 * USEC),
        (100_000, 1, 60 * USEC),
        (500_000, 0, 60 * USEC),
        (0, 6, 60 * USEC),
        (60 * USEC, 6, 60 * USEC),
        (90 * USEC, 6, 60 * USEC),
        (100_000, 6, None),
        (100_000, 6, 0),
        (999_999, 3, 1_000_000),
    ],
)
def test_the_delay_is_systemds_to_the_microsecond(first: int, steps: int, most: int | None, n: int) -> None:
    """For every shape of policy and each of the first restarts, crewd waits what systemd waits."""
    assert crewd_delay(first, steps, most, n) == pytest.approx(
        systemd_delay_usec(first, steps, most, n) / USEC, abs=1.1e-6
    )


def test_the_example_of_the_manual_page_holds() -> None:
    """systemd.service(5) promises 10 s, 20 s, 40 s, 80 s, 160 s for 4 steps from 10 s to 160 s."""
    waited = [crewd_delay(10 * USEC, 4, 160 * USEC, n) for n in (1, 2, 3, 4, 5, 6)]

    assert waited == pytest.approx([10, 20, 40, 80, 160, 160])


def test_the_defaults_grow_from_a_tenth_of_a_second_to_a_minute() -> None:
    """Six steps lead from 100 ms to 60 s, and there the delay stays."""
    waited = [delay(RestartPolicy(), n, 0.0) for n in range(1, 9)]

    assert waited == pytest.approx([0.1, 0.2904, 0.8434, 2.4495, 7.1138, 20.66, 60.0, 60.0], rel=1e-3)


@given(
    first=st.integers(0, 10**10),
    steps=st.integers(0, 20),
    most=st.none() | st.integers(0, 10**11),
    n=st.integers(0, 40),
)
def test_any_policy_waits_what_systemd_waits(first: int, steps: int, most: int | None, n: int) -> None:
    """The formula agrees over the whole range of settings, within a microsecond and float precision."""
    expected = systemd_delay_usec(first, steps, most, n) / USEC

    assert crewd_delay(first, steps, most, n) == pytest.approx(expected, rel=1e-9, abs=1.1e-6)


@given(policy=policies, n=st.integers(1, 40), jitter=jitters)
def test_a_later_restart_never_waits_less(policy: RestartPolicy, n: int, jitter: float) -> None:
    """The delay grows with the number of restarts, never shrinks."""
    assert delay(policy, n + 1, jitter) >= delay(policy, n, jitter)


@given(policy=policies, n=st.integers(1, 40), jitter=jitters)
def test_the_delay_lies_between_the_first_and_the_last_step(policy: RestartPolicy, n: int, jitter: float) -> None:
    """No less than restart_sec, no more than the greater of restart_sec and the maximum, plus the random part."""
    waited = delay(policy, n, jitter)

    assert policy.restart_sec <= waited
    assert waited <= max(policy.restart_sec, policy.restart_max_delay_sec) + policy.restart_randomized_delay_sec


@given(policy=policies, n=st.integers(1, 40), jitter=jitters)
def test_the_random_part_is_the_jitters_share_of_its_most(policy: RestartPolicy, n: int, jitter: float) -> None:
    """A jitter of 0 adds nothing; any other adds its share of restart_randomized_delay_sec."""
    added = delay(policy, n, jitter) - delay(policy, n, 0.0)

    assert added == pytest.approx(jitter * policy.restart_randomized_delay_sec)


def test_an_extreme_ratio_does_not_overflow() -> None:
    """The smallest and the largest numbers give a finite delay."""
    policy = RestartPolicy(restart_sec=5e-324, restart_max_delay_sec=1e300, restart_steps=3)

    assert all(delay(policy, n, 0.0) <= 1e300 for n in range(1, 6))
