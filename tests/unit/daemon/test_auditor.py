"""What was noted is stored once, whatever the database does meanwhile; what cannot be is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from crewd.model.access import How
from crewd.reconcile import auditor as module
from crewd.reconcile.auditing import Entry
from crewd.reconcile.auditor import AGAIN_MOST_SEC, DETAILS_MOST, LISTED_MOST, PRUNE_SEC, TEXT_MOST, Auditor
from crewd.reconcile.floods import ALL_MOST, EACH_MOST, REPEATED, SOURCES_MOST, SPAN_SEC, Floods
from crewd.reconcile.storage import Retention
from crewd.reconcile.tokens import minted
from crewd.testing import FakeAudit, FakeClock

GRANTED = Entry(
    1.0, "uid 0 pid 42", How.PEER, None, "unix", "POST /api/v1/reload", granted=True, status=200, result="ok"
)
REFUSED = replace(GRANTED, principal="uid 1000 pid 43", granted=False, status=403, result="AUTH_002")


class Rig:
    """An auditor among fakes."""

    def __init__(self) -> None:
        self.clock, self.audit = FakeClock(), FakeAudit()
        self.retention: Retention | None = None
        self.auditor = Auditor(self.audit, self.clock, retention=lambda: self.retention)

    async def settle(self) -> None:
        """Let all tasks do what they can do without the clock."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Move the clock, and let all tasks do what follows."""
        self.clock.advance(seconds)
        await self.settle()

    def note(self, *names: str) -> None:
        """Note a granted attempt for each."""
        for name in names:
            self.auditor.note(replace(GRANTED, what=name))

    def stored(self) -> list[str]:
        """Return what is stored."""
        return [entry.what for entry in self.audit.stored]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let it run."""
        task = asyncio.create_task(self.auditor.run())
        try:
            await self.settle()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_what_is_noted_is_logged_and_stored() -> None:
    """The log has it before the database, with all of its members."""
    rig = Rig()
    with capture_logs() as logs:
        rig.auditor.note(replace(GRANTED, claimed="alice", details={"names": ["web"]}))
    assert rig.audit.stored == []
    assert logs == [
        {
            "event": "audit",
            "log_level": "info",
            "principal": "uid 0 pid 42",
            "how": "peer",
            "claimed": "alice",
            "source": "unix",
            "what": "POST /api/v1/reload",
            "granted": True,
            "status": 200,
            "result": "ok",
            "details": '{"names": ["web"]}',
            "lost": None,
        }
    ]
    assert rig.auditor.backlog.waiting == 1
    async with rig.running():
        assert rig.stored() == ["POST /api/v1/reload"]
        assert rig.auditor.backlog.waiting == 0
        assert await rig.auditor.settled(0.0)


async def test_what_was_refused_is_a_warning() -> None:
    """So that a log of warnings alone has it."""
    with capture_logs() as logs:
        Rig().auditor.note(REFUSED)
    assert logs[0]["log_level"] == "warning"


async def test_what_is_noted_while_the_database_is_away_is_stored_when_it_is_back() -> None:
    """All of it, in order, once; the trouble is said once, and its end too."""
    rig = Rig()
    with capture_logs() as logs:
        async with rig.running():
            rig.audit.trouble = "no route"
            rig.note("a", "b")
            await rig.settle()
            for _ in range(20):
                await rig.advance(AGAIN_MOST_SEC)
            rig.note("c")
            assert rig.stored() == []
            assert rig.auditor.backlog.waiting == 3
            assert not await rig.auditor.settled(0.01)
            rig.audit.trouble = ""
            await rig.advance(AGAIN_MOST_SEC)
            assert rig.stored() == ["a", "b", "c"]

    told = [line["event"] for line in logs if line["event"] != "audit"]
    assert told == ["cannot store the audit", "storing the audit again"]
    assert rig.auditor.backlog.lost == 0


async def test_a_batch_whose_outcome_nobody_knows_is_there_once() -> None:
    """The database wrote it, and went away before it could say so."""
    rig = Rig()
    async with rig.running():
        rig.audit.deaf = True
        rig.note("a", "b")
        await rig.settle()
        rig.note("c")
        rig.audit.deaf = False
        await rig.advance(AGAIN_MOST_SEC)

    assert rig.stored() == ["a", "b", "c"]
    assert [entry.sequence for entry in rig.audit.stored] == [1, 2, 3]
    assert len({entry.run for entry in rig.audit.stored}) == 1


async def test_a_daemon_that_ends_stores_what_waits() -> None:
    """Also what came after the auditor was told to end."""
    rig = Rig()
    async with rig.running():
        rig.audit.trouble = "no route"
        rig.note("a")
        await rig.settle()
    rig.note("b")
    rig.audit.trouble = ""
    await rig.auditor.flush(1.0)

    assert rig.stored() == ["a", "b"]


async def test_what_cannot_be_stored_at_the_end_is_told_with_its_number() -> None:
    """Also where the database does not answer; the end is not held up by it."""
    rig = Rig()
    rig.note("a", "b")
    rig.audit.trouble = "no route"
    with capture_logs() as logs:
        await rig.auditor.flush(1.0)
    assert logs[-1]["event"] == "cannot store the audit: entries are in this log alone"
    assert (logs[-1]["log_level"], logs[-1]["entries"]) == ("error", 2)
    assert (rig.auditor.backlog.lost, rig.auditor.backlog.waiting) == (2, 0)

    hanging = Auditor(Hanging(), rig.clock)
    hanging.note(GRANTED)
    with capture_logs() as logs:
        await hanging.flush(0.01)
    assert logs[-1]["why"] == "no answer within 0.01 s"


class Hanging(FakeAudit):
    """Never answers."""

    async def add(self, entries: Sequence[Entry]) -> None:
        """Take for ever."""
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(("limit", "most"), [("WAITING_MOST", 3), ("WAITING_BYTES_MOST", 3400)])
async def test_memory_is_bounded_and_what_is_lost_is_counted(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    """In entries and in bytes. The log has what the queue has no room for, and says so, loudly, once."""
    monkeypatch.setattr(module, limit, most)
    rig = Rig()
    rig.audit.trouble = "no route"
    with capture_logs() as logs:
        async with rig.running():
            rig.note("a", "b", "c", "d", "e")
            await rig.settle()
            assert (rig.auditor.backlog.waiting, rig.auditor.backlog.lost) == (3, 2)
            rig.audit.trouble = ""
            await rig.advance(AGAIN_MOST_SEC)
            rig.note("f")
            await rig.settle()

    assert rig.stored() == ["a", "b", "c", "f"]
    assert [entry.sequence for entry in rig.audit.stored] == [1, 2, 3, 6]
    audit = [(line["what"], line["lost"]) for line in logs if line["event"] == "audit"]
    assert audit == [("a", None), ("b", None), ("c", None), ("d", True), ("e", True), ("f", None)]
    loud = [line for line in logs if line["log_level"] == "error" and "memory" in line["event"]]
    assert len(loud) == 1
    assert [line["lost"] for line in logs if line["event"] == "storing the audit again"] == [2]


async def test_nothing_that_is_noted_holds_a_secret_or_a_control_character() -> None:
    """Wherever it stands: the database, the log and a terminal get text in one line."""
    _, token = minted()
    rig = Rig()
    odd = f"x\n\x1b[2J\x00\udc80{token}"
    noted = replace(
        GRANTED, principal=odd, claimed=odd, source=odd, what=odd, result=odd, details={odd: [odd, {"deep": odd}]}
    )
    with capture_logs() as logs:
        async with rig.running():
            rig.auditor.note(noted)
            await rig.settle()

    whole = json.dumps(logs, ensure_ascii=False) + repr(rig.audit.stored)
    assert token.rpartition("_")[2] not in whole
    assert "***" in rig.audit.stored[0].what
    assert rig.audit.stored[0].what.isprintable()
    assert not [sign for sign in "\n\x1b\x00\udc80" if sign in whole]


async def test_nothing_that_is_noted_is_large() -> None:
    """Whatever a request had in it."""
    rig = Rig()
    details: dict[str, Any] = {"names": ["w" * 400] * 1000}
    async with rig.running():
        rig.auditor.note(replace(GRANTED, what="/" * 60_000, details=details))
        await rig.settle()
    [stored] = rig.audit.stored

    assert len(stored.what) <= TEXT_MOST + 1
    assert list(stored.details) == ["cut"]
    assert stored.details["cut"] > DETAILS_MOST


async def test_all_names_are_stored_and_the_log_has_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there is room for the entry: one that is in the log alone is whole there."""
    rig = Rig()
    names = [f"worker-{number:04}" + "w" * 80 for number in range(1000)]
    with capture_logs() as logs:
        async with rig.running():
            rig.auditor.note(replace(GRANTED, details={"names": names, "count": 1000}))
            await rig.settle()
            monkeypatch.setattr(module, "WAITING_MOST", 0)
            rig.auditor.note(replace(GRANTED, details={"names": names, "count": 1000}))
    told = [line for line in logs if line["event"] == "audit"]

    assert rig.audit.stored[0].details == {"names": names, "count": 1000}
    assert json.loads(told[0]["details"]) == {"names": names[:LISTED_MOST], "count": 1000}
    assert told[-1]["lost"]
    assert json.loads(told[-1]["details"]) == {"names": names, "count": 1000}


async def test_old_entries_are_pruned_by_the_retention_in_force() -> None:
    """Where it is known, and the database is there."""
    rig = Rig()
    async with rig.running():
        rig.note("a")
        await rig.advance(PRUNE_SEC)
        assert rig.stored() == ["a"]
        rig.retention = Retention(1.0, 0)
        await rig.advance(PRUNE_SEC)
        assert rig.stored() == []
        rig.audit.trouble = "no route"
        with capture_logs() as logs:
            await rig.advance(PRUNE_SEC)
        assert [line["event"] for line in logs] == ["cannot prune the audit"]


# Floods


async def test_a_flood_of_refusals_does_not_push_out_what_others_did() -> None:
    """Each source has so many entries; the rest is one entry with a count, when the span is over."""
    rig = Rig()
    async with rig.running():
        for number in range(1000):
            rig.auditor.note(replace(REFUSED, principal=f"uid 1000 pid {number}", result="AUTH_001"))
        rig.auditor.note(replace(REFUSED, principal="uid 1001 pid 1"))
        rig.auditor.note(GRANTED)
        await rig.settle()
        assert len(rig.audit.stored) == EACH_MOST + 2
        await rig.advance(SPAN_SEC)
        assert len(rig.audit.stored) == EACH_MOST + 3

    last = rig.audit.stored[-1]
    assert (last.result, last.status, last.granted) == (REPEATED, 403, False)
    assert last.details == {"times": 1000 - EACH_MOST, "last": "AUTH_001"}
    assert last.at == rig.clock.time()


async def test_a_flood_is_summed_up_when_the_daemon_ends() -> None:
    """No count is lost."""
    rig = Rig()
    for _ in range(EACH_MOST + 5):
        rig.auditor.note(REFUSED)
    await rig.auditor.flush(1.0)

    assert rig.audit.stored[-1].details["times"] == 5


def test_what_was_granted_is_never_summed_up() -> None:
    """However much it is."""
    floods = Floods()

    assert not any(floods.takes(GRANTED) for _ in range(10_000))
    assert floods.over(1.0) == []


def test_many_sources_are_one_flood() -> None:
    """Addresses are cheap: entries, sources and what is kept of them are bounded, and each attempt is counted."""
    floods = Floods()
    attempts = [replace(REFUSED, principal="anonymous", source=f"192.0.2.{n % 250}:{n}") for n in range(20_000)]
    told = [one for one in attempts if not floods.takes(one)]
    sums = floods.over(1.0)

    assert len(told) == ALL_MOST
    assert len(sums) <= SOURCES_MOST + 1
    assert len(told) + sum(one.details["times"] for one in sums) == 20_000
    assert not floods.takes(attempts[0])
