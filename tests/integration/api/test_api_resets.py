"""Manual restarts over the API: plugins that do as a test says, the world behind the daemon faked."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from functools import partialmethod
from typing import Any

import pytest

from crewd.model.access import Role
from crewd.model.accounts import Total
from crewd.model.spec import CrewSpec, ResetAction, ResetSpec
from crewd.model.states import ProcessState
from crewd.plugin import Act, Occasion, Reset, Step, option
from crewd.reconcile import clearing
from crewd.reconcile.resetting import QUEUE_MOST
from crewd.reconcile.tokens import Token, digest_of, minted
from crewd.testing import FakeSupervisord
from harness.api import Crewd, running, until


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the plugin of these tests does."""

    keys: tuple[str, ...] = option("What it clears.", default=("a_lock",))
    failing: tuple[str, ...] = option("Which of these fail.", default=())
    secret: str = option("What nobody may read.", default="s3cret", secret=True)
    broken: str = option("What of its life fails.", default="")
    deadline_sec: float = option("As ever.", default=60.0)


class Obedient(Reset[Wish]):
    """Does as it is told, and remembers what was called."""

    options_type = Wish
    calls: list[str] = []  # noqa: RUF012 - of all of them
    gate: asyncio.Event | None = None

    @property
    def deadline_sec(self) -> float:
        """As configured."""
        return self.options.deadline_sec

    def acts(self) -> tuple[Act, ...]:
        """One for each key."""
        return tuple(Act("clear", key) for key in self.options.keys)

    async def open(self) -> None:
        """Open, or not."""
        self.calls.append("open")
        if self.options.broken == "open":
            raise OSError(f"cannot open with {self.options.secret}")

    async def perform(self, act: Act, occasion: Occasion) -> AsyncGenerator[Step, None]:
        """Do it, or not."""
        self.calls.append(f"{occasion.worker_id} {act.key}{' stopped' if occasion.stopped else ''}")
        if self.gate is not None:
            await self.gate.wait()
        if act.key in self.options.failing:
            raise RuntimeError(f"a bug near {self.options.secret}")
        yield Step("clear", act.key)

    async def close(self) -> None:
        """Close, or not."""
        self.calls.append("close")
        if self.options.broken == "close":
            raise OSError("cannot close")


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Obedient]]:
    """The one that ``type: obedient`` means; what was called is forgotten."""
    monkeypatch.setattr(clearing, "reset_type", {"obedient": Obedient}.__getitem__)
    Obedient.calls.clear()
    yield Obedient
    Obedient.gate = None


def with_resets(crewd: Crewd, **resets: ResetSpec) -> Crewd:
    """Give workers a reset; ``web`` has three instances in these tests, ``mail`` one."""
    spec = crewd.wanted.spec or CrewSpec()
    workers = {name: replace(one, reset=resets.get(name)) for name, one in spec.workers.items()}
    crewd.configure(replace(spec, workers=workers))
    return crewd


def obedient(**options: Any) -> ResetSpec:
    """Return a reset of one entry."""
    return ResetSpec((ResetAction("obedient", Wish(**options)),))


@pytest.fixture
def crewd(tmp_path: Any) -> Crewd:
    """A crew of which only mail has a reset."""
    return with_resets(Crewd(tmp_path), mail=obedient())


async def test_the_answer_has_the_document_s_members_and_no_other(crewd: Crewd) -> None:
    """Flat, in its order, with its types."""
    async with running(crewd):
        answer = await crewd.ask("POST", "/restart", {})

    assert answer.status == 200
    members = answer.json
    assert list(members) == [
        *("success", "message", "worker_id", "worker_name", "timestamp", "duration", "actions", "summary"),
    ]
    assert members["success"] is True
    assert members["message"] == "Worker restarted successfully"
    assert (members["worker_id"], members["worker_name"]) == ("mail", "mail")
    assert members["timestamp"].endswith("Z")
    assert isinstance(members["duration"], int)
    assert members["actions"] == [
        {"action": "clear", "key": "a_lock", "success": True},
        {"action": "restart_process", "key": "mail", "success": True, "instances": ["mail-0"]},
        {"action": "log_restart_event", "success": True},
    ]
    assert members["summary"] == {"total_actions": 3, "successful_actions": 3, "failed_actions": 0}


@pytest.mark.parametrize("body", [None, b"", {}, {"worker_id": None}, {"worker_id": "mail", "user": "ops"}])
async def test_the_body_may_be_empty(crewd: Crewd, body: Any) -> None:
    """As the document's own examples have it."""
    async with running(crewd):
        assert (await crewd.ask("POST", "/restart", body)).status == 200


async def test_the_process_is_restarted_by_who_asked(crewd: Crewd) -> None:
    """Through the engine, as any restart; the journal has who it was."""
    async with running(crewd):
        before = crewd.view.crew.records["mail-0"].pid
        await crewd.post("/workers/mail/reset")
        await crewd.advance(2)
        after = crewd.view.crew.records["mail-0"].pid
        events = (await crewd.get("/events?instance=mail&type=commanded")).data["events"]

    assert before != after
    assert [event["verb"] for event in events] == ["restart"]
    assert events[0]["who"].startswith("uid ")


async def test_with_a_wait_the_new_process_is_waited_for(crewd: Crewd) -> None:
    """Then the action says whether it came."""
    async with running(crewd):
        asking = asyncio.create_task(crewd.post("/workers/mail/reset?wait=30s"))
        await until(lambda: "close" in Obedient.calls)
        await crewd.settle()
        assert not asking.done()
        await crewd.advance(2)
        answer = await asking

    assert answer.json["actions"][1]["success"] is True


@pytest.mark.parametrize("wait", ["0", "10ms"])
async def test_a_process_that_is_not_up_in_time_is_no_failure(crewd: Crewd, wait: str) -> None:
    """It may still come: the answer names it, with a status that says so."""
    async with running(crewd):
        answer = await crewd.post(f"/workers/mail/reset?wait={wait}")
        [stored] = (await crewd.get("/restart-events")).data["restart_events"]

    assert (answer.status, answer.json["success"]) == (202, True)
    assert answer.json["actions"][1] == {
        "action": "restart_process",
        "key": "mail",
        "success": True,
        "instances": ["mail-0"],
        "late": ["mail-0"],
    }
    assert stored["success"] is True


async def test_a_process_that_ends_while_it_is_waited_for_is_a_failure(crewd: Crewd) -> None:
    """As before: that will not come."""
    async with running(crewd):
        asking = asyncio.create_task(crewd.post("/workers/mail/reset?wait=30s"))
        await until(lambda: "close" in Obedient.calls)
        await crewd.settle()
        crewd.supervisord.crash("mail-0")
        answer = await asking

    assert answer.status == 502
    assert "mail-0: crashed while starting" in answer.json["actions"][1]["error"]


async def test_what_an_operator_stopped_stays_stopped(crewd: Crewd) -> None:
    """Nothing is restarted, and the plugin knows for certain that the owner is stopped."""
    async with running(crewd):
        await crewd.post("/workers/mail/stop")
        await crewd.advance(1)
        answer = await crewd.post("/workers/mail/reset")
        assert crewd.view.crew.status("mail-0") == "stopped"

    assert [one["action"] for one in answer.json["actions"]] == ["clear", "log_restart_event"]
    assert "mail a_lock stopped" in Obedient.calls


async def test_what_an_operator_is_stopping_is_not_started_again(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that takes its time to end was stopped all the same."""
    async with running(crewd):
        slow = partialmethod(FakeSupervisord._change, state=ProcessState.STOPPING)
        monkeypatch.setattr(FakeSupervisord, "_stop_process", slow)
        await crewd.post("/workers/mail/stop")
        await crewd.settle()
        assert crewd.view.crew.status("mail-0") == "stopping"
        answer = await crewd.post("/workers/mail/reset")

    assert [one["action"] for one in answer.json["actions"]] == ["clear", "log_restart_event"]


async def test_restart_process_false_leaves_the_process_alone(crewd: Crewd) -> None:
    """Only what is held is cleared."""
    with_resets(crewd, mail=replace(obedient(), restart_process=False))
    async with running(crewd):
        before = crewd.view.crew.records["mail-0"].pid
        answer = await crewd.post("/workers/mail/reset")
        await crewd.advance(2)
        assert crewd.view.crew.records["mail-0"].pid == before

    assert [one["action"] for one in answer.json["actions"]] == ["clear", "log_restart_event"]
    assert "mail a_lock" in Obedient.calls


async def test_one_that_fails_does_not_stop_the_others(crewd: Crewd) -> None:
    """502, the whole answer, and the error that a program looks for; no secret in any of it."""
    spec = obedient(keys=("a", "b", "c"), failing=("b",))
    with_resets(crewd, mail=replace(spec, actions=(*spec.actions, ResetAction("obedient", Wish(broken="open")))))
    async with running(crewd):
        answer = await crewd.post("/workers/mail/reset")

    members = answer.json
    assert answer.status == 502
    assert members["success"] is False
    assert [one["success"] for one in members["actions"]] == [True, False, True, False, True, True]
    assert members["summary"] == {"total_actions": 6, "successful_actions": 4, "failed_actions": 2}
    assert members["error"]["code"] == "RESET_001"
    assert members["error"]["details"]["failed"] == [
        "clear b: its plugin failed: RuntimeError('a bug near ***')",
        "clear a_lock: cannot open with ***",
    ]
    assert members["message"].startswith("cannot restart mail completely: 2 of 6 actions failed, the first: clear b: ")
    assert "s3cret" not in answer.body.decode()


@pytest.mark.parametrize("broken", ["", "open", "close"])
async def test_a_plugin_is_closed_whatever_became_of_it(crewd: Crewd, broken: str) -> None:
    """After a half-failed open, too; that it cannot close is nobody's failure."""
    with_resets(crewd, mail=obedient(broken=broken))
    async with running(crewd):
        answer = await crewd.post("/workers/mail/reset")

    assert (answer.status == 200) == (broken != "open")
    assert Obedient.calls[-1] == "close"


async def test_a_slow_plugin_is_left_at_its_deadline(crewd: Crewd) -> None:
    """What it did is told, and what it did not do."""
    Obedient.gate = asyncio.Event()
    with_resets(crewd, mail=obedient(keys=("a", "b"), deadline_sec=0.05))
    async with running(crewd):
        answer = await crewd.post("/workers/mail/reset")

    failed = [one["error"] for one in answer.json["actions"] if not one["success"]]
    assert failed == ["not done within 0.05 s"] * 2
    assert Obedient.calls[-1] == "close"


async def test_without_supervisord_the_rest_is_done(crewd: Crewd) -> None:
    """The restart has failed, and says why."""
    async with running(crewd):
        crewd.supervisord.silent = "it does not answer"
        answer = await crewd.post("/workers/mail/reset")

    actions = answer.json["actions"]
    assert [one["success"] for one in actions] == [True, False, True]
    assert "it does not answer" in actions[1]["error"]


async def test_without_a_database_the_reset_works_and_the_event_is_stored_later(crewd: Crewd) -> None:
    """The action that notes it has failed and says why; nothing is lost, and nothing is counted twice."""
    async with running(crewd):
        crewd.store.trouble = "it is away"
        answer = await crewd.post("/workers/mail/reset")
        log = answer.json["actions"][-1]
        assert answer.status == 502
        assert log["action"] == "log_restart_event"
        assert "it is away" in log["error"]
        assert log["queued"] is True
        assert crewd.restart_log.waiting == 1
        assert (await crewd.get("/restart-events")).code == "STORE_001"

        await crewd.advance(6)
        assert crewd.restart_log.waiting == 1
        crewd.store.trouble = ""
        await crewd.advance(30)
        await crewd.advance(30)
        stored = (await crewd.get("/restart-events")).data["restart_events"]

    assert crewd.restart_log.waiting == 0
    assert [one["success"] for one in stored] == [False]
    assert stored[0]["actions"] == answer.json["actions"]
    assert crewd.view.totals.get(Total.MANUAL, "mail", "failure") == 1


async def test_a_write_that_nobody_answered_is_stored_once(crewd: Crewd) -> None:
    """The database took it and went away: it is tried again, and counted once."""
    async with running(crewd):
        crewd.store.deaf = True
        await crewd.post("/workers/mail/reset")
        crewd.store.deaf = False
        await crewd.advance(6)
        stored = (await crewd.get("/restart-events")).data["restart_events"]

    assert len(stored) == 1
    assert crewd.view.totals.get(Total.MANUAL, "mail", "failure") + crewd.view.totals.get(
        Total.MANUAL, "mail", "success"
    ) == pytest.approx(1)


async def test_restarts_are_stored_with_who_and_why(crewd: Crewd) -> None:
    """A claimed user stands beside the one who really asked."""
    async with running(crewd):
        await crewd.post("/workers/mail/reset", {"user": "ops@example", "reason": "the lock\nhangs"})
        [one] = (await crewd.get("/restart-events")).data["restart_events"]

    assert one["type"] == "manual_restart"
    assert (one["user"], one["reason"]) == ("ops@example", "the lock\nhangs")
    assert one["by"].startswith("uid ")
    assert one["source"] == "unix"
    assert one["worker_id"] == "mail"
    assert [action["action"] for action in one["actions"]] == ["clear", "restart_process", "log_restart_event"]
    assert one["summary"] == {"total_actions": 3, "successful_actions": 3, "failed_actions": 0}


async def test_restarts_are_read_by_worker_and_time_page_by_page(crewd: Crewd) -> None:
    """The newest page first, each page in the order in which they happened."""
    with_resets(crewd, mail=obedient(), web=obedient())
    async with running(crewd):
        for worker in ("mail", "web", "mail"):
            assert (await crewd.post(f"/workers/{worker}/reset")).status == 200
            await crewd.advance(100)
        newest = (await crewd.get("/restart-events?limit=2")).data
        older = (await crewd.get(f"/restart-events?limit=2&cursor={newest['next_cursor']}")).data
        of_web = (await crewd.get("/restart-events?worker=web")).data
        lately = (await crewd.get("/restart-events?since=150s")).data
        long_ago = (await crewd.get("/restart-events?until=250s")).data
        refusals = [
            (await crewd.get(f"/restart-events?{query}")).code
            for query in ("limit=0", "limit=1001", "since=x", "cursor=x", "type=x")
        ]

    assert [one["worker_id"] for one in newest["restart_events"]] == ["web", "mail"]
    assert [one["id"] for one in older["restart_events"]] == [1]
    assert older["next_cursor"] is None
    assert [one["worker_id"] for one in of_web["restart_events"]] == ["web"]
    assert [one["id"] for one in lately["restart_events"]] == [3]
    assert [one["id"] for one in long_ago["restart_events"]] == [1]
    assert refusals == ["VALID_001"] * 5


async def test_which_worker_is_meant_has_to_be_clear(crewd: Crewd) -> None:
    """One that is named; the configured one; the only one with a reset; else a no that lists them."""
    with_resets(crewd, mail=obedient(), web=obedient())
    async with running(crewd):
        several = await crewd.ask("POST", "/restart")
        named = await crewd.ask("POST", "/restart", {"worker_id": "web"})
        unknown = await crewd.ask("POST", "/restart", {"worker_id": "wbe"})

    assert (several.status, several.code) == (422, "VALID_001")
    assert several.json["error"]["details"] == {"workers": ["web", "mail"]}
    assert named.json["worker_id"] == "web"
    assert (unknown.status, unknown.code) == (404, "WORKER_001")


async def test_the_configured_worker_is_meant(crewd: Crewd) -> None:
    """``default_worker``."""
    with_resets(crewd, mail=obedient(), web=obedient())
    spec = crewd.wanted.spec or CrewSpec()
    crewd.configure(replace(spec, daemon=replace(spec.daemon, default_worker="web")))
    async with running(crewd):
        assert (await crewd.ask("POST", "/restart")).json["worker_id"] == "web"


async def test_a_worker_without_a_reset_has_none(crewd: Crewd) -> None:
    """It may be restarted, which is another request."""
    async with running(crewd):
        answer = await crewd.post("/workers/web/reset")
        instance = await crewd.post("/workers/mail-0/reset")

    assert (answer.status, answer.code) == (422, "VALID_001")
    assert answer.json["message"] == "cannot reset web: it has no reset in its configuration"
    assert (instance.status, instance.code) == (404, "WORKER_001")


@pytest.mark.parametrize(
    "body",
    [
        {"worker": "mail"},
        {"worker_id": 1},
        {"worker_id": ""},
        {"user": "x" * 201},
        {"reason": "x" * 1001},
        [],
        b"x",
        b'"mail"',
    ],
)
async def test_a_wrong_body_is_refused(crewd: Crewd, body: Any) -> None:
    """Nothing is done."""
    async with running(crewd):
        answer = await crewd.ask("POST", "/restart", body)

    assert (answer.status, answer.code) == (422, "VALID_001")
    assert Obedient.calls == []


async def test_more_than_ten_a_minute_are_refused(crewd: Crewd) -> None:
    """With when to come again; both ways count together, and what was wrong does not count."""
    async with running(crewd):
        for _ in range(5):
            assert (await crewd.ask("POST", "/restart", {"x": 1})).status == 422
            assert (await crewd.ask("POST", "/restart")).status == 200
            assert (await crewd.post("/workers/mail/reset")).status == 200
        many = await crewd.ask("POST", "/restart")
        also = await crewd.post("/workers/mail/reset")

    assert (many.status, many.code) == (429, "RATE_001")
    assert 0 < int(many.headers["retry-after"]) <= 60
    assert also.status == 429
    assert len([call for call in Obedient.calls if call.startswith("mail ")]) == 10


async def test_calls_for_one_worker_queue_up_and_others_are_not_waited_for(crewd: Crewd) -> None:
    """One at a time and in turn; web is reset while mail is."""
    with_resets(crewd, mail=obedient(), web=obedient(keys=("web_lock",)))
    Obedient.gate = asyncio.Event()
    async with running(crewd):
        first, second = (asyncio.create_task(crewd.post("/workers/mail/reset")) for _ in range(2))
        other = asyncio.create_task(crewd.post("/workers/web/reset"))
        await until(lambda: len([call for call in Obedient.calls if "_lock" in call]) == 2)
        await asyncio.sleep(0.05)
        assert sorted(call for call in Obedient.calls if "_lock" in call) == ["mail a_lock", "web web_lock"]
        assert not any(task.done() for task in (first, second, other))
        Obedient.gate.set()
        answers = await asyncio.gather(first, second, other)

    assert [answer.status for answer in answers] == [200] * 3
    assert Obedient.calls.count("mail a_lock") == 2


async def test_too_many_in_the_queue_are_refused(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of a worker is bounded."""
    monkeypatch.setattr("crewd.reconcile.resetting.QUEUE_MOST", 1)
    Obedient.gate = asyncio.Event()
    async with running(crewd):
        waiting = [asyncio.create_task(crewd.post("/workers/mail/reset")) for _ in range(2)]
        await until(lambda: crewd.ports.resetting.waiting("mail") == 2)
        one_more = await crewd.post("/workers/mail/reset")
        Obedient.gate.set()
        await asyncio.gather(*waiting)

    assert (one_more.status, one_more.code) == (429, "RATE_001")
    assert one_more.headers["retry-after"] == "10"
    assert QUEUE_MOST == 8
    assert not crewd.ports.resetting.waiting("mail")


async def test_whoever_hangs_up_does_not_stop_it(crewd: Crewd) -> None:
    """It goes on to its end, and is stored."""
    Obedient.gate = asyncio.Event()
    async with running(crewd):
        _, writer = await asyncio.open_unix_connection(crewd.path)
        writer.write(b"POST /restart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        await until(lambda: "mail a_lock" in Obedient.calls)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.05)
        Obedient.gate.set()
        await until(lambda: crewd.store.database.restarts)

    assert crewd.store.database.restarts[0].restart.success


async def test_whoever_is_limited_to_some_workers_resets_and_sees_those_alone(crewd: Crewd) -> None:
    """Of two workers with a reset mail is the only one for them; of the other they are told nothing."""
    with_resets(crewd, mail=obedient(), web=obedient())
    async with running(crewd):
        await until(lambda: crewd.known_tokens.loaded)
        token_id, text = minted()
        await crewd.known_tokens.add(Token(token_id, digest_of(text), Role.OPERATOR, workers=("mail*",)))
        mine = {"X-API-Key": text}
        await crewd.post("/workers/web/reset")
        meant = await crewd.ask("POST", "/restart", headers=mine)
        others = [
            await crewd.ask("POST", "/restart", {"worker_id": "web"}, mine),
            await crewd.ask("POST", "/restart", {"worker_id": "nobody"}, mine),
            await crewd.post("/workers/web/reset", **mine),
            await crewd.get("/restart-events?worker=web", **mine),
        ]
        seen = (await crewd.get("/restart-events", **mine)).data["restart_events"]

    assert meant.json["worker_id"] == "mail"
    assert [(one.status, one.code) for one in others] == [(403, "AUTH_002")] * 4
    assert [one["worker_id"] for one in seen] == ["mail"]
    assert seen[0]["by"] == f"token {token_id}"


async def test_a_viewer_sees_restarts_and_makes_none(crewd: Crewd) -> None:
    """The column of the table decides."""
    async with running(crewd):
        await until(lambda: crewd.known_tokens.loaded)
        token_id, text = minted()
        await crewd.known_tokens.add(Token(token_id, digest_of(text), Role.VIEWER))
        shown = await crewd.get("/restart-events", **{"X-API-Key": text})
        made = await crewd.ask("POST", "/restart", headers={"X-API-Key": text})

    assert shown.data["restart_events"] == []
    assert (made.status, made.code) == (403, "AUTH_002")
    assert Obedient.calls == []
