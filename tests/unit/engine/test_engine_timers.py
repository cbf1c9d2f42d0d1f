"""Timers: one live one for each instance."""

from typing import Any, cast

from crewd_supervisord.timers import Alarm, Timers


class Owner:
    """All that a timer knows of an instance."""

    timer = 0


def owner() -> Any:
    """Return somebody who has no timer."""
    return cast("Any", Owner())


def test_timers_ring_in_order():
    """However they were set."""
    timers, one, two, three = Timers(), owner(), owner(), owner()
    timers.set(two, 2.0, Alarm.KILL)
    timers.set(three, 3.0, Alarm.START)
    timers.set(one, 1.0, Alarm.SUCCESS)

    assert [timers.pop(10.0) for _ in range(4)] == [
        (1.0, one, Alarm.SUCCESS),
        (2.0, two, Alarm.KILL),
        (3.0, three, Alarm.START),
        None,
    ]


def test_nothing_rings_before_its_time():
    """And the first to come is known."""
    timers, one = Timers(), owner()
    timers.set(one, 5.0, Alarm.START)

    assert timers.next_at() == 5.0
    assert timers.pop(4.999) is None
    assert timers.pop(5.0) == (5.0, one, Alarm.START)
    assert timers.next_at() is None


def test_a_new_timer_replaces_the_old():
    """Also where the new one is later."""
    timers, one = Timers(), owner()
    timers.set(one, 1.0, Alarm.SUCCESS)
    timers.set(one, 2.0, Alarm.KILL)

    assert timers.next_at() == 2.0
    assert timers.pop(10.0) == (2.0, one, Alarm.KILL)
    assert timers.pop(10.0) is None


def test_a_cancelled_timer_is_void():
    """It does not even wake the loop."""
    timers, one, two = Timers(), owner(), owner()
    timers.set(one, 1.0, Alarm.SUCCESS)
    timers.set(two, 2.0, Alarm.START)
    timers.cancel(one)

    assert timers.next_at() == 2.0
    assert timers.pop(10.0) == (2.0, two, Alarm.START)


def test_timers_of_one_moment_ring_in_the_order_of_setting():
    """Instances are never compared."""
    timers, owners = Timers(), [owner() for _ in range(20)]
    for one in owners:
        timers.set(one, 1.0, Alarm.START)

    assert [timers.pop(1.0)[1] for _ in owners] == owners  # type: ignore[index]
