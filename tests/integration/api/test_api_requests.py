"""The API over a real Unix socket: what is asked, and asked for, with the world behind it faked."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from http.client import IncompleteRead
from pathlib import Path

import pytest

from crewd.api import event_stream
from crewd.api.event_list import wanted
from crewd.api.event_stream import Begin, EventStream
from crewd.api.handlers import EVENTS_MOST
from crewd.model.accounts import Key, Total
from crewd.policy.restart import Ending
from crewd.reconcile.bulletin import WAITING_MOST
from crewd.reconcile.output import Line, Stream
from crewd.reconcile.port import ApplyFailed, ApplyRefused, Position
from crewd.store.versions import CURRENT
from harness.api import ADMIN, Answer, Crewd, UnixConnection, exchange, running, until
from harness.waiting import PATIENCE_SEC


@pytest.fixture
def crewd(tmp_path: Path) -> Crewd:
    """web-0, web-1 and mail-0."""
    return Crewd(tmp_path, labels={"web": {"tier": "front"}})


async def test_the_crew_is_listed(crewd: Crewd) -> None:
    """All members that the contract names."""
    async with running(crewd):
        data = (await crewd.get("/workers")).data

        assert [worker["worker_id"] for worker in data["workers"]] == ["mail", "web"]
        assert data["summary"] == {"workers": 2, "instances": 3, "by_status": {"running": 3}}
        assert data["stale"] is False
        assert data["supervisord"]["up"] is True
        assert data["supervisord"]["generation"] == "00000001-fa4e00"
        assert data["configuration"] == {
            "in_force": True,
            "problems": [],
            "applied_at": "2027-01-15T08:00:00.000Z",
            "drift": [],
        }
        assert data["recording"] == {"lag_events": 0, "trouble": "", "tables_version": CURRENT}


async def test_a_list_is_of_what_is_named(crewd: Crewd) -> None:
    """As crewctl's selectors; what selects nothing is not found."""
    async with running(crewd):
        named = (await crewd.get("/workers?worker=tier%3Dfront&worker=mail-0&limit=1")).data
        missing = await crewd.get("/workers?worker=wbe")

        assert [worker["worker_id"] for worker in named["workers"]] == ["mail"]
        assert named["next_cursor"] == "mail"
        assert (missing.status, missing.code) == (404, "WORKER_001")
        assert missing.json["error"]["details"] == {"names": ["wbe"]}


async def test_a_worker_and_an_instance_have_a_status(crewd: Crewd) -> None:
    """An instance is shown as the worker with that instance alone."""
    async with running(crewd):
        whole = (await crewd.get("/workers/web/status")).data
        one = (await crewd.get("/workers/web-1/status")).data

        assert [each["instance"] for each in whole["instances"]] == ["web-0", "web-1"]
        assert [each["instance"] for each in one["instances"]] == ["web-1"]
        assert (await crewd.get("/workers/web%2F..%2F/status")).status == 404


async def test_an_end_that_was_asked_for_is_no_error(crewd: Crewd) -> None:
    """Whatever the worker made of it; what was counted before that was told apart stays."""
    crewd.store.database.totals[Key(Total.EXITS, "web", "Signal")] = 3.0
    async with running(crewd):
        crewd.supervisord.crash("web-1", code=7)
        killed = crewd.supervisord._exited("web-0", Ending(signal=9, ran_sec=1.0))
        crewd.supervisord._append(replace(killed, commanded=True))
        await crewd.settle()
        await until(lambda: not crewd.view.lag())

        assert (await crewd.get("/workers/web/status")).data["error_count"] == 4


async def test_why_is_the_engine_s_own_answer(crewd: Crewd) -> None:
    """The words for it are made where it is shown."""
    async with running(crewd):
        assert (await crewd.get("/workers/web-0/why")).data == crewd.supervisord.why("web-0")
        assert (await crewd.get("/workers/mail/why")).data["instance"] == "mail-0"
        assert (await crewd.get("/workers/web/why")).code == "VALID_001"


async def test_a_command_is_carried_out_for_who_asked(crewd: Crewd) -> None:
    """The journal holds the uid and the pid that the kernel knows."""
    async with running(crewd):
        data = (await crewd.post("/workers/web/stop")).data

        assert data == {
            "action": "stop",
            "results": [
                {
                    "instance": name,
                    "done": "stopping",
                    "changed": True,
                    "ok": True,
                    "status": data["results"][0]["status"],
                    "process_state": data["results"][0]["process_state"],
                    "message": "",
                }
                for name in ("web-0", "web-1")
            ],
            "workers": [
                {"worker_id": "web", "ok": True, "changed": True, "status": data["workers"][0]["status"], "message": ""}
            ],
            "waited": False,
            "timed_out": False,
        }
        whos = [event.fact.who for _, event in crewd.supervisord.lines if type(event.fact).__name__ == "Commanded"]
        assert whos == [f"uid {os.geteuid()} pid {os.getpid()}"] * 2


async def test_many_are_waited_for_with_progress(crewd: Crewd) -> None:
    """Lines of how far it is, then the answer."""
    async with running(crewd):
        asking = asyncio.create_task(
            crewd.post(
                "/workers/batch?wait=10s",
                {"action": "restart", "worker_ids": ["*"]},
                Accept="application/x-ndjson",
            )
        )
        while not asking.done():
            await asyncio.sleep(0.01)
            await crewd.advance(0.5)
        answer = await asking

        *progress, last = [json.loads(line) for line in answer.body.splitlines()]
        assert progress[0] == {"progress": {"done": 0, "of": 3}}
        assert progress[-1] == {"progress": {"done": 3, "of": 3}}
        assert last["success"] is True
        assert last["data"]["waited"] is True
        assert [one["process_state"] for one in last["data"]["results"]] == ["RUNNING"] * 3


async def test_a_wait_that_is_too_short_says_so(crewd: Crewd) -> None:
    """The answer is a 202, for it may still come; of a batch a 200: it tells what happened."""
    async with running(crewd):
        late = await crewd.post("/workers/web-0/restart?wait=20ms")
        batch = await crewd.post("/workers/batch?wait=20ms", {"action": "restart", "worker_ids": ["web-1"]})

        assert (late.status, late.json["success"]) == (202, True)
        assert (batch.data["timed_out"], batch.data["workers"][0]["ok"]) == (True, False)
        data = late.json["data"]
        assert (data["timed_out"], data["results"][0]["ok"]) == (True, False)
        assert data["results"][0]["message"] == "not in time"


async def test_nobody_is_waited_for_who_is_gone(crewd: Crewd) -> None:
    """A client that hung up leaves nothing behind in the daemon."""
    async with running(crewd):
        connection = UnixConnection(crewd.path)
        await asyncio.to_thread(connection.request, "POST", "/api/v1/workers/web/restart?wait=1h")
        await until(lambda: crewd.loop.bulletin._listeners)
        connection.close()

        await until(lambda: not crewd.loop.bulletin._listeners)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/workers/web/start?wait=soon", None),
        ("/workers/web/start?wait=2h", None),
        ("/workers/web/start?wait=infinity", None),
        ("/workers/web/start?wiat=3s", None),
        ("/workers/batch", {"action": "fly", "worker_ids": ["web"]}),
        ("/workers/batch", {"action": "stop", "worker_ids": []}),
        ("/workers/batch", {"action": "stop", "worker_ids": ["web"] * 1001}),
        ("/workers/batch", {"action": "stop", "worker_ids": ["web"], "force": True}),
        ("/workers/batch", {"action": "stop"}),
        ("/workers/batch", b'{"action": "stop", '),
        ("/workers/batch", b"\xff\xfe"),
        ("/workers/batch", b"[" * 100_000),
        ("/workers/batch", None),
        ("/shutdown", {"kep": True}),
        ("/shutdown", b'{"keep": fal'),
    ],
)
async def test_what_makes_no_sense_is_refused(crewd: Crewd, target: str, body: object) -> None:
    """With a sentence, and nothing is done."""
    async with running(crewd):
        calls = crewd.engine.calls
        refused = await crewd.post(target, body)

        assert (refused.status, refused.code) == (422, "VALID_001")
        assert crewd.engine.calls == calls
        assert not crewd.task.done()


async def test_unknown_workers_are_refused_before_anything_is_done(crewd: Crewd) -> None:
    """All or none."""
    async with running(crewd):
        refused = await crewd.post("/workers/batch", {"action": "stop", "worker_ids": ["web", "nobody"]})

        assert (refused.status, refused.code) == (404, "WORKER_001")
        assert crewd.view.crew.records["web-0"].pid


async def test_what_is_not_there_and_what_is_not_understood(crewd: Crewd) -> None:
    """Both in the envelope."""
    async with running(crewd):
        nowhere = await crewd.ask("GET", "/api/v2/workers")
        deleted = await crewd.ask("DELETE", "/api/v1/workers")
        slashed = await crewd.ask("GET", "/api/v1/workers/")

        assert (nowhere.status, nowhere.code) == (404, "NOT_FOUND")
        assert (deleted.status, deleted.code, deleted.headers["allow"]) == (405, "METHOD", "GET")
        assert (slashed.status, slashed.code) == (404, "NOT_FOUND")


async def test_a_supervisord_that_does_not_answer_is_said(crewd: Crewd) -> None:
    """The sentence says why."""
    async with running(crewd):
        crewd.supervisord.silent = "it is busy"
        refused = await crewd.post("/workers/web/stop")

        assert (refused.status, refused.code) == (503, "SUPERVISORD_001")
        assert "it is busy" in refused.json["message"]


async def test_a_mistake_of_ours_is_told_without_its_insides(crewd: Crewd, capsys: pytest.CaptureFixture[str]) -> None:
    """The log has them."""

    def break_down() -> bytes:
        raise RuntimeError("secret insides")

    object.__setattr__(crewd.ports, "metrics", break_down)
    async with running(crewd):
        broken = await crewd.ask("GET", "/metrics")

        assert (broken.status, broken.code) == (500, "INTERNAL")
        assert b"secret" not in broken.body
        assert "secret insides" in capsys.readouterr().out
        assert (await crewd.ask("GET", "/healthz")).status == 200


async def test_a_reload_answers_what_came_of_it(crewd: Crewd) -> None:
    """What was changed, or each mistake with its place."""
    problems = ("crew.yaml:3:1: workers.web: no", "crew.yaml:4:1: workers.mail: no")
    async with running(crewd):
        applied = (await crewd.post("/reload")).data
        crewd.applier.result = ApplyRefused(problems)
        refused = await crewd.post("/reload")
        crewd.applier.result = ApplyFailed("cannot apply: the disk is full")
        failed = await crewd.post("/reload")

        assert applied["plan"] == {"added": ["web-0"], "changed": [], "restarted": [], "removed": [], "kept": 0}
        assert (refused.status, refused.code) == (422, "RESTART_004")
        assert refused.json["error"]["details"]["problems"] == list(problems)
        assert (failed.status, failed.code) == (500, "APPLY_001")


async def test_a_shutdown_is_answered_and_carried_out(crewd: Crewd) -> None:
    """An empty body is fine."""
    async with running(crewd):
        assert (await crewd.post("/shutdown")).data == {"ending": True}
        assert (await crewd.task).code == 0


async def test_health_is_in_order_or_says_why_not(crewd: Crewd) -> None:
    """Liveness is not readiness."""
    async with running(crewd):
        ready = await crewd.ask("GET", "/readyz")
        crewd.supervisord.die()
        await crewd.settle()
        crewd.recorder.recorded.trouble = "the disk is full"
        crewd.view.supervision.problems = ("crew.yaml:1:1: x: no",)
        unready = await crewd.ask("GET", "/readyz")

        assert (ready.status, ready.json) == (200, {"status": "ready"})
        assert unready.status == 503
        assert "the configuration is not in force: 1 problem" in unready.json["reasons"]
        assert "nothing is recorded: the disk is full" in unready.json["reasons"]
        assert (await crewd.ask("GET", "/healthz")).json == {"status": "ok"}


async def test_the_api_describes_itself(crewd: Crewd) -> None:
    """OpenAPI of all that is in the table, and no page that loads scripts from elsewhere."""
    async with running(crewd):
        described = (await crewd.ask("GET", "/openapi.json")).json

        assert described["paths"]["/api/v1/workers"]["get"]["x-access"] == "viewer"
        assert described["paths"]["/healthz"]["get"]["x-access"] == "anyone"
        assert (await crewd.ask("GET", "/docs")).status == 404


# What happened


async def test_events_come_page_by_page(crewd: Crewd) -> None:
    """The newest page first, each in the order in which it happened; none twice."""
    async with running(crewd):
        pages, cursor = [], ""
        while True:
            page = (await crewd.get(f"/events?limit=7{cursor}")).data
            pages.insert(0, page["events"])
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"

        ids = [event["id"] for page in pages for event in page]
        assert ids == sorted(set(ids))
        assert len(ids) == len(crewd.supervisord.lines)
        first = pages[0][0]
        assert (first["type"], first["instance"], first["worker_id"]) == ("segment_opened", None, None)
        assert "records" not in first


async def test_events_are_filtered(crewd: Crewd) -> None:
    """By whom, by type, by time."""
    async with running(crewd):
        await crewd.advance(60)
        crewd.supervisord.crash("web-0", code=3)
        await crewd.settle()
        exits = (await crewd.get("/events?instance=web&type=exited&type=judged&since=30s")).data["events"]
        older = (await crewd.get("/events?type=exited&until=2027-01-15T08:00:30Z")).data["events"]

        assert [(one["type"], one["instance"]) for one in exits] == [("exited", "web-0"), ("judged", "web-0")]
        assert (exits[0]["code"], exits[0]["at"]) == (3, "2027-01-15T08:01:05.000Z")
        assert older == []


@pytest.mark.parametrize("query", ["type=flown", "since=soon", "cursor=x", "limit=1001", "follow=true&since=1h"])
async def test_a_wrong_question_about_events_is_refused(crewd: Crewd, query: str) -> None:
    """Not answered with nothing."""
    async with running(crewd):
        assert (await crewd.get(f"/events?{query}")).code == "VALID_001"


async def test_one_that_is_gone_has_its_events(crewd: Crewd) -> None:
    """What never was is not found."""
    async with running(crewd):
        crewd.view.crew._records.pop("mail-0")

        assert (await crewd.get("/events?instance=mail-0")).data["events"]
        assert (await crewd.get("/events?instance=mial-0")).code == "WORKER_001"
        assert (await crewd.get("/events?instance=mial")).code == "WORKER_001"


async def test_a_database_that_is_away_is_said(crewd: Crewd) -> None:
    """The crew is shown all the same."""
    async with running(crewd):
        crewd.store.trouble = "it is away"

        refused = await crewd.get("/events")
        assert (refused.status, refused.code) == (503, "STORE_001")
        assert (await crewd.get("/workers")).status == 200


async def test_a_stream_has_the_past_and_then_the_present(crewd: Crewd) -> None:
    """Each event once: where the two meet, too."""
    async with running(crewd), crewd.stream("/events?follow=true&limit=2") as reading:
        past = [await reading.message() for _ in range(2)]
        crewd.supervisord.crash("web-1", code=9)
        now = await reading.message()

        lines = crewd.supervisord.lines
        at = next(number for number, (_, event) in enumerate(lines) if getattr(event.fact, "code", None) == 9)
        assert [one["id"] for one in (*past, now)] == [
            f"{name}.{event.sequence}" for name, event in lines[at - 2 : at + 1]
        ]
        assert now["event"] == "exited"
        assert json.loads(now["data"])["code"] == 9
        assert json.loads(now["data"])["id"] is None


async def test_a_stream_resumes_where_it_broke_off(crewd: Crewd) -> None:
    """What happened meanwhile comes from the store, however much it was."""
    async with running(crewd):
        generation, after = crewd.supervisord.lines[3]
        for _ in range(500):
            crewd.supervisord.crash("web-1")
            await crewd.advance(1)
        wanted_ids = [f"{name}.{event.sequence}" for name, event in crewd.supervisord.lines[4:]]
        assert len(wanted_ids) > EVENTS_MOST
        async with crewd.stream(
            "/events?follow=true", **{"Last-Event-ID": f"{generation}.{after.sequence}"}
        ) as reading:
            ids = [(await reading.message())["id"] for _ in wanted_ids]

        assert ids == wanted_ids


async def test_a_stream_resumes_with_what_is_stored_while_its_reader_is_slow(
    crewd: Crewd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much that is: it is read page by page, to its end."""
    monkeypatch.setattr(event_stream, "PAGE", 3)
    async with running(crewd, serving=False):
        first, resumed = resumed_behind(crewd, len(crewd.supervisord.lines) - 2)
        async with aclosing(resumed) as messages:
            await anext(messages)
            for _ in range(20):
                crewd.supervisord.crash("web-1")
                await crewd.advance(1)
            wanted_ids = [f"{name}.{event.sequence}" for name, event in crewd.supervisord.lines[first:]]

            async with asyncio.timeout(PATIENCE_SEC):
                assert [id_of(await anext(messages)) for _ in wanted_ids] == wanted_ids


async def never(_recording: object) -> None:
    """Be as slow as can be."""
    await asyncio.Event().wait()


@pytest.mark.parametrize(("member", "value"), [("full", True), ("record", never)])
async def test_a_stream_that_cannot_be_resumed_whole_ends(
    crewd: Crewd, monkeypatch: pytest.MonkeyPatch, member: str, value: object
) -> None:
    """Rather than leave out what is not stored yet: where the store cannot be written, and where it is slow."""
    monkeypatch.setattr(event_stream, "RECORDED_SEC", 0.05)
    async with running(crewd, serving=False):
        stored = len(crewd.supervisord.lines)
        setattr(crewd.store, member, value)
        crewd.supervisord.crash("web-0")
        await crewd.settle()
        first, resumed = resumed_behind(crewd, 1)
        async with aclosing(resumed) as messages, asyncio.timeout(PATIENCE_SEC):
            got = [message async for message in messages]

        assert [id_of(message) for message in got[1:-1]] == [
            f"{name}.{event.sequence}" for name, event in crewd.supervisord.lines[first:stored]
        ]
        assert got[-1].startswith(b"event: dropped\n")


async def test_a_stream_that_missed_nothing_needs_no_recorder(crewd: Crewd) -> None:
    """Nothing lies between its place and what happens."""
    async with running(crewd, serving=False):
        crewd.store.full = True
        crewd.supervisord.crash("web-0")
        await crewd.settle()
        _, resumed = resumed_behind(crewd, len(crewd.supervisord.lines) - 1)
        async with aclosing(resumed) as messages:
            await anext(messages)
            await anext_soon(crewd, messages)


async def test_a_stream_has_no_past_while_the_newest_is_not_stored(crewd: Crewd) -> None:
    """It says so: what is stored would be followed by a gap."""
    async with running(crewd, serving=False):
        crewd.store.full = True
        crewd.supervisord.crash("web-1")
        await crewd.settle()
        stream = EventStream(crewd.ports, wanted(crewd.ports, ADMIN, [], [], gone=False))
        async with aclosing(stream.messages(Begin(limit=5))) as messages:
            assert [await anext(messages), (await anext(messages)).partition(b":")[2]] == [
                b": events\n\n",
                b" no past: cannot read the newest events: they are not stored yet\n\n",
            ]
            await anext_soon(crewd, messages)


def resumed_behind(crewd: Crewd, index: int) -> tuple[int, AsyncGenerator[bytes, None]]:
    """Resume behind a line; return the index of the first that is to come, too."""
    generation, last = crewd.supervisord.lines[index]
    stream = EventStream(crewd.ports, wanted(crewd.ports, ADMIN, [], [], gone=False))
    return index + 1, stream.messages(Begin(after=Position(generation, last.sequence)))


def id_of(message: bytes) -> str:
    """Return the place that a message names."""
    return message.decode().partition("\n")[0].removeprefix("id: ")


async def test_a_stream_from_another_journal_is_of_now(crewd: Crewd) -> None:
    """It says so, and what happens from then on comes: nothing would ever lie behind a place that was never given."""
    async with running(crewd), crewd.stream("/events?follow=true", **{"Last-Event-ID": "bogus.1"}) as reading:
        assert "no such place" in (await reading.lines(3))[2]
        await until(lambda: crewd.loop.bulletin._listeners)
        crewd.supervisord.crash("web-0")

        assert json.loads((await reading.message())["data"])["instance"] == "web-0"


@pytest.mark.parametrize("body", [{"foo": 1}, {"options": {"graceful": "no"}}, {"options": {"grace": True}}])
async def test_an_action_s_body_is_not_passed_over(crewd: Crewd, body: dict[str, object]) -> None:
    """A misspelt wish is refused, and nothing is done."""
    async with running(crewd):
        assert (await crewd.ask("POST", "/api/v1/workers/web-0/stop", body)).code == "VALID_001"
        assert (await crewd.ask("POST", "/api/v1/workers/web-0/start", {"options": {"graceful": False}})).status == 422
        assert {one["process_state"] for one in (await crewd.get("/workers")).data["workers"][0]["instances"]} == {
            "RUNNING"
        }


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/json", None])
@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/workers/web/restart", b'{"user": "me"}'),
        ("/workers/web-0/heartbeat", b'{"active_tasks": 1}'),
        ("/workers/web-0/logs", b'{"message": "a"}'),
        ("/workers/batch", b'{"action": "stop", "worker_ids": ["web"]}'),
        ("/tokens", b'{"role": "viewer", "name": "a"}'),
    ],
)
async def test_a_body_that_is_not_said_to_be_json_is_told_how_to_be(
    crewd: Crewd, target: str, body: bytes, content_type: str | None
) -> None:
    """As curl sends it with -d, or a client without the header: the answer has what to send."""
    async with running(crewd):
        calls = crewd.engine.calls
        refused = await asyncio.to_thread(_sent, crewd, f"/api/v1{target}", body, content_type)

        assert (refused.status, refused.code) == (422, "VALID_001")
        assert "with the header Content-Type: application/json" in refused.json["message"]
        assert crewd.engine.calls == calls


def _sent(crewd: Crewd, target: str, body: bytes, content_type: str | None) -> Answer:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return exchange(UnixConnection(crewd.path), "POST", target, body, headers)


async def test_an_action_is_told_how_and_by_whom(crewd: Crewd) -> None:
    """Without grace it is force; who asks is a claim."""
    async with running(crewd):
        wish = {"user": "alice", "reason": "it hangs", "options": {"graceful": False}}
        assert (await crewd.ask("POST", "/api/v1/workers/web-0/stop", wish)).status == 200
        await until(lambda: crewd.audit.stored)

        assert crewd.audit.stored[-1].claimed == "alice"
        assert crewd.audit.stored[-1].details["graceful"] is False


async def test_a_stream_is_of_what_is_named(crewd: Crewd) -> None:
    """And of those of them that come later."""
    async with running(crewd), crewd.stream("/events?follow=true&instance=mail&type=exited") as reading:
        await reading.lines(2)
        await until(lambda: crewd.loop.bulletin._listeners)
        crewd.supervisord.crash("web-0")
        crewd.supervisord.crash("mail-0", code=4)

        assert json.loads((await reading.message())["data"])["instance"] == "mail-0"


async def test_a_stream_without_a_database_is_of_now(crewd: Crewd) -> None:
    """What happens is known all the same; what was missed is not, so resuming is refused."""
    async with running(crewd):
        crewd.store.trouble = "it is away"
        refused = await crewd.get("/events?follow=true", **{"Last-Event-ID": "00000001-fa4e00.3"})
        async with crewd.stream("/events?follow=true&limit=5") as reading:
            assert "it is away" in (await reading.lines(3))[2]
            crewd.supervisord.crash("web-0")

            assert (await reading.message())["event"] == "exited"
        assert refused.code == "STORE_001"


async def test_a_reader_that_does_not_keep_up_is_told_and_dropped(crewd: Crewd) -> None:
    """Nobody waits for it; what it got is whole up to there."""
    async with running(crewd, serving=False):
        stream = EventStream(crewd.ports, wanted(crewd.ports, ADMIN, [], [], gone=False))
        async with aclosing(stream.messages(Begin())) as messages:
            await anext(messages)
            await anext_soon(crewd, messages)
            [listener] = crewd.loop.bulletin._listeners
            while len(listener._waiting) < WAITING_MOST:
                listener.tell(listener._waiting[-1] if listener._waiting else await news(crewd, listener))
            listener.tell(listener._waiting[-1])
            rest = [message async for message in messages]

        assert len(rest) == WAITING_MOST + 1
        assert rest[-1].startswith(b"event: dropped\n")


async def anext_soon(crewd: Crewd, messages) -> None:
    """Read one event, so that it listens."""
    reading = asyncio.ensure_future(anext(messages))
    await until(lambda: crewd.loop.bulletin._listeners)
    crewd.supervisord.crash("web-0")
    await crewd.settle()
    assert b"exited" in await reading


async def news(crewd: Crewd, listener):
    """Let something happen; return it, still waiting."""
    crewd.supervisord.crash("web-1")
    await crewd.settle()
    return listener._waiting[-1]


async def test_a_silent_stream_is_kept_alive(crewd: Crewd) -> None:
    """Whoever reads can tell silence from an end."""
    async with running(crewd, serving=False):
        stream = EventStream(crewd.ports, wanted(crewd.ports, ADMIN, [], [], gone=False), keepalive_sec=0.01)
        async with aclosing(stream.messages(Begin())) as messages:
            assert [await anext(messages), await anext(messages)] == [b": events\n\n", b": keepalive\n\n"]


# What they wrote


async def test_output_is_read(crewd: Crewd) -> None:
    """The newest lines, as text; those that match, where that is asked for."""
    log = Path(crewd.home.worker_logs) / "web-0.out.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(50)))
    async with running(crewd):
        last = await crewd.get("/workers/web-0/logs?tail=2", Accept="text/plain")
        found = (await crewd.get("/workers/web-0/logs?grep=line%20.7%24")).data

        assert last.body == b"line 48\nline 49\n"
        assert last.headers["content-type"] == "text/plain; charset=utf-8"
        assert found == {
            "worker_id": "web",
            "instance": "web-0",
            "stream": "stdout",
            "lines": ["line 17", "line 27", "line 37", "line 47"],
            "streams": None,
            "cut": "",
            "dated": True,
            "ordered": True,
        }


async def test_output_since_a_moment_is_read(crewd: Crewd) -> None:
    """What is known to be older is left out; by a moment, or by how long ago."""
    log = Path(crewd.home.worker_logs) / "web-0.out.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"2026-01-31T09:00:00Z old\n2026-01-31T10:00:00Z new\n")
    async with running(crewd):
        found = (await crewd.get("/workers/web-0/logs?since=2026-01-31T09:30:00Z")).data
        plain = await crewd.get("/workers/web-0/logs?since=2026-01-31T09:30:00Z", Accept="text/plain")
        wrong = await crewd.ask("GET", "/api/v1/workers/web-0/logs?since=soon")

        assert found["lines"] == ["2026-01-31T10:00:00Z new"]
        assert plain.body == b"2026-01-31T10:00:00Z new\n"
        assert (wrong.status, wrong.code) == (422, "VALID_001")


async def test_output_is_followed(crewd: Crewd) -> None:
    """Until the reader goes."""
    log = Path(crewd.home.worker_logs) / "mail-0.err.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"old\nnewest\n")
    async with (
        running(crewd),
        crewd.stream("/workers/mail/logs?stream=stderr&tail=1&follow=true", Accept="text/plain") as reading,
    ):
        assert await reading.line() == "newest\n"
        with log.open("ab") as file:
            file.write(b"fresh\n")

        assert await reading.line() == "fresh\n"


async def test_a_mistake_in_the_middle_of_an_answer_ends_the_connection(
    crewd: Crewd, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reader sees that the answer is not whole; the log says why."""

    class Broken:
        async def follow(self, _query: object) -> AsyncGenerator[tuple[Line, ...], None]:
            yield (Line(Stream.STDOUT, b"first"),)
            raise RuntimeError("secret insides")

    object.__setattr__(crewd.ports, "output", Broken())
    async with running(crewd):
        with pytest.raises((IncompleteRead, ConnectionError)):
            await crewd.get("/workers/web-0/logs?follow=true")

        assert "secret insides" in capsys.readouterr().out


async def test_output_that_is_not_there_is_not_found(crewd: Crewd) -> None:
    """With the reason; which one of several is not guessed; a pattern that is none is refused."""
    async with running(crewd):
        nothing = await crewd.get("/workers/web-0/logs")
        following = await crewd.get("/workers/web-0/logs?follow=true")
        several = await crewd.get("/workers/web/logs")
        pattern = await crewd.get("/workers/web-0/logs?grep=%28")

        assert (nothing.status, nothing.code) == (404, "LOG_001")
        assert (following.status, following.code) == (404, "LOG_001")
        assert (several.status, several.code) == (422, "VALID_001")
        assert several.json["error"]["details"] == {"instances": ["web-0", "web-1"]}
        assert (pattern.status, pattern.code) == (422, "VALID_001")


async def test_streams_end_with_the_server(crewd: Crewd) -> None:
    """At once, and whole: a follower does not hold up the end of the daemon."""
    async with running(crewd):
        serving = crewd.serving
        async with crewd.stream("/events?follow=true") as reading:
            await reading.lines(2)
            begun = asyncio.get_running_loop().time()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

            assert await reading.line() == ""
            assert asyncio.get_running_loop().time() - begun < 30  # for ever, where it is waited for
            assert not Path(crewd.path).exists()


async def test_who_watches_asks_for_figures_that_are_fresh(crewd: Crewd) -> None:
    """The age is passed on; what is no length of time is refused."""
    asked: list[float] = []

    async def fresh(within_sec: float) -> None:
        asked.append(within_sec)

    object.__setattr__(crewd.ports, "fresh", fresh)
    async with running(crewd):
        assert (await crewd.get("/workers?fresh=2s")).data["sampled_at"] is None
        await crewd.get("/workers")

        assert asked == [2.0]
        for wrong in ("soon", "2h", "-1s"):
            assert (await crewd.get(f"/workers?fresh={wrong}")).code == "VALID_001"
