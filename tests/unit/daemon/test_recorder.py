"""What the journal says goes into the store once, whatever the store does meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from structlog.testing import capture_logs

from crewd.model.accounts import Key, Total
from crewd.model.facts import Gap
from crewd.model.journal_line import decode
from crewd.model.spec import RestartMode, RestartPolicy
from crewd.reconcile.recorder import AGAIN_MOST_SEC, PRUNE_SEC, Recorder
from crewd.reconcile.storage import Retention
from crewd.reconcile.totals import Totals
from crewd.testing import FakeClock, FakeDatabase, FakeEngine, FakeJournal, FakeStore, FakeSupervisord, fake_table

ALWAYS = RestartPolicy(RestartMode.ALWAYS, restart_sec=1.0, start_success_sec=0.5, start_limit_burst=0)


class Rig:
    """A recorder among fakes. Several may share a database, as one daemon after the other does."""

    def __init__(self, supervisord: FakeSupervisord | None = None, database: FakeDatabase | None = None) -> None:
        self.supervisord = supervisord or FakeSupervisord(fake_table("web-0", "web-1", policy=ALWAYS), FakeClock())
        self.clock = self.supervisord.clock
        self.database = database or FakeDatabase()
        self.store = FakeStore(self.database)
        self.totals = Totals()
        self.may_tell = True
        self.retention: Retention | None = None
        self.recorder = Recorder(
            FakeJournal(self.supervisord),
            self.store,
            FakeEngine(self.supervisord),
            self.clock,
            self.totals,
            may_tell=lambda: self.may_tell,
            retention=lambda: self.retention,
        )

    async def settle(self) -> None:
        """Let all tasks do what they can do without the clock."""
        for _ in range(100):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Move the clock, and let all tasks do what follows."""
        self.clock.advance(seconds)
        await self.settle()

    async def crash(self, instance: str = "web-0") -> None:
        """Let an instance end, and be started again."""
        self.supervisord.crash(instance)
        await self.advance(1.0)
        await self.advance(0.5)

    def stored(self) -> list[tuple[str, int]]:
        """Return the places of all that is stored."""
        return [(event.row.generation, event.row.sequence) for event in self.database.events]

    def journal(self) -> list[tuple[str, int]]:
        """Return the places of all that was ever written."""
        return [(generation, event.sequence) for generation, event in self.supervisord.lines]


@asynccontextmanager
async def recording(rig: Rig) -> AsyncIterator[Rig]:
    """Let it record until the end of the test."""
    task = asyncio.create_task(rig.recorder.run())
    await rig.settle()
    try:
        yield rig
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_everything_that_happens_is_stored_once() -> None:
    """In order, line by line as it was written, and what it comes to is counted."""
    rig = Rig()
    rig.supervisord.boot()
    async with recording(rig):
        await rig.crash()

        assert rig.stored() == rig.journal()
        assert [decode(event.row.line) for event in rig.database.events] == [e for _, e in rig.supervisord.lines]
        assert rig.totals.get(Total.RESTARTS, "web", "ExitCode") == 1
        assert rig.totals.get(Total.ATTEMPTS, "web", "success") == 1
        assert rig.database.totals[Key(Total.DURATION_SUM, "web")] == 1.0
        assert rig.recorder.lag(*rig.journal()[-1]) == 0


async def test_the_next_daemon_goes_on_where_the_last_one_was() -> None:
    """Also in the middle of an attempt: its success is counted, with its duration."""
    first = Rig()
    first.supervisord.boot()
    async with recording(first):
        first.supervisord.crash("web-0")
        await first.settle()
    first.clock.advance(1.0)
    second = Rig(first.supervisord, first.database)
    async with recording(second):
        await second.advance(0.5)

        assert second.stored() == second.journal()
        assert second.database.totals[Key(Total.ATTEMPTS, "web", "success")] == 1
        assert second.database.totals[Key(Total.DURATION_SUM, "web")] == 1.0


async def test_while_the_store_is_away_the_journal_waits() -> None:
    """Said once, tried ever more slowly; afterwards nothing is missing and nothing doubled."""
    rig = Rig()
    rig.supervisord.boot()
    async with recording(rig):
        with capture_logs() as logs:
            rig.store.trouble = "locked"
            for _ in range(5):
                await rig.crash()
            assert "locked" in rig.recorder.recorded.trouble
            assert rig.recorder.lag(*rig.journal()[-1]) > 0
            rig.store.trouble = ""
            await rig.advance(AGAIN_MOST_SEC)

        assert rig.stored() == rig.journal()
        assert rig.recorder.recorded.trouble == ""
        said = Counter(line["event"] for line in logs)
        assert said == {"cannot record": 2, "recording again": 1}  # the write that failed, then the opening


async def test_a_store_that_opens_and_does_not_write_is_said_once() -> None:
    """A full disk: it is no good news that the database can be opened."""
    rig = Rig()
    rig.supervisord.boot()
    async with recording(rig):
        rig.store.full = True
        with capture_logs() as logs:
            rig.supervisord.crash("web-0")
            for _ in range(6):
                await rig.advance(AGAIN_MOST_SEC)
            assert "full" in rig.recorder.recorded.trouble
            rig.store.full = False
            await rig.advance(AGAIN_MOST_SEC)

        assert [line["event"] for line in logs] == ["cannot record", "recording again"]
        assert rig.stored() == rig.journal()


async def test_a_recording_whose_answer_was_lost_is_not_written_again() -> None:
    """Only the store knows whether it was: it is asked."""
    rig = Rig()
    rig.supervisord.boot()
    async with recording(rig):
        rig.store.deaf = True
        rig.supervisord.crash("web-0")
        await rig.settle()
        rig.store.deaf = False
        for _ in range(4):
            await rig.advance(AGAIN_MOST_SEC)

        assert rig.stored() == rig.journal()
        assert rig.totals.get(Total.RESTARTS, "web", "ExitCode") == 1
        assert rig.database.totals[Key(Total.EXITS, "web", "ExitCode")] == 1


async def test_a_store_that_cannot_be_opened_leaves_the_totals_unknown() -> None:
    """Rather than beginning at 0, which would be a lie."""
    rig = Rig()
    rig.store.trouble = "written by a newer crewd"
    rig.supervisord.boot()
    async with recording(rig):
        assert not rig.totals.known
        assert not rig.recorder.recorded.open

        rig.store.trouble = ""
        await rig.advance(AGAIN_MOST_SEC)
        assert rig.totals.known


async def test_what_is_recorded_may_go() -> None:
    """One word to the engine for each new segment, and none between; none to an engine that may not be told."""
    rig = Rig()
    rig.supervisord.boot()
    async with recording(rig):
        place = rig.supervisord.acknowledged
        assert place is not None
        await rig.crash()
        assert rig.supervisord.acknowledged == place

        rig.supervisord.die()
        rig.supervisord.boot()
        await rig.settle()
        assert rig.supervisord.acknowledged == (rig.supervisord.generation, rig.journal()[-1][1])
        rig.may_tell = False
        told = rig.supervisord.acknowledged
        rig.supervisord.die()
        rig.supervisord.boot()
        await rig.settle()
        assert rig.supervisord.acknowledged == told


async def test_lines_that_are_gone_are_counted_and_said() -> None:
    """The engine drops the oldest beyond its bound: that many were lost."""
    rig = Rig()
    rig.supervisord.boot()
    async with recording(rig):
        await rig.crash()
    rig.supervisord.crash("web-1")
    gone = len(rig.journal()) - len(rig.stored())
    rig.supervisord.crash("web-0")
    rig.supervisord.lines[len(rig.stored()) : len(rig.stored()) + gone] = []
    after = Rig(rig.supervisord, rig.database)
    with capture_logs() as logs:
        async with recording(after):
            assert after.totals.get(Total.LOST) == gone

    assert [line["lost"] for line in logs if line["event"] == "journal lines are missing"] == [gone]


async def test_a_gap_that_the_engine_tells_of_is_counted_once() -> None:
    """By what it says itself."""
    rig = Rig()
    rig.supervisord.boot()
    async with recording(rig):
        rig.supervisord._sequence += 6
        rig.supervisord._append(Gap(rig.journal()[-1][1] + 1, rig.journal()[-1][1] + 7, 7))
        await rig.settle()

        assert rig.totals.get(Total.LOST) == 7


async def test_an_empty_store_begins_with_what_there_is() -> None:
    """What was acknowledged and removed long ago is not missing."""
    rig = Rig()
    rig.supervisord.boot()
    del rig.supervisord.lines[:5]
    async with recording(rig):
        assert rig.totals.get(Total.LOST) == 0
        assert rig.stored() == rig.journal()


async def test_old_events_are_pruned_and_totals_are_not() -> None:
    """Now and then, by the retention in force."""
    rig = Rig()
    rig.supervisord.boot()
    rig.retention = Retention(age_sec=60.0, size_bytes=0)
    async with recording(rig):
        await rig.crash()
        counted = dict(rig.database.totals)
        await rig.advance(PRUNE_SEC)

        assert rig.stored() == []
        assert rig.database.totals == counted
