"""A ``View`` as the loop and the recorder would have made it, for tests of what is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from crewd.errors import StoreError
from crewd.model.accounts import Key
from crewd.model.facts import Event, SegmentOpened
from crewd.model.record import Record, to_json
from crewd.model.spec import CrewSpec
from crewd.reconcile.crew import Crew
from crewd.reconcile.port import Batch
from crewd.reconcile.recorder import Recorder
from crewd.reconcile.supervision import Supervision
from crewd.reconcile.totals import Totals
from crewd.reconcile.view import View
from crewd.reconcile.wanted import Applies, wanted_of
from crewd.testing.clock import FakeClock
from crewd.testing.supervisord import FakeSupervisord
from crewd.testing.world import FakeEngine, FakeJournal

GENERATION = "g1"


class StoreAway:
    """Implements ``reconcile.storage.Store``: the database is not there."""

    async def open(self) -> NoReturn:
        """Refuse."""
        raise StoreError("cannot open the database: it is not there")

    async def record(self, recording: object) -> NoReturn:
        """Refuse."""
        raise StoreError("cannot write to the database: it is not there")

    async def events(self, query: object) -> NoReturn:
        """Refuse."""
        raise StoreError("cannot read the database: it is not there")

    async def prune(self, retention: object, now: float) -> NoReturn:
        """Refuse."""
        raise StoreError("cannot prune the database: it is not there")

    async def close(self) -> None:
        """Do nothing."""


@dataclass
class Shown:
    """The view, and the sequence number of the last line that was observed."""

    view: View
    sequence: int = 0

    def observe(self, records: Mapping[str, Record]) -> None:
        """Let the journal say that this is the whole crew."""
        self.sequence += 1
        members = {name: to_json(record) for name, record in records.items()}
        event = Event(self.sequence, 0.0, 0.0, SegmentOpened(GENERATION, "boot", members))
        tuple(self.view.crew.observe(Batch(GENERATION, (event,))))


def shown(
    records: Mapping[str, Record], spec: CrewSpec | None = None, totals: Mapping[Key, float] | None = None
) -> Shown:
    """Return a view of this crew; ``totals`` None: the database has not told yet."""
    clock, known = FakeClock(), Totals()
    supervisord = FakeSupervisord(clock)
    supervision = Supervision()
    recorder = Recorder(
        FakeJournal(supervisord), StoreAway(), FakeEngine(supervisord), clock, known, may_tell=lambda: False
    )
    made = Shown(View(Crew(), supervision, Applies(), known, recorder))
    made.observe(records)
    if spec is not None:
        supervision.wanted = wanted_of(spec)
    if totals is not None:
        known.load(totals)
    return made
