"""How often somebody may do something: a window that slides."""

from hypothesis import given
from hypothesis import strategies as st

from crewd.policy.rate import Limiter


def test_so_often_within_the_window_and_no_more() -> None:
    """And how long to wait is told exactly."""
    limiter = Limiter(3, 60.0)
    waits = [limiter.take("a", now) for now in (0.0, 10.0, 20.0, 30.0, 59.0, 60.0, 61.0)]

    assert waits == [0, 0, 0, 30.0, 1.0, 0, 9.0]


def test_what_was_refused_is_not_counted() -> None:
    """Whoever goes on asking is let in again as soon as whoever waits."""
    limiter = Limiter(1, 60.0)
    limiter.take("a", 0.0)
    for second in range(1, 60):
        assert limiter.take("a", float(second))

    assert limiter.take("a", 60.0) == 0


def test_each_client_is_counted_by_itself() -> None:
    """One that asks too often keeps nobody else out."""
    limiter = Limiter(1, 60.0)
    limiter.count("a", 0.0)

    assert limiter.wait_sec("a", 1.0) == 59.0
    assert limiter.wait_sec("b", 1.0) == 0


def test_memory_is_bounded() -> None:
    """In clients, and for each; those that came last are remembered."""
    limiter = Limiter(2, 60.0, clients=100)
    for number in range(1000):
        for _ in range(5):
            limiter.count(str(number), 0.0)

    assert len(limiter._times) == 100
    assert max(len(times) for times in limiter._times.values()) == 2
    assert limiter.wait_sec("999", 1.0)


def test_clients_that_stay_away_are_forgotten() -> None:
    """Once they may do it as often as anybody."""
    limiter = Limiter(2, 60.0)
    limiter.count("old", 0.0)
    limiter.count("new", 60.0)

    assert list(limiter._times) == ["new"]


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
def test_no_window_holds_more(steps: list[float], limit: int) -> None:
    """Wherever it begins, in any order of asking."""
    limiter, now, taken = Limiter(limit, 60.0), 0.0, []
    for step in steps:
        now += step
        if not limiter.take("a", now):
            taken.append(now)

    assert all(sum(begin <= one < begin + 60.0 for one in taken) <= limit for begin in taken)
