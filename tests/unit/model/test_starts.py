"""How a record keeps its starts."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from crew_strategies import seconds
from crewd.model.record import NO_STARTS, REMEMBERED_STARTS, Starts


@given(kept=st.lists(seconds, max_size=9), begin=st.integers(-10, 10))
def test_starts_are_the_numbers_that_went_in(kept: list[float], begin: int) -> None:
    """To the last bit, in their order, however they are looked at."""
    starts = Starts(kept)

    assert list(starts) == kept
    assert [starts[n] for n in range(len(starts))] == kept
    assert starts[begin:] == tuple(kept[begin:])
    assert (starts, hash(starts)) == (Starts(kept), hash(tuple(kept)))
    assert (starts == NO_STARTS) is (not kept)


def test_a_thousand_of_them_take_ten_kilobytes_at_most() -> None:
    """A worker that crashes for ever without a limit has so many."""
    starts = Starts(n / 7 for n in range(REMEMBERED_STARTS))

    assert sys.getsizeof(starts._seconds) < 10 * REMEMBERED_STARTS
