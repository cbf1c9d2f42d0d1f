"""What workers report over the API, what is made of it, and what hostile input comes to."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from crewd.api import worker_logs
from crewd.api.report_bodies import DETAILS_BYTES, MESSAGE_MOST
from crewd.model.access import Role
from crewd.model.report import Level, LogEntry, LogKind
from crewd.reconcile.tokens import Token, digest_of, minted
from harness.api import Crewd, running, until


@pytest.fixture
def crewd(tmp_path: Path) -> Crewd:
    """web-0, web-1 and mail-0."""
    return Crewd(tmp_path, labels={"web": {"tier": "front"}})


def task(at: float, instance: str = "web-0", level: Level = Level.INFO, message: str = "a task") -> LogEntry:
    """Return an entry of a worker."""
    return LogEntry(at, instance, LogKind.TASK, level, message)


async def logs(crewd: Crewd, **query: Any) -> list[dict[str, Any]]:
    """Return all entries, page by page, oldest first."""
    found: list[dict[str, Any]] = []
    words = "&".join(f"{key}={value}" for key, value in query.items())
    cursor = ""
    while True:
        page = (await crewd.get(f"/worker-logs?{words}{cursor}")).data
        found = [*page["entries"], *found]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def test_a_heartbeat_is_seen_everywhere(crewd: Crewd) -> None:
    """In the status of the worker and of the instance, in the list, in the sums, and in its age."""
    async with running(crewd):
        told = {"instance": "web-1", "assigned_accounts": 3, "active_tasks": 2, "error_count": 1}
        heard = (await crewd.post("/workers/web/heartbeat", {**told, "metadata": {"queue": "mail"}})).data
        await crewd.post("/workers/web-0/heartbeat", {"assigned_accounts": 4})
        await crewd.advance(5)
        web = (await crewd.get("/workers/web/status")).data
        [_, listed] = (await crewd.get("/workers")).data["workers"]
        overview = (await crewd.get("/workers/stats/overview")).data

        assert (heard["worker_id"], heard["instance"], heard["stale_after_sec"]) == ("web", "web-1", 90.0)
        assert (web["assigned_accounts"], web["active_tasks"], web["reported_errors"]) == (7, 2, 1)
        assert (web["heartbeat_stale"], web["last_heartbeat_at"]) == (False, heard["at"])
        assert web["instances"][1]["heartbeat"] == {
            "at": heard["at"],
            "age_ms": 5000,
            "stale": False,
            "stale_count": 0,
            "assigned_accounts": 3,
            "active_tasks": 2,
            "error_count": 1,
            "metadata": {"queue": "mail"},
        }
        assert listed["assigned_accounts"] == 7
        assert overview["assigned_accounts"] == 7
        assert overview["heartbeats"] == {"reporting": 2, "stale": 0, "stale_count": 0}


async def test_a_missed_heartbeat_is_no_health(crewd: Crewd) -> None:
    """And says so; the next one heals it."""
    async with running(crewd):
        await crewd.post("/workers/mail/heartbeat")
        healthy = (await crewd.get("/workers/mail/health")).data
        await crewd.advance(95)
        ill = (await crewd.get("/workers/mail-0/health")).data
        overview = (await crewd.get("/workers/stats/overview")).data
        await crewd.post("/workers/mail/heartbeat", {})
        healed = (await crewd.get("/workers/mail/health")).data

        assert healthy == {"worker_id": "mail", "healthy": True, "status": "running", "reasons": [], "warnings": []}
        assert ill["healthy"] is False
        assert ill["reasons"] == [
            {"instance": "mail-0", "cause": "heartbeat", "message": "mail-0 sent no heartbeat for 1 min 35 s"}
        ]
        assert overview["heartbeats"] == {"reporting": 1, "stale": 1, "stale_count": 1}
        assert healed["healthy"] is True


async def test_health_tells_why_not(crewd: Crewd) -> None:
    """Each instance that does not run, and how; what nobody wants to run is no harm; supervisord away is unknown."""
    async with running(crewd):
        crewd.supervisord.crash("web-0")
        await crewd.advance(0)
        crashed = (await crewd.get("/workers/web/health")).data
        await crewd.post("/workers/mail/stop")
        await crewd.settle()
        stopped = (await crewd.get("/workers/mail/health")).data
        unknown = await crewd.get("/workers/wbe/health")

        assert [(one["instance"], one["cause"]) for one in crashed["reasons"]] == [("web-0", "crashed")]
        assert crashed["reasons"][0]["message"] == "web-0 crashed, and waits for its restart"
        assert stopped["reasons"][0]["message"] == "mail-0 was stopped by an operator"
        assert (unknown.status, unknown.code) == (404, "WORKER_001")


async def test_the_overview_counts_all(crewd: Crewd) -> None:
    """All six statuses, also those that nobody has."""
    async with running(crewd):
        await crewd.post("/workers/mail/stop")
        await crewd.settle()
        overview = (await crewd.get("/workers/stats/overview")).data

        none = dict.fromkeys(("starting", "stopping", "error", "crashed"), 0)
        assert overview["by_status"] == {**none, "running": 1, "stopped": 1}
        assert overview["instances_by_status"] == {**none, "running": 2, "stopped": 1}
        assert (overview["workers"], overview["instances"], overview["restart_count"]) == (2, 3, 0)
        assert overview["stale"] is False


async def test_what_is_written_down_is_found(crewd: Crewd) -> None:
    """One entry or several; what was not said is filled in."""
    async with running(crewd):
        one = {"message": "took over account 7", "details": {"account": 7}, "at": "2026-01-31T09:00:00Z"}
        stored = (await crewd.post("/workers/mail/logs", one)).data
        entries = [{"message": "a"}, {"kind": "error", "message": "b"}, {"level": "debug", "message": "c"}]
        await crewd.post("/workers/web/logs", {"instance": "web-1", "entries": entries})
        found = await logs(crewd, kind="task")
        wrong = await logs(crewd, kind="error")

        assert stored == {"worker_id": "mail", "instance": "mail-0", "stored": 1}
        assert found[0] == {
            "id": "report-1",
            "at": "2026-01-31T09:00:00.000Z",
            "worker_id": "mail",
            "instance": "mail-0",
            "kind": "task",
            "level": "info",
            "message": "took over account 7",
            "type": None,
            "details": {"account": 7},
        }
        assert [(one["instance"], one["level"], one["message"]) for one in found[1:]] == [
            ("web-1", "info", "a"),
            ("web-1", "debug", "c"),
        ]
        assert [(one["level"], one["message"]) for one in wrong] == [("error", "b")]


async def test_nothing_is_from_the_future(crewd: Crewd) -> None:
    """An entry whose worker's clock is ahead has the time at which it came."""
    async with running(crewd):
        await crewd.post("/workers/mail/logs", {"message": "a", "at": "9999-12-31T23:59:59Z"})
        [found] = await logs(crewd, kind="task")

        assert found["at"].startswith("2027-01-15T08:00")


async def test_life_cycle_and_reports_are_one_list(crewd: Crewd) -> None:
    """In the order of their times, each once, whatever the size of a page."""
    async with running(crewd):
        crewd.supervisord.crash("web-0")
        await crewd.advance(1)
        await crewd.post("/workers/web-0/logs", {"kind": "error", "message": "lost the queue"})
        await crewd.advance(10)
        whole = await logs(crewd, limit=1000)

        ats = [one["at"] for one in whole]
        assert ats == sorted(ats)
        assert len({one["id"] for one in whole}) == len(whole)
        assert {one["kind"] for one in whole} == {"lifecycle", "error"}
        for limit in (1, 2, 7):
            assert await logs(crewd, limit=limit) == whole
        ended = next(one for one in whole if one["type"] == "exited")
        assert (ended["level"], ended["instance"], ended["message"]) == (
            "error",
            "web-0",
            "ended: exit code 1 after 5 s (ExitCode)",
        )


async def test_the_list_is_asked_for_by_all_of_it(crewd: Crewd) -> None:
    """Worker, instance, label, level, kind and time, and all together."""
    async with running(crewd):
        begin = crewd.clock.time()
        crewd.supervisord.crash("web-0")
        await crewd.settle()
        for instance in ("web-0", "web-1", "mail-0"):
            await crewd.post(f"/workers/{instance}/logs", {"kind": "error", "message": instance})
        await crewd.advance(60)
        await crewd.post("/workers/mail/logs", {"level": "error", "message": "late"})

        assert {one["instance"] for one in await logs(crewd, worker="web")} == {"web-0", "web-1"}
        assert {one["instance"] for one in await logs(crewd, worker="tier%3Dfront")} == {"web-0", "web-1"}
        assert {one["instance"] for one in await logs(crewd, instance="web-1", kind="error")} == {"web-1"}
        assert {one["kind"] for one in await logs(crewd, kind="lifecycle")} == {"lifecycle"}
        assert [one["message"] for one in await logs(crewd, level="error", worker="mail", kind="task")] == ["late"]
        wrong = await logs(crewd, level="error", instance="web-0", limit=1)
        assert [one["kind"] for one in wrong] == ["lifecycle", "error"]
        assert [one["message"] for one in await logs(crewd, since="30s", kind="task")] == ["late"]
        assert {one["kind"] for one in await logs(crewd, since=begin, until=begin)} == set()
        assert (await crewd.get("/worker-logs?worker=wbe")).code == "WORKER_001"


async def test_a_page_does_not_look_for_ever(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits is rare: pages may be empty then, and lead on until all is found, reports between events too."""
    monkeypatch.setattr(worker_logs, "SCANNED", 4)
    monkeypatch.setattr(worker_logs, "PAGE", 2)
    async with running(crewd):
        crewd.supervisord.crash("web-0")
        await crewd.settle()
        await crewd.post("/workers/web-0/logs", {"kind": "error", "message": "early"})
        for _ in range(10):
            await crewd.post("/workers/web-1/restart")
            await crewd.advance(3)
        await crewd.post("/workers/web-0/logs", {"kind": "error", "message": "late"})
        found = await logs(crewd, level="error", limit=50)

        assert [one["message"] for one in found] == [
            "ended: exit code 1 after 5 s (ExitCode)",
            "early",
            "late",
        ]


async def test_the_database_away_is_told(crewd: Crewd) -> None:
    """Entries are refused, so that the worker comes again; heartbeats are heard all the same."""
    async with running(crewd):
        crewd.store.trouble = "away"
        refused = await crewd.post("/workers/mail/logs", {"message": "a"})
        heard = await crewd.post("/workers/mail/heartbeat", {"active_tasks": 5})
        listed = await crewd.get("/worker-logs")
        status = (await crewd.get("/workers/mail/status")).data

        assert (refused.status, refused.code) == (503, "STORE_001")
        assert (listed.status, listed.code) == (503, "STORE_001")
        assert heard.status == 200
        assert status["active_tasks"] == 5


async def test_too_much_is_told_when_to_come_again(crewd: Crewd) -> None:
    """429 with Retry-After."""
    async with running(crewd):
        entries = {"entries": [{"message": "a"}] * 1000}
        answers = [await crewd.post("/workers/mail/logs", entries) for _ in range(3)]

        assert [one.status for one in answers] == [200, 200, 429]
        assert (answers[2].code, answers[2].headers["retry-after"]) == ("RATE_001", "10")


async def test_nobody_reports_for_another(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may come in at all is asked whose it is."""
    async with running(crewd):
        monkeypatch.setattr("crewd.api.reports.may_report", lambda principal, worker: principal and worker == "web")
        own = await crewd.post("/workers/web-0/heartbeat")
        another = await crewd.post("/workers/mail/heartbeat")
        written = await crewd.post("/workers/mail/logs", {"message": "a"})

        assert own.status == 200
        assert (another.status, another.code) == (403, "AUTH_002")
        assert (written.status, written.code) == (403, "AUTH_002")
        assert crewd.view.heartbeats.of.keys() == {"web-0"}


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/workers/wbe/heartbeat", {}, 404),
        ("/workers/web/heartbeat", {}, 422),
        ("/workers/web/heartbeat", {"instance": "mail-0"}, 404),
        ("/workers/web/heartbeat", {"instance": "web-9"}, 404),
        ("/workers/web/heartbeat", {"instance": ""}, 422),
        ("/workers/web-0/heartbeat", {"instance": "web-1"}, 404),
        ("/workers/web:*/heartbeat", {}, 404),
        ("/workers/*/heartbeat", {}, 404),
        ("/workers/wbe/logs", {"message": "a"}, 404),
        ("/workers/web/logs", {"message": "a"}, 422),
    ],
)
async def test_who_is_unknown_is_not_found(crewd: Crewd, target: str, body: object, status: int) -> None:
    """Or not guessed, where there are several; nothing is kept."""
    async with running(crewd):
        answer = await crewd.post(target, body)

        assert (answer.status, answer.code) == (status, "WORKER_001" if status == 404 else "VALID_001")
        assert crewd.view.heartbeats.of == {}


DEEP = "[" * 100_000 + "]" * 100_000
HOSTILE = [
    b'{"active_tasks": -1}',
    b'{"active_tasks": 1.5}',
    b'{"active_tasks": 1e999}',
    b'{"active_tasks": NaN}',
    b'{"active_tasks": Infinity}',
    b'{"active_tasks": "7"}',
    b'{"active_tasks": true}',
    b'{"active_tasks": []}',
    b'{"active_tasks": 9007199254740992}',
    b'{"active_tasks": ' + b"9" * 5000 + b"}",
    b'{"active_taks": 1}',
    b'{"metadata": 1}',
    b'{"metadata": {"a": NaN}}',
    b'{"metadata": {"a": -Infinity}}',
    b'{"metadata": {"a": 1e999}}',
    b'{"metadata": {"a": 99999999999999999999}}',
    b'{"metadata": {"a": "' + b"x" * 5000 + b'"}}',
    b'{"metadata": {"a": [[[[[[[[[1]]]]]]]]]}}',
    b'{"metadata": [' + b",".join(b"1" for _ in range(2000)) + b"]}",
    b'{"metadata": {"a": [' + b",".join(b"1" for _ in range(1001)) + b"]}}",
    f'{{"metadata": {{"a": {DEEP}}}}}'.encode(),
    b'{"instance": 7}',
    b'{"instance": "' + b"x" * 300 + b'"}',
    b"[]",
    b"7",
    b'"a"',
    b"{",
    b"\xff\xfe",
    b'{"a": \x00}',
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_heartbeat_is_refused(crewd: Crewd, body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """With a code, without a trace of it."""
    async with running(crewd):
        answer = await crewd.post("/workers/mail/heartbeat", body)

        assert (answer.status, answer.code) == (422, "VALID_001")
        assert len(answer.body) < 4096
        assert crewd.view.heartbeats.of == {}
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        {"message": 7},
        {"message": "x" * (MESSAGE_MOST + 1)},
        {"message": "a", "kind": "lifecycle"},
        {"message": "a", "kind": "other"},
        {"message": "a", "level": "critical"},
        {"message": "a", "details": {"a": "x" * DETAILS_BYTES}},
        {"message": "a", "at": 7},
        {"message": "a", "at": "yesterday"},
        {"message": "a", "at": "1969-12-31T00:00:00Z"},
        {"message": "a", "at": "0001-01-01T00:00:00+14:00"},
        {"message": "a", "unknown": 1},
        {"message": "half of a pair: \ud800"},
        {"entries": []},
        {"entries": [{"message": "a"}] * 1001},
        {"entries": [{"message": "a"}, {"kind": "task"}]},
        {"entries": [{"message": "a"}, {"message": "b", "kind": "lifecycle"}]},
        {"entries": [{"message": "a", "instance": "mail-0"}]},
        {"entries": "a"},
        {"entries": [[]]},
        {"entries": [{"message": "a"}], "message": "b"},
    ],
    ids=repr,
)
async def test_hostile_entries_are_refused(crewd: Crewd, body: object) -> None:
    """All of them: no part of what is wrong is stored."""
    async with running(crewd):
        answer = await crewd.post("/workers/mail/logs", body)

        assert (answer.status, answer.code) == (422, "VALID_001")
        assert crewd.store.database.logs == []


async def test_text_of_any_kind_comes_back_as_text(crewd: Crewd) -> None:
    """Half of a surrogate pair is replaced; NUL and control characters are JSON's to write."""
    async with running(crewd):
        raw = b'{"message": "a\\u0000b\\u001b[31m", "details": {"k": ["\\ud83d\\ude42", {"\\udc00": "\\udfff"}]}}'
        stored = await crewd.post("/workers/mail/logs", raw)
        heard = await crewd.post("/workers/mail/heartbeat", b'{"metadata": {"a": {"\\ud800": "\\ud800"}}}')
        [found] = await logs(crewd, kind="task")
        status = await crewd.get("/workers/mail/status")

        assert (stored.status, heard.status, status.status) == (200, 200, 200)
        assert found["message"] == "a\x00b\x1b[31m"
        assert found["details"] == {"k": ["🙂", {"?": "?"}]}
        assert status.data["instances"][0]["heartbeat"]["metadata"] == {"a": {"?": "?"}}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=a",
        "kind=other",
        "level=loud",
        "cursor=a",
        "cursor=",
        "cursor=1",
        "cursor=1-2-3",
        "cursor=" + "9" * 19 + "-",
        "cursor=%D9%A1-",
        "since=yesterday",
        "since=1e999",
        "nonsense=1",
    ],
)
async def test_hostile_questions_are_refused(crewd: Crewd, query: str) -> None:
    """With a code."""
    async with running(crewd):
        answer = await crewd.get(f"/worker-logs?{query}")

        assert (answer.status, answer.code) == (422, "VALID_001")


async def test_many_report_at_once(crewd: Crewd) -> None:
    """All of it is stored, and each is told so."""
    async with running(crewd):
        answers = await asyncio.gather(
            *(crewd.post(f"/workers/web-{n % 2}/logs", {"message": json.dumps(n)}) for n in range(40))
        )

        assert {one.status for one in answers} == {200}
        assert sorted(int(one["message"]) for one in await logs(crewd, kind="task")) == list(range(40))


async def test_who_is_limited_to_some_workers_sees_no_other(crewd: Crewd) -> None:
    """Neither in the list, nor in the sums, nor in a worker's health."""
    async with running(crewd):
        token_id, text = minted()
        await until(lambda: crewd.known_tokens.loaded)
        await crewd.known_tokens.add(Token(token_id, digest_of(text), Role.VIEWER, workers=("mail",)))
        for name in ("web-0", "mail-0"):
            await crewd.post(f"/workers/{name}/logs", {"message": name})
        bearer = {"Authorization": f"Bearer {text}"}
        seen = (await crewd.get("/worker-logs?limit=1000", **bearer)).data["entries"]
        overview = (await crewd.get("/workers/stats/overview", **bearer)).data
        health = await crewd.get("/workers/web/health", **bearer)

        assert {one["worker_id"] for one in seen} == {"mail"}
        assert (overview["workers"], overview["instances"]) == (1, 1)
        assert (health.status, health.code) == (403, "AUTH_002")
        assert (await crewd.get("/workers/mail/health", **bearer)).status == 200
