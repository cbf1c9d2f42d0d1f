"""What crewd relies on in a shelf for the audit: one suite for the shipped fake, for SQLite and a real PostgreSQL."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from crewd.model.access import How
from crewd.reconcile.auditing import Audit, AuditQuery, Entry
from crewd.reconcile.storage import Retention
from crewd.store import SqlAudit
from crewd.testing import FakeAudit
from harness.databases import empty_database, empty_file, opened_store, postgres  # noqa: F401 - fixtures

WHO = ("uid 0 pid 42", "uid 0 pid 7", "uid 01", "token 7f3a", "anonymous")


def entry(number: int, **changes: Any) -> Entry:
    """Return an entry: one a second, of five principals in turn, each third of them refused."""
    granted = number % 3 != 0
    made = Entry(
        at=float(number),
        principal=WHO[number % 5],
        how=How.TOKEN if number % 5 == 3 else How.PEER,
        claimed="alice" if number % 2 else None,
        source="unix",
        what=f"POST /api/v1/workers/web-{number}/stop" if number % 2 else "GET /api/v1/tokens",
        granted=granted,
        status=200 if granted else 403,
        result="ok" if granted else "AUTH_002",
        details={"names": ["web"], "count": number, "deep": {"a": None, "b": True, "c": 0.5}},
        run="run",
        sequence=number,
    )
    return replace(made, **changes)


def numbers(found: tuple[Entry, ...]) -> list[int]:
    """Return which entries these are."""
    return [one.sequence for one in found]


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
async def audit(request: Any, tmp_path: Path) -> AsyncGenerator[Audit]:
    """A shelf without entries."""
    if request.param == "fake":
        yield FakeAudit()
        return
    async with opened_store(request.param, request, tmp_path) as store:
        yield SqlAudit(store)


@pytest.fixture
async def filled(audit: Audit) -> Audit:
    """A shelf with the entries 1 to 30 in two batches."""
    await audit.add([entry(number) for number in range(1, 13)])
    await audit.add([entry(number) for number in range(13, 31)])
    return audit


async def test_entries_come_back_as_they_were(audit: Audit) -> None:
    """Every member."""
    odd = entry(2, what="'; DROP TABLE audit; -- %s :x \\", principal="naïve 🚀", at=1767225600.123456, details={})
    await audit.add([entry(1), odd])
    await audit.add([])

    found = await audit.entries(AuditQuery())
    assert tuple(replace(one, id=0) for one in found) == (entry(1), odd)
    assert found[0].id < found[1].id


async def test_what_is_added_again_is_there_once(filled: Audit) -> None:
    """A batch whose outcome nobody knew is written again, alone or with others."""
    before = await filled.entries(AuditQuery(limit=100))
    await filled.add([entry(number, principal="another") for number in range(13, 31)])
    await filled.add([entry(30), entry(31), entry(1, run="another")])

    found = await filled.entries(AuditQuery(limit=100))
    assert found[:30] == before
    assert [(one.run, one.sequence) for one in found[30:]] == [("run", 31), ("another", 1)]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (AuditQuery(limit=3), [28, 29, 30]),
        (AuditQuery(limit=0), []),
        (AuditQuery(limit=1000), list(range(1, 31))),
        (AuditQuery(principal="uid 0 pid 7", limit=2), [21, 26]),
        (AuditQuery(principal="uid 0", limit=4), [21, 25, 26, 30]),
        (AuditQuery(principal="uid", limit=3), [26, 27, 30]),
        (AuditQuery(principal="ui"), []),
        (AuditQuery(principal="UID 0"), []),
        (AuditQuery(principal="uid_0"), []),
        (AuditQuery(what="web-1/"), [1]),
        (AuditQuery(what="/tokens", limit=2), [28, 30]),
        (AuditQuery(what="/TOKENS"), []),
        (AuditQuery(what="%"), []),
        (AuditQuery(what="", limit=1), [30]),
        (AuditQuery(granted=False, limit=3), [24, 27, 30]),
        (AuditQuery(granted=True, limit=3), [26, 28, 29]),
        (AuditQuery(since=29.0), [29, 30]),
        (AuditQuery(until=3.0), [1, 2]),
        (AuditQuery(principal="uid 0", what="stop", granted=True, since=4.0, until=26.0), [5, 11, 25]),
    ],
)
async def test_entries_are_found(filled: Audit, query: AuditQuery, wanted: list[int]) -> None:
    """By any condition and all together; texts as they are written, alike in each database."""
    assert numbers(await filled.entries(query)) == wanted


BATCH = "POST /api/v1/workers/batch"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("stop", [1, 3]),
        ("action=stop", [1]),
        ("batch action=s", [1]),
        ("reset-failed", [2]),
        ("batch", [1, 2, 4, 5]),
        ("action=", [1, 2]),
        ("action", [1, 2]),
        ("/stop", [3]),
        ("STOP", []),
        ("%", []),
    ],
)
async def test_an_action_is_found_in_the_details(audit: Audit, text: str, wanted: list[int]) -> None:
    """The path of a batch does not name it; what a client claims of itself, and other details, are not searched."""
    await audit.add(
        [
            entry(1, what=BATCH, details={"action": "stop", "names": ["web"], "count": 1}),
            entry(2, what=BATCH, details={"action": "reset-failed", "names": ["stop"], "count": 1}),
            entry(3, what="POST /api/v1/workers/web/stop", details={}),
            entry(4, what=BATCH, claimed='"action":"stop"', details={"names": ['"action":"stop"']}),
            entry(5, what=BATCH, details={"action": "%"}),
        ]
    )

    assert numbers(await audit.entries(AuditQuery(what=text))) == wanted


async def test_entries_are_paged_backwards(filled: Audit) -> None:
    """From the newest to the oldest, without one missing or twice."""
    pages, before = [], None
    while page := await filled.entries(AuditQuery(limit=7, before_id=before)):
        pages.append(numbers(page))
        before = page[0].id

    assert pages == [[*range(24, 31)], [*range(17, 24)], [*range(10, 17)], [*range(3, 10)], [1, 2]]


async def test_old_entries_are_pruned(filled: Audit) -> None:
    """By age: an entry exactly as old as the retention stays."""
    assert await filled.prune(Retention(10.0, 0), 35.0) == 24
    assert numbers(await filled.entries(AuditQuery())) == [25, 26, 27, 28, 29, 30]
    assert await filled.prune(Retention(10.0, 0), 35.0) == 0
    assert await filled.prune(Retention(inf, 0), 1e9) == 0


async def test_too_many_entries_are_pruned(audit: Audit) -> None:
    """By size, about: the oldest go, in more than one step."""
    for begin in range(0, 5000, 500):
        await audit.add([entry(number) for number in range(begin + 1, begin + 501)])

    pruned = await audit.prune(Retention(inf, 300_000), 0.0)
    left = numbers(await audit.entries(AuditQuery(limit=9999)))

    assert 500 <= len(left) <= 1500
    assert left == list(range(left[0], 5001))
    assert pruned == 5000 - len(left)


async def test_numbering_goes_on_after_pruning(filled: Audit) -> None:
    """What is newer has the larger id."""
    last = (await filled.entries(AuditQuery(limit=1)))[0].id
    await filled.prune(Retention(1.0, 0), 31.0)
    await filled.add([entry(31)])

    assert (await filled.entries(AuditQuery(limit=1)))[0].id > last
