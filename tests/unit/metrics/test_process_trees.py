"""Which processes belong to an instance."""

from crewd.metrics.proc import Seen, trees_of

WEB = {"web-0": (10, 100)}


def process(pid: int, parent: int, group: int = 0, session: int = 1, start_ticks: int = 100) -> Seen:
    """Return a process; its group is its own unless it is said otherwise."""
    return Seen(pid, parent, group or pid, session, 0, start_ticks, 0, zombie=False)


def pids(roots: dict[str, tuple[int, int]], *all_seen: Seen) -> dict[str, list[int]]:
    """Return the pids of each instance's processes, sorted."""
    return {name: sorted(one.pid for one in tree) for name, tree in trees_of(roots, all_seen).items()}


def test_all_descendants_belong_to_it() -> None:
    """However deep, in whatever order they are listed."""
    found = pids(WEB, process(12, 11), process(10, 5), process(13, 12), process(11, 10), process(20, 5))

    assert found == {"web-0": [10, 11, 12, 13]}


def test_a_pid_that_names_another_process_by_now_is_nobody_s() -> None:
    """The start time tells."""
    assert pids(WEB, process(10, 5, start_ticks=101), process(11, 10)) == {}


def test_an_instance_that_is_gone_is_left_out() -> None:
    """Its last words may still be on their way."""
    assert pids(WEB, process(11, 1, group=10)) == {}


def test_an_orphan_belongs_to_the_instance_whose_group_it_is_in() -> None:
    """With its own children, wherever those went."""
    found = pids(WEB, process(10, 5), process(30, 1, group=10), process(31, 30, group=31))

    assert found == {"web-0": [10, 30, 31]}


def test_an_orphan_belongs_to_the_instance_whose_session_it_is_in() -> None:
    """A worker that leads a session, as a shell does."""
    found = pids(WEB, process(10, 5, session=10), process(30, 1, group=30, session=10))

    assert found == {"web-0": [10, 30]}


def test_nobody_is_counted_twice() -> None:
    """A child is in the group of the instance as a rule, and two orphans may be parent and child."""
    found = pids(WEB, process(10, 5), process(11, 10, group=10), process(31, 30, group=10), process(30, 1, group=10))

    assert found == {"web-0": [10, 11, 30, 31]}


def test_a_daemon_that_left_belongs_to_nobody() -> None:
    """It changed its parent, its group and its session: that is what becoming a daemon is."""
    assert pids(WEB, process(10, 5), process(40, 1, session=40)) == {"web-0": [10]}
