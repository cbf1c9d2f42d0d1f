"""The other ports of the loop, faked around one FakeSupervisord."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from crewd.errors import TargetError
from crewd.model.facts import Event, SegmentOpened
from crewd.model.journal_line import encode
from crewd.model.offer import Fate, Offer, Ruling
from crewd.reconcile.port import Applied, ApplyResult, Batch, EngineVersion, Position, Verb
from crewd.testing.supervisord import FakeSupervisord


class FakeEngine:
    """Implements ``reconcile.port.Engine``; counts its calls."""

    def __init__(self, supervisord: FakeSupervisord) -> None:
        self._supervisord = supervisord
        self.calls = 0
        self.forced = False
        """Whether the last command was by force."""

    async def version(self) -> EngineVersion:
        """Return who answers."""
        self.calls += 1
        return self._supervisord.version()

    async def acknowledge(self, generation: str, sequence: int) -> None:
        """Let the journal go."""
        self.calls += 1
        self._supervisord.acknowledge(generation, sequence)

    async def command(
        self, verb: Verb, instances: Sequence[str], who: str, *, force: bool = False
    ) -> Mapping[str, str]:
        """Ask for it; whatever is stopped here ends at once, also without ``force``."""
        self.calls += 1
        self.forced = force
        done: Mapping[str, str] = getattr(self._supervisord, verb.value)(instances, who)
        return done

    async def why(self, instance: str) -> Mapping[str, Any]:
        """Return its last exits."""
        self.calls += 1
        return self._supervisord.why(instance)

    async def shutdown(self) -> None:
        """Ask it to end."""
        self.calls += 1
        self._supervisord.end()


class FakeProcess:
    """Implements ``reconcile.port.Process``. ``stubborn``: it does not end when it is asked to."""

    def __init__(self, supervisord: FakeSupervisord, *, child: bool) -> None:
        self._supervisord = supervisord
        self._child = child
        self.pid = supervisord.pid
        self.stubborn = False

    async def ended(self) -> int | None:
        """Wait for its end."""
        over = asyncio.get_running_loop().create_future()

        def look() -> None:
            gone = not self._supervisord.alive or self._supervisord.pid != self.pid
            if gone and not over.done():
                over.set_result(None)

        self._supervisord.on_change.append(look)
        look()
        await over
        return self._supervisord.exit_status if self._child else None

    def terminate(self) -> None:
        """Ask it to end gracefully."""
        if not self.stubborn:
            self._supervisord.end()

    def kill(self) -> None:
        """End it at once."""
        self._supervisord.die(-9)


class FakeLauncher:
    """Implements ``reconcile.port.Launcher``."""

    def __init__(self, supervisord: FakeSupervisord) -> None:
        self._supervisord = supervisord
        self.starts = 0
        self.refusal = ""
        """Why it cannot be started; empty where it can."""
        self.dies_at_once = False
        self.process: FakeProcess | None = None

    def start(self) -> FakeProcess:
        """Start it."""
        if self.refusal:
            raise TargetError(self.refusal)
        self.starts += 1
        self._supervisord.boot()
        self.process = FakeProcess(self._supervisord, child=True)
        if self.dies_at_once:
            self._supervisord.die(2)
        return self.process

    def attach(self, pid: int) -> FakeProcess:
        """Watch one that runs."""
        if not self._supervisord.alive or self._supervisord.pid != pid:
            raise TargetError(f"cannot watch process {pid}: No such process", retryable=True)
        self.process = FakeProcess(self._supervisord, child=False)
        return self.process

    def last_words(self) -> str:
        """Return what it said."""
        return "Error: fake" if self.dies_at_once else ""


class FakeJournal:
    """Implements ``reconcile.port.Journal``: begins at the newest snapshot, as the real one does."""

    def __init__(self, supervisord: FakeSupervisord) -> None:
        self._supervisord = supervisord

    async def follow(self, after: Position | None = None) -> AsyncGenerator[Batch, None]:
        """Yield all lines from the newest snapshot, or from behind ``after``, on; then whatever is appended."""
        more = asyncio.Event()
        self._supervisord.on_change.append(more.set)
        lines = self._supervisord.lines
        position, history = _begin(lines, after), True
        while True:
            more.clear()
            while position < len(lines):
                generation, event = lines[position]
                position += 1
                yield Batch(generation, (event,), history, (encode(event).encode().rstrip(),))
            if history:
                history = False
                yield Batch(lines[-1][0] if lines else "", ())
            await more.wait()


def _begin(lines: list[tuple[str, Event]], after: Position | None) -> int:
    if after is not None:
        return sum(Position(generation, event.sequence) <= after for generation, event in lines)
    starts = [index for index, (_, event) in enumerate(lines) if isinstance(event.fact, SegmentOpened)]
    return (starts or [0])[-1]


class FakeApplier:
    """Implements ``reconcile.port.Applier``: answers ``result`` after ``before`` was called."""

    def __init__(self, result: ApplyResult | None = None) -> None:
        self.result: ApplyResult = result or Applied("table-1", changed=True, plan={"added": ("web-0",)}, told=True)
        self.before: Callable[[], object] = lambda: None
        self.calls = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def apply(self) -> ApplyResult:
        """Answer, once the test lets it."""
        self.calls += 1
        await self.hold.wait()
        self.before()
        return self.result


class FakeRenderer:
    """Implements ``reconcile.port.Renderer``: admits whoever has no ruling in ``rulings``; ``result``: instead of that.

    What is offered to it is remembered: ``applied`` and ``checked``.
    """

    def __init__(self) -> None:
        self.rulings: dict[str, Ruling] = {}
        self.result: ApplyResult | None = None
        self.check_result: ApplyResult | None = None
        self.applied: list[tuple[Offer, ...]] = []
        self.checked: list[tuple[Offer, ...]] = []

    async def apply(self, offers: Sequence[Offer]) -> ApplyResult:
        """Put these in force."""
        self.applied.append(tuple(offers))
        return self.result or self._applied(offers)

    async def check(self, offers: Sequence[Offer]) -> ApplyResult:
        """Look at these."""
        self.checked.append(tuple(offers))
        return self.check_result or self._applied(offers)

    def _applied(self, offers: Sequence[Offer]) -> Applied:
        rulings = {one.worker_id: self.rulings.get(one.worker_id, Ruling(Fate.IN_FORCE)) for one in offers}
        return Applied("table-1", changed=True, told=True, rulings=rulings)


class FakeReaper:
    """Implements ``reconcile.port.Reaper``; remembers whom it was to end."""

    def __init__(self) -> None:
        self.ended: tuple[str, ...] = ()

    def end(self, left: Mapping[str, tuple[int, int]], tokens: Mapping[str, str]) -> tuple[str, ...]:
        """End them all."""
        _ = tokens
        self.ended = tuple(sorted(left))
        return self.ended


class FakeService:
    """Implements ``reconcile.port.ServiceManager``; remembers every message."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, ...]] = []

    def notify(self, *lines: str) -> None:
        """Remember it."""
        self.messages.append(lines)

    @property
    def said(self) -> list[str]:
        """Every line but STATUS and WATCHDOG, in order."""
        quiet = ("STATUS=", "WATCHDOG=")
        return [line for message in self.messages for line in message if not line.startswith(quiet)]

    @property
    def status(self) -> str:
        """The last status line."""
        lines = [line for message in self.messages for line in message if line.startswith("STATUS=")]
        return lines[-1].removeprefix("STATUS=") if lines else ""

    @property
    def beats(self) -> int:
        """How often the watchdog was fed."""
        return sum("WATCHDOG=1" in message for message in self.messages)
