"""The loop, with every port faked: what is decided is done, and what happens comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from structlog.testing import capture_logs

from crewd.errors import TargetError
from crewd.model.spec import OnShutdown, RestartMode, RestartPolicy, SupervisordOwner
from crewd.model.states import Status
from crewd.reconcile.actions import Exit
from crewd.reconcile.bulletin import Dropped, Listener, News
from crewd.reconcile.loop import CHECK_SEC, REVIVE_AGAIN_SEC, STATUS_SEC, Loop, World
from crewd.reconcile.port import Applied, ApplyRefused
from crewd.reconcile.wanted import Wanted
from crewd.testing import (
    FakeApplier,
    FakeClock,
    FakeEngine,
    FakeJournal,
    FakeLauncher,
    FakeReaper,
    FakeService,
    FakeSupervisord,
    fake_table,
)

BEAT_SEC = 5.0
ESSENTIAL = Wanted(essential=frozenset({"web"}))
NEVER = RestartPolicy(restart=RestartMode.NO)


class Rig:
    """A loop among fakes."""

    def __init__(
        self,
        wanted: Wanted | None = None,
        instances: tuple[str, ...] = ("web-0", "web-1"),
        policy: RestartPolicy | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.supervisord = FakeSupervisord(fake_table(*instances, policy=policy), self.clock)
        self.engine = FakeEngine(self.supervisord)
        self.launcher = FakeLauncher(self.supervisord)
        self.journal = FakeJournal(self.supervisord)
        self.applier = FakeApplier()
        self.reaper = FakeReaper()
        self.service = FakeService()
        self.wanted = wanted or Wanted()
        world = World(self.engine, self.launcher, self.journal, self.applier, self.reaper, self.service, self.clock)
        self.loop = Loop(world, self._read, BEAT_SEC)
        self.task: asyncio.Task[Exit]

    async def _read(self) -> Wanted:
        return self.wanted

    async def settle(self) -> None:
        """Let all tasks do what they can do without the clock."""
        for _ in range(60):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Move the clock, and let all tasks do what follows."""
        self.clock.advance(seconds)
        await self.settle()

    async def exit(self) -> Exit:
        """Return how it ended."""
        return await asyncio.wait_for(self.task, 5)


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    """Run it until the end of the test."""
    rig.task = asyncio.create_task(rig.loop.run())
    await rig.settle()
    try:
        yield rig
    finally:
        rig.task.cancel()
        await asyncio.gather(rig.task, return_exceptions=True)


async def test_it_starts_supervisord_and_says_ready() -> None:
    """And knows everybody."""
    async with running(Rig()) as rig:
        assert rig.launcher.starts == 1
        assert rig.service.said == ["READY=1"]
        assert set(rig.loop.crew.records) == {"web-0", "web-1"}
        assert not rig.loop.crew.stale


async def test_it_takes_over_one_that_runs() -> None:
    """Without starting another; what it finds is no news and is not logged."""
    rig = Rig()
    rig.supervisord.boot()
    with capture_logs() as logs:
        async with running(rig):
            assert rig.launcher.starts == 0
            assert rig.service.said == ["READY=1"]
            assert rig.loop.crew.status("web-0") is Status.STARTING
    assert "started" not in [line["event"] for line in logs]


async def test_the_picture_and_the_log_follow() -> None:
    """An exit, its verdict and the new start, each with its reason, and not one RPC for it."""
    async with running(Rig(policy=RestartPolicy(restart_sec=0.5))) as rig:
        await rig.advance(2)
        calls = rig.engine.calls
        with capture_logs() as logs:
            rig.supervisord.crash("web-0", code=3)
            await rig.settle()
            assert rig.loop.crew.status("web-0") is Status.CRASHED
            await rig.advance(0.5)

        told = [(line["event"], line["instance"]) for line in logs]
        assert told == [("exited", "web-0"), ("restart due", "web-0"), ("started", "web-0")]
        assert logs[0]["reason"] == "ExitCode"
        assert logs[1]["delay_sec"] == 0.5
        assert rig.engine.calls == calls


async def test_the_status_line_follows_slowly() -> None:
    """Once a second at most."""
    async with running(Rig()) as rig:
        await rig.advance(STATUS_SEC)
        before = len(rig.service.messages)
        rig.supervisord.crash("web-0", code=3)
        await rig.settle()

        assert len(rig.service.messages) == before
        await rig.advance(STATUS_SEC / 2)
        await rig.advance(STATUS_SEC / 2)
        assert rig.service.status == "1 worker (2 instances): 1 running, 1 starting"


async def test_the_watchdog_is_fed_by_the_loop() -> None:
    """As often as asked; not at all while an entry of the inbox is not dealt with."""
    async with running(Rig()) as rig:
        fed = rig.service.beats
        for _ in range(3):
            await rig.advance(BEAT_SEC)
        assert rig.service.beats == fed + 3

        stuck = rig.loop._inbox
        rig.loop._inbox = asyncio.Queue()  # the loop waits on the old one: nothing is dealt with any more
        for _ in range(3):
            await rig.advance(BEAT_SEC)
        assert rig.service.beats == fed + 3
        rig.loop._inbox = stuck


async def test_a_dead_supervisord_is_replaced() -> None:
    """At once, the picture marked stale in between."""
    async with running(Rig()) as rig:
        await rig.advance(60)
        stale: list[bool] = []
        rig.launcher.start = _before(rig.launcher.start, lambda: stale.append(rig.loop.crew.stale))
        rig.supervisord.die()
        await rig.settle()

        assert stale == [True]
        assert rig.launcher.starts == 2
        assert not rig.loop.crew.stale
        assert rig.loop.crew.generation == rig.supervisord.generation


async def test_one_that_was_taken_over_is_replaced_too() -> None:
    """The next one is ours."""
    rig = Rig()
    rig.supervisord.boot()
    async with running(rig):
        await rig.advance(60)
        rig.supervisord.die()
        await rig.settle()

        assert rig.launcher.starts == 1
        assert rig.loop.supervision.ours


async def test_an_external_one_is_waited_for() -> None:
    """And never started."""
    async with running(Rig(Wanted(owner=SupervisordOwner.EXTERNAL))) as rig:
        assert rig.service.said == ["READY=1"]
        await rig.advance(5)
        assert rig.launcher.starts == 0

        rig.supervisord.boot()
        for _ in range(4):
            await rig.advance(0.5)
        assert rig.loop.crew.status("web-0") is not Status.STOPPED
        assert not rig.loop.crew.stale


async def test_sigterm_stops_what_it_started() -> None:
    """Every worker's end is seen and logged before the daemon goes."""
    with capture_logs() as logs:
        async with running(Rig()) as rig:
            rig.loop.terminate("SIGTERM")
            assert (await rig.exit()).code == 0
    assert not rig.supervisord.alive
    assert [line["instance"] for line in logs if line["event"] == "exited"] == ["web-0", "web-1"]
    assert rig.service.said[:2] == ["READY=1", "STOPPING=1"]


async def test_sigterm_keeps_on_request() -> None:
    """on_shutdown: keep."""
    async with running(Rig(Wanted(OnShutdown.KEEP))) as rig:
        rig.loop.terminate("SIGTERM")
        assert (await rig.exit()).code == 0
        assert rig.supervisord.alive


async def test_a_supervisord_that_does_not_end_is_killed_with_its_workers() -> None:
    """Nothing is left behind."""
    async with running(Rig(Wanted(stop_within_sec=20.0))) as rig:
        await rig.advance(2)
        assert rig.launcher.process is not None
        rig.launcher.process.stubborn = True
        rig.loop.terminate("SIGTERM")
        await rig.settle()
        await rig.advance(19)
        assert rig.supervisord.alive

        await rig.advance(1)
        assert (await rig.exit()).code == 0
        assert rig.reaper.ended == ("web-0", "web-1")


async def test_a_reload_applies_and_says_so() -> None:
    """RELOADING, then READY; the new wishes hold."""
    async with running(Rig()) as rig:
        rig.wanted = Wanted(OnShutdown.KEEP)
        with capture_logs() as logs:
            rig.applier.result = Applied("t2", changed=True, plan={"added": ("new-0",), "kept": 2}, told=True)
            rig.loop.hangup()
            await rig.settle()

        [line] = [line for line in logs if line["event"] == "applied"]
        assert (line["added"], line["kept"]) == ("new-0", "2")
        assert rig.service.said == ["READY=1", "RELOADING=1", "READY=1"]
        assert rig.loop.supervision.wanted == rig.wanted


async def test_a_broken_file_at_reload_is_said_and_shown() -> None:
    """Nothing else happens."""
    async with running(Rig()) as rig:
        rig.applier.result = ApplyRefused(("a.yaml:1:1: x: y",))
        with capture_logs() as logs:
            rig.loop.hangup()
            await rig.settle()

        assert [line["event"] for line in logs] == ["configuration broken; nothing was changed", "configuration"]
        assert rig.service.status.startswith("configuration not in force, 1 problem; ")
        assert rig.supervisord.alive


async def test_a_broken_file_at_the_start_ends_it() -> None:
    """With the list, nothing started."""
    rig = Rig()
    rig.applier.result = ApplyRefused(("a.yaml:1:1: x: y",))
    async with running(rig):
        assert await rig.exit() == Exit(78, ("a.yaml:1:1: x: y",))
        assert rig.launcher.starts == 0


async def test_one_that_cannot_be_started_ends_it() -> None:
    """With its last words."""
    rig = Rig()
    rig.launcher.dies_at_once = True
    async with running(rig):
        leaving = await rig.exit()
        assert leaving.code == 1
        assert "Error: fake" in leaving.complaint[0]


async def test_one_that_does_not_come_up_is_complained_of() -> None:
    """It is not killed, for it may be busy; but nobody is left to wonder."""
    rig = Rig()
    boot = rig.launcher.start

    def mute() -> object:
        rig.supervisord.silent = "no answer"
        return boot()

    rig.launcher.start = mute
    with capture_logs() as logs:
        async with running(rig):
            for _ in range(400):
                await rig.advance(0.1)
            assert [line["event"] for line in logs].count("supervisord does not answer yet") == 2
            assert rig.service.said == []

            rig.supervisord.silent = ""
            await rig.advance(0.1)
            assert rig.service.said == ["READY=1"]


async def test_one_that_hangs_is_noticed() -> None:
    """It is asked now and then, and the picture is stale as long as it says nothing."""
    async with running(Rig()) as rig:
        rig.supervisord.silent = "no answer"
        await rig.advance(CHECK_SEC)
        assert rig.loop.crew.stale
        assert "does not answer" in rig.service.status

        rig.supervisord.silent = ""
        await rig.advance(CHECK_SEC)
        assert not rig.loop.crew.stale


async def test_nothing_waits_until_the_configuration_is_remembered() -> None:
    """But the configuration itself: it takes effect when the next daemon would know it, too."""
    remembered, disk = list[Wanted](), asyncio.Event()

    async def remember(wanted: Wanted) -> None:
        remembered.append(wanted)
        await disk.wait()

    async with running(Rig()) as rig:
        rig.loop._remember = remember
        rig.wanted = Wanted(on_shutdown=OnShutdown.KEEP)
        rig.loop.hangup()
        await rig.settle()
        rig.supervisord.crash("web-0", code=3)
        await rig.settle()
        assert remembered == [rig.wanted]
        assert rig.loop.crew.status("web-0") is Status.CRASHED
        assert rig.loop.supervision.wanted.on_shutdown is not OnShutdown.KEEP

        disk.set()
        await rig.settle()
        assert rig.loop.supervision.wanted.on_shutdown is OnShutdown.KEEP


async def crash_unheard(rig: Rig, instance: str) -> None:
    """Have it crash while the follower misses its wake-up, until it begins anew."""
    deaf = rig.supervisord.on_change.copy()
    rig.supervisord.on_change.clear()
    rig.supervisord.crash(instance, code=3)
    await rig.advance(2 * CHECK_SEC)
    rig.supervisord.on_change[:0] = deaf
    await rig.advance(CHECK_SEC)


async def test_a_journal_that_was_not_followed_is_followed_anew() -> None:
    """Should the follower ever miss its wake-up, it is for a minute, not for ever."""
    async with running(Rig()) as rig:
        await crash_unheard(rig, "web-0")

        assert rig.loop.crew.sequence == rig.supervisord.version().sequence


async def test_whoever_listens_is_told_that_something_was_not_followed() -> None:
    """What a follower that begins anew reads as history is news to nobody: a listener does not wait for it for ever."""
    async with running(Rig()) as rig:
        with rig.loop.bulletin.listening() as listener:
            rig.supervisord.crash("web-0", code=3)
            await rig.settle()
            told = rig.loop.crew.sequence
            await crash_unheard(rig, "web-1")
            async with asyncio.timeout(5):
                heard = [news.event.sequence async for news in until_dropped(listener)]

        assert heard[-1] == told


async def test_nobody_is_dropped_for_what_is_read_again() -> None:
    """A follower that begins anew and missed nothing has nothing new to tell."""
    async with running(Rig()) as rig:
        with rig.loop.bulletin.listening() as listener:
            rig.loop._follower.cancel()
            rig.loop._follower = rig.loop._spawn(rig.loop._follow())
            await rig.settle()
            rig.supervisord.crash("web-0", code=3)
            await rig.settle()

            assert getattr((await listener.next()).event.fact, "code", None) == 3


async def until_dropped(listener: Listener) -> AsyncIterator[News]:
    """Yield what is to be had."""
    with suppress(Dropped):
        while True:
            yield await listener.next()


async def test_a_loss_that_nobody_followed_ends_the_crew() -> None:
    """A follower that begins anew reads the verdict as history: an essential worker is lost all the same."""
    async with running(Rig(ESSENTIAL, policy=NEVER)) as rig:
        await crash_unheard(rig, "web-0")

        leaving = await rig.exit()
        assert leaving.code == 1
        assert leaving.complaint[0].startswith("cannot go on: web-0 of the essential worker web")


async def test_lost_ones_are_tried_until_supervisord_hears_it() -> None:
    """A start that fails is asked for again; what was lost before is no loss to a follower that begins anew."""
    rig = Rig(ESSENTIAL, policy=NEVER)
    rig.supervisord.boot()
    rig.supervisord.crash("web-0", code=3)
    rig.supervisord.end()
    hears = rig.engine.command

    async def deaf(*_arguments: object, force: bool = False) -> Mapping[str, str]:
        raise TargetError("cannot call crewd.start: no answer", retryable=not force)

    rig.engine.command = deaf
    async with running(rig):
        rig.loop._follower.cancel()
        rig.loop._follower = rig.loop._spawn(rig.loop._follow())
        await rig.advance(REVIVE_AGAIN_SEC)
        assert rig.loop.crew.status("web-0") is Status.CRASHED

        rig.engine.command = hears
        await rig.advance(REVIVE_AGAIN_SEC)
        assert rig.loop.crew.status("web-0") is Status.STARTING
        assert rig.service.said == ["READY=1"]


async def test_a_fault_of_its_own_ends_it() -> None:
    """Loudly; systemd starts it again, and the workers do not notice."""
    rig = Rig()

    def fail() -> None:
        raise RuntimeError("boom")

    rig.applier.before = fail
    async with running(rig):
        leaving = await rig.exit()
        assert leaving.code == 1
        assert "boom" in leaving.complaint[0]


def _before(function: Callable[[], object], first: Callable[[], object]) -> Callable[[], object]:
    def both() -> object:
        first()
        return function()

    return both
