"""What workers report, taken in: with the clock, the database and the crew faked."""

import asyncio
from math import inf
from pathlib import Path

import pytest

from crewd.errors import StoreError
from crewd.model.record import Record
from crewd.model.report import Heartbeat, Level, LogEntry, LogKind, Pulse
from crewd.model.spec import WorkerSpec
from crewd.reconcile import reporting
from crewd.reconcile.heartbeats import Heartbeats
from crewd.reconcile.reporting import ENTRIES, GONE_SEC, TooManyReports
from crewd.reconcile.reports import LogQuery
from crewd.testing import FakeStore
from harness.api import POLICY, Crewd, running

ALIVE = Heartbeat(0.0, 0.0, 3, 1, 0)


def entry(number: int = 1) -> LogEntry:
    """Return something that web-0 wants written down."""
    return LogEntry(float(number), "web-0", LogKind.TASK, Level.INFO, f"task {number}")


def expecting(crewd: Crewd, limit_sec: float) -> None:
    """Let the configuration of web say how long it may be silent."""
    spec = crewd.view.spec
    assert spec
    workers = dict(spec.workers)
    workers["web"] = WorkerSpec("web", ("true",), instances=2, policy=POLICY, heartbeat_stale_sec=limit_sec)
    object.__setattr__(spec, "workers", workers)


@pytest.fixture
def crewd(tmp_path: Path) -> Crewd:
    """web-0, web-1 and mail-0."""
    return Crewd(tmp_path)


async def test_a_heartbeat_that_is_overdue_is_stale_until_the_next(crewd: Crewd) -> None:
    """Counted once for each time, however often it is looked."""
    async with running(crewd, serving=False):
        crewd.reporting.hear("web-0", ALIVE)
        await crewd.advance(89)
        assert not crewd.view.heartbeats.of["web-0"].stale
        for _ in range(5):
            await crewd.advance(2)
        pulse = crewd.view.heartbeats.of["web-0"]
        assert (pulse.stale, pulse.stale_count) == (True, 1)

        crewd.reporting.hear("web-0", ALIVE)
        pulse = crewd.view.heartbeats.of["web-0"]
        assert (pulse.stale, pulse.stale_count) == (False, 1)
        await crewd.advance(91)
        assert crewd.view.heartbeats.of["web-0"].stale_count == 2


async def test_nothing_is_expected_of_who_never_reported(crewd: Crewd) -> None:
    """Unless its configuration says so: then silence from the start counts."""
    async with running(crewd, serving=False):
        await crewd.advance(10_000)
        assert crewd.view.heartbeats.of == {}
        expecting(crewd, 30.0)
        await crewd.advance(2)

        assert {name: pulse.stale for name, pulse in crewd.view.heartbeats.of.items()} == {"web-0": True, "web-1": True}


async def test_silence_without_end_may_be_configured(crewd: Crewd) -> None:
    """Then none is ever stale."""
    async with running(crewd, serving=False):
        expecting(crewd, inf)
        crewd.reporting.hear("web-0", ALIVE)
        await crewd.advance(1e6)

        assert not crewd.view.heartbeats.of["web-0"].stale


async def test_a_process_that_is_stopped_is_not_silent(crewd: Crewd) -> None:
    """And a new one has all the time for its first heartbeat."""
    async with running(crewd, serving=False):
        crewd.reporting.hear("web-0", ALIVE)
        await crewd.advance(91)
        assert crewd.view.heartbeats.of["web-0"].stale
        crewd.supervisord.stop(["web-0"], "test")
        await crewd.settle()
        await crewd.advance(500)
        assert not crewd.view.heartbeats.of["web-0"].stale
        crewd.supervisord.start(["web-0"], "test")
        await crewd.settle()
        await crewd.advance(80)
        assert not crewd.view.heartbeats.of["web-0"].stale
        await crewd.advance(20)
        assert crewd.view.heartbeats.of["web-0"].stale_count == 2


async def test_heartbeats_outlive_the_daemon(crewd: Crewd, tmp_path: Path) -> None:
    """With what was said, when, and how often one was missed: none is counted twice."""
    async with running(crewd, serving=False):
        crewd.reporting.hear("web-0", ALIVE)
        heard = crewd.clock.time()
        await crewd.advance(91)
        await crewd.advance(2)
    again = Crewd(tmp_path / "again")
    again.store.database.pulses.update(crewd.store.database.pulses)
    again.clock.advance(200)
    async with running(again, serving=False):
        await again.advance(2)
        pulse = again.view.heartbeats.of["web-0"]

    assert pulse.heartbeat
    assert (pulse.heartbeat.at, pulse.heartbeat.assigned_accounts, pulse.stale_count) == (heard, 3, 1)


async def test_silence_that_is_known_is_not_counted_again(crewd: Crewd) -> None:
    """A daemon that starts may find a worker silent before the database told what it knows of it."""
    async with running(crewd, serving=False):
        known = Pulse(Heartbeat(crewd.clock.time(), 0.0, 3), stale=True, stale_count=4)
        expecting(crewd, 30.0)
        await crewd.advance(100)
        assert crewd.view.heartbeats.of["web-0"].stale_count == 1
        crewd.view.heartbeats.load({"web-0": known})
        await crewd.advance(2)

        assert crewd.view.heartbeats.of["web-0"] == known
        assert crewd.view.heartbeats.take_changed() == {}


def test_who_missed_a_heartbeat_is_remembered_as_long_as_its_worker() -> None:
    """It counts for the worker's total, which never falls."""
    heartbeats = Heartbeats()
    heard = Heartbeat(10.0, 0.0)
    missed = Pulse(heard, stale_count=2)
    heartbeats.load({"web-7": missed, "web-8": Pulse(heard), "gone-7": missed})

    assert set(heartbeats.gone({"web-0": Record()}, 20.0)) == {"web-8", "gone-7"}
    assert "web-7" in heartbeats.gone({}, 20.0)


async def test_heartbeats_count_while_the_database_is_away(crewd: Crewd) -> None:
    """They are kept when it is back, the latest of each."""
    async with running(crewd, serving=False):
        crewd.store.trouble = "away"
        for count in (1, 2):
            crewd.reporting.hear("web-0", Heartbeat(0.0, 0.0, count))
            await crewd.advance(2)
        assert crewd.store.database.pulses == {}
        assert crewd.view.heartbeats.of["web-0"].heartbeat
        crewd.store.trouble = ""
        await crewd.advance(5)
        await crewd.advance(2)
        kept = crewd.store.database.pulses["web-0"].heartbeat

    assert kept
    assert kept.assigned_accounts == 2


async def test_who_is_gone_for_a_day_is_forgotten(crewd: Crewd) -> None:
    """In memory and in the database; not before, for it may come back."""
    async with running(crewd, serving=False):
        crewd.reporting.hear("gone-7", ALIVE)
        await crewd.advance(GONE_SEC - 5)
        assert "gone-7" in crewd.store.database.pulses
        await crewd.advance(10)

        assert crewd.view.heartbeats.of == {}
        assert crewd.store.database.pulses == {}


async def test_entries_are_stored_when_that_is_told(crewd: Crewd) -> None:
    """Those of many who report at once together, each in its order."""
    async with running(crewd, serving=False):
        await asyncio.gather(*(crewd.reporting.write_down("web-0", [entry(n), entry(n + 1)]) for n in range(0, 20, 2)))

        assert [one.message for one in await crewd.reports.entries(LogQuery())] == [f"task {n}" for n in range(20)]


async def test_entries_are_refused_while_the_database_is_away(crewd: Crewd) -> None:
    """At once where that is known; else as soon as it turns out. Nothing is told to be stored that is not."""
    async with running(crewd, serving=False):
        crewd.store.trouble = "away"
        with pytest.raises(StoreError, match="away"):
            await crewd.reporting.write_down("web-0", [entry()])
        crewd.supervisord.crash("web-0")
        await crewd.settle()
        assert crewd.recorder.recorded.trouble
        with pytest.raises(StoreError, match=r"cannot write down: .*away"):
            await crewd.reporting.write_down("web-0", [entry()])
        crewd.store.trouble = ""
        await crewd.advance(20)
        await crewd.reporting.write_down("web-0", [entry(7)])

        assert [one.message for one in await crewd.reports.entries(LogQuery())] == ["task 7"]


async def test_a_worker_that_reports_too_fast_is_held_up(crewd: Crewd) -> None:
    """It alone, and it is told for how long."""
    async with running(crewd, serving=False):
        for _ in range(int(ENTRIES.burst / 1000)):
            await crewd.reporting.write_down("web-0", [entry()] * 1000)
        with pytest.raises(TooManyReports, match="from web") as error:
            await crewd.reporting.write_down("web-1", [entry()] * 100)
        assert error.value.wait_sec == 1.0
        await crewd.reporting.write_down("mail-0", [entry()])
        await crewd.advance(1)
        await crewd.reporting.write_down("web-1", [entry()] * 100)


async def test_not_too_much_waits_for_a_slow_database(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is refused at once; when the daemon ends, whoever waits is told that nothing was stored."""
    monkeypatch.setattr(reporting, "WAITING_MOST", 10)
    store = crewd.store

    async def hanging(_entries: object) -> None:
        await asyncio.Event().wait()

    async with running(crewd, serving=False):
        monkeypatch.setattr(crewd.reports, "add", hanging)
        waiting = [asyncio.create_task(crewd.reporting.write_down("web-0", [entry()] * 4)) for _ in range(2)]
        await crewd.settle()
        with pytest.raises(TooManyReports, match="8 entries wait"):
            await crewd.reporting.write_down("web-0", [entry()] * 5)
    told = await asyncio.gather(*waiting, return_exceptions=True)

    assert [str(one) for one in told] == ["cannot write down: crewd ends"] * 2
    assert isinstance(store, FakeStore)
    assert store.database.logs == []
