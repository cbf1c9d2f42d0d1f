"""The bench judges the daemon and the store rightly: slopes, what a page tells, how far a store was behind."""

import pytest

from bench.daemon.changes import moved, told
from bench.figures import Figures, Key, slope
from bench.report import markdown
from bench.store.commits import Commit, behind_sec, rate_per_sec, rows
from bench.store.lines import OF_A_RESTART, TOGETHER, instances, storm
from bench.targets import Line, lines
from crewd.model.accounts import NO_ATTEMPT, Total
from crewd.model.facts import Event
from crewd.policy.accounting import account
from crewd.reconcile.totals import summed


def judged(figures: Figures, beginning: str) -> Line:
    """Return the first target that begins so."""
    return next(line for line in lines(figures) if line.target.startswith(beginning))


def page(exits: int, restarts: int, state: int, started: float | None) -> bytes:
    """Return the lines of a worker, and of one whose name begins like it."""
    start = "" if started is None else f'crewd_worker_start_time_seconds{{worker="w1",instance="w1-0"}} {started}\n'
    return (
        "# TYPE crewd_worker_exits_total counter\n"
        f'crewd_worker_exits_total{{worker="w1",reason="Signal"}} {exits}\n'
        'crewd_worker_exits_total{worker="w11",reason="Signal"} 99\n'
        f'crewd_worker_restarts_total{{worker="w1",reason="Signal"}} {restarts}\n'
        f'crewd_worker_state{{worker="w1",instance="w1-0",state="RUNNING"}} {state}\n{start}'
    ).encode()


def test_a_jump_near_an_end_is_no_growth() -> None:
    """What is taken once moves some points apart, not the median of all slopes."""
    assert slope([(0, 10), (1, 10), (2, 10), (3, 10), (4, 10), (5, 500), (6, 500)]) == 0
    assert slope([(0, 0), (2000, 400), (4000, 800)]) == pytest.approx(0.2)


def test_memory_that_is_given_back_is_a_negative_growth() -> None:
    """The figure is not cut at 0."""
    assert slope([(0, 4000), (2000, 2000), (4000, 0)]) == -1


def test_a_page_tells_of_one_worker_alone() -> None:
    """A worker is found by its whole name."""
    assert told(page(3, 2, 1, 17.5), "w1") == {
        "crewd_worker_exits_total": 3,
        "crewd_worker_restarts_total": 2,
        "crewd_worker_state": 1,
        "crewd_worker_start_time_seconds": 17.5,
    }


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (page(4, 3, 0, None), True),
        (page(4, 3, 1, 18.25), True),
        (page(4, 3, 1, 17.5), False),
        (page(4, 2, 0, None), False),
        (page(3, 3, 0, None), False),
    ],
    ids=["starting", "running again", "state unmoved", "restart not counted", "exit not counted"],
)
def test_a_change_is_shown_once_all_of_it_is(later: bytes, expected: bool) -> None:
    """Both counters, and the state or the start time."""
    assert moved(told(page(3, 2, 1, 17.5), "w1"), told(later, "w1")) is expected


def test_a_store_is_behind_from_its_oldest_unrecorded_line() -> None:
    """Not from the newest of the transaction, and not on average."""
    commits = [Commit(10.5, 10.0, 10.4, 50), Commit(12.0, 10.6, 11.9, 150)]

    assert behind_sec(commits) == pytest.approx([0.5, 1.4])
    assert rows(commits) == 200
    assert rate_per_sec(commits) == 100


def test_a_store_that_once_was_too_far_behind_misses_its_target() -> None:
    """The worst moment counts."""
    figures = Figures()
    figures.add(Key("behind s", 1000, "SQLite", logs=False), 0.1, 0.1, 1.2)
    figures.add(Key("behind s", 1000, "PostgreSQL", logs=False), 0.1, 0.9)

    assert judged(figures, "SQLite").met is False
    assert judged(figures, "PostgreSQL").met is True


def test_the_storm_of_the_bench_is_one_that_the_daemon_counts() -> None:
    """Each restart of its workers is an exit, a restart and a success."""
    names = instances(TOGETHER * 2)
    facts = storm(names, "00000001-bench0")
    attempts = dict.fromkeys(names, NO_ATTEMPT)
    changes = []
    for number in range(OF_A_RESTART * len(names) * 2):
        fact = next(facts)
        instance = fact.instance
        attempts[instance], made = account(attempts[instance], Event(number + 1, float(number), float(number), fact))
        changes += made

    totals = summed(changes)

    for total, label in ((Total.EXITS, "Signal"), (Total.RESTARTS, "Signal"), (Total.ATTEMPTS, "success")):
        assert sum(n for key, n in totals.items() if key[0] is total and key.label == label) == 2 * len(names)


def test_crewctl_is_judged_beside_supervisorctl() -> None:
    """By the medians of one run, for each supervisord that it asks."""
    figures = Figures()
    figures.add(Key("status of all, as a program ms", 1000, "crewctl", logs=False), 140.0)
    figures.add(Key("status of all, as a program ms", 1000, "supervisorctl", logs=False), 690.0)
    figures.add(Key("status of all, as a program ms", 1000, "supervisorctl, stock's", logs=False), 710.0)

    assert judged(figures, "1000: `crewctl status` ≤ 150 ms").met is True
    assert judged(figures, "1000: `crewctl status` ≤ 1/5 of `supervisorctl status` of stock's").met is True
    assert judged(figures, "1000: `crewctl status` ≤ 1/5 of `supervisorctl status` of crewd's").met is False


def test_a_report_shows_what_was_measured_and_nothing_else() -> None:
    """No table without rows."""
    figures = Figures()
    figures.add(Key("behind s", 1000, "SQLite", logs=False), 0.1, 0.2, 0.3)

    text = markdown(figures, ["PostgreSQL: it is not installed"])

    assert "| SQLite: behind s | 1000 | 0.2 | 0.3 | 0.3 | 3 |" in text
    assert "runit |" not in text
    assert "- PostgreSQL: it is not installed" in text


def test_a_rate_is_judged_by_what_it_reaches() -> None:
    """More is better; what was not measured is not judged."""
    figures = Figures()
    assert judged(figures, "1000: status of one").met is None
    figures.add(Key("status of one per s", 1000, "crewd run", logs=False), 1400, 1600, 1700)

    line = judged(figures, "1000: status of one")
    assert (line.met, line.measured) == (True, "1600")
    figures.add(Key("status of one per s", 1000, "crewd run", logs=False), 1, 1)
    assert judged(figures, "1000: status of one").met is False


def test_a_restart_with_listeners_is_judged_beside_one_without() -> None:
    """Of the same run."""
    figures = Figures()
    for peer, sample in (("crewd run", 4.0), ("crewd run, listened to", 8.1)):
        figures.add(Key("POST restart → new process ms", 1000, peer, logs=False), sample)

    assert judged(figures, "1000: a restart with 200").met is False
    assert "listened to" in markdown(figures, [])
