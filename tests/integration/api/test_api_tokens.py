"""Tokens, the audit and Idempotency-Key over a real Unix socket, with the world behind the API faked."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from crewd.api import audit as audit_module
from crewd.api import tokens as tokens_module
from crewd.model.access import Role
from crewd.model.facts import Commanded
from crewd.reconcile.tokens import Token, digest_of, id_of
from harness.api import Answer, Crewd, UnixConnection, running, until

ME = f"uid {os.geteuid()} pid {os.getpid()}"
NEW = {"role": "operator", "name": "deployment"}


@pytest.fixture
def crewd(tmp_path: Path) -> Crewd:
    """web-0, web-1 and mail-0."""
    return Crewd(tmp_path)


async def made(crewd: Crewd, **body: Any) -> Any:
    """Make a token; return the data of the answer."""
    answer = await crewd.post("/tokens", {**NEW, **body})
    assert answer.status == 201, answer.body
    return answer.json["data"]


async def entries(crewd: Crewd, query: str = "") -> list[Any]:
    """Return what of the audit fits."""
    return (await crewd.get(f"/audit?{query}")).data["entries"]


async def test_a_token_is_shown_once(crewd: Crewd) -> None:
    """In the answer to whoever made it, which nobody keeps; what is stored of it is a digest."""
    async with running(crewd):
        answer = await crewd.post("/tokens", {**NEW, "workers": ["web", "mail-*"], "expires_in": "30d"})
        data = answer.json["data"]
        token = data.pop("token")

        assert answer.status == 201
        assert answer.headers["cache-control"] == "no-store"
        assert re.fullmatch(r"crw_[0-9a-f]{12}_[A-Za-z0-9]{40}", token)
        assert data == {
            "id": id_of(token),
            "role": "operator",
            "name": "deployment",
            "workers": ["web", "mail-*"],
            "created_at": "2027-01-15T08:00:05.000Z",
            "created_by": ME,
            "expires_at": "2027-02-14T08:00:05.000Z",
            "revoked_at": None,
            "valid": True,
        }
        [kept] = crewd.tokens.kept.values()
        assert kept.digest == digest_of(token)
        listed = await crewd.get("/tokens")
        assert listed.data == {"tokens": [data], "next_cursor": None}
        assert kept.digest.encode() not in listed.body


async def test_a_new_token_is_known_at_once_and_a_revoked_one_no_more(crewd: Crewd) -> None:
    """Admission asks the memory, not the database."""
    async with running(crewd):
        data = await made(crewd)
        found = crewd.known_tokens.find(data["id"])
        assert found is not None
        assert found.role is Role.OPERATOR

        first = (await crewd.ask("DELETE", f"/api/v1/tokens/{data['id']}")).data
        again = (await crewd.ask("DELETE", f"/api/v1/tokens/{data['id']}")).data
        found = crewd.known_tokens.find(data["id"])
        assert found is not None
        assert not found.valid(crewd.clock.time())
        assert (first["changed"], first["stored"], first["valid"]) == (True, True, False)
        assert again == {**first, "changed": False}


@pytest.mark.parametrize("token_id", ["ffffffffffff", "%00", "a" * 5000, "%F0%9F%9A%80", "crw_7f3a9c01b2d4_xyz"])
async def test_what_is_no_token_cannot_be_revoked(crewd: Crewd, token_id: str) -> None:
    """Whatever stands there; a whole token that is given by mistake is not told back."""
    async with running(crewd):
        answer = await crewd.ask("DELETE", f"/api/v1/tokens/{token_id}")

        assert (answer.status, answer.code) == (404, "TOKEN_001")
        assert b"xyz" not in answer.body


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ({"role": "root"}, "role"),
        ({"role": None}, "role"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"workers": "web"}, "workers"),
        ({"workers": [""]}, "workers"),
        ({"workers": ["we b"]}, "workers"),
        ({"workers": ["web"] * 101}, "workers"),
        ({"role": "admin", "workers": ["web"]}, "workers"),
        ({"expires_in": "soon"}, "expires_in"),
        ({"expires_in": "0"}, "expires_in"),
        ({"expires_in": "infinity"}, "expires_in"),
        ({"expires_in": "4000d"}, "expires_in"),
        ({"expires": "30d"}, "expires"),
        ({"token": "crw_7f3a9c01b2d4_mine"}, "token"),
    ],
)
async def test_a_wrong_token_is_refused(crewd: Crewd, body: dict[str, Any], about: str) -> None:
    """With what is wrong; nothing is made."""
    async with running(crewd):
        answer = await crewd.post("/tokens", {**NEW, **body})

        assert (answer.status, answer.code) == (422, "VALID_001")
        assert about in answer.json["message"]
        assert crewd.tokens.kept == {}


async def test_tokens_are_paged_and_bounded(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once; and so many may be valid at once, and no more."""
    monkeypatch.setattr(tokens_module, "TOKENS_MOST", 5)
    async with running(crewd):
        ids = [(await made(crewd))["id"] for _ in range(5)]
        refused = await crewd.post("/tokens", NEW)
        await crewd.ask("DELETE", f"/api/v1/tokens/{ids[0]}")
        ids.append((await made(crewd))["id"])
        found, cursor = [], ""
        while True:
            page = (await crewd.get(f"/tokens?limit=4{cursor}")).data
            found += [one["id"] for one in page["tokens"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"

        assert (refused.status, refused.code) == (409, "TOKEN_002")
        assert sorted(found) == sorted(ids)
        assert (await crewd.get("/tokens?cursor=x")).code == "VALID_001"
        assert (await crewd.get(f"/tokens?cursor={'0' * len(ids[0])}")).code == "TOKEN_001"


async def test_what_another_process_made_is_listed(crewd: Crewd) -> None:
    """The list is the database's."""
    async with running(crewd):
        await crewd.tokens.add(Token("7f3a9c01b2d4", "ab" * 32, Role.NODE, created_at=1.0))

        assert [one["id"] for one in (await crewd.get("/tokens")).data["tokens"]] == ["7f3a9c01b2d4"]


async def test_without_a_database_a_token_can_be_revoked_but_not_made(crewd: Crewd) -> None:
    """What is known ends at once, and the answer says that it is not stored; all else is a clear no."""
    async with running(crewd):
        data = await made(crewd)
        crewd.tokens.trouble = "no route"
        answers = [
            await crewd.post("/tokens", NEW),
            await crewd.get("/tokens"),
            await crewd.ask("DELETE", "/api/v1/tokens/ffffffffffff"),
        ]
        found = crewd.known_tokens.find(data["id"])
        assert found is not None
        assert found.valid(crewd.clock.time())
        revoked = await crewd.ask("DELETE", f"/api/v1/tokens/{data['id']}")
        found = crewd.known_tokens.find(data["id"])

        assert [(one.status, one.code) for one in answers] == [(503, "STORE_001")] * 3
        assert revoked.status == 202
        told = revoked.json["data"]
        assert (told["changed"], told["stored"], told["valid"]) == (True, False, False)
        assert found is not None
        assert not found.valid(crewd.clock.time())


# The audit


async def test_the_audit_has_every_name_of_a_batch(tmp_path: Path) -> None:
    """So that it can be asked who stopped the last of a thousand."""
    names = [f"w{number:04}" for number in range(1000)]
    crewd = Crewd(tmp_path, instances=tuple(f"{name}-0" for name in names))
    async with running(crewd):
        calls = crewd.engine.calls
        done = (await crewd.post("/workers/batch", {"action": "stop", "worker_ids": names})).data
        [stop] = await entries(crewd)

        assert [one["worker_id"] for one in done["workers"]] == names
        assert all(one["changed"] for one in done["results"])
        assert stop["details"] == {"action": "stop", "names": names, "count": 1000}
        assert crewd.engine.calls == calls + 1


async def test_the_audit_tells_who_did_what(crewd: Crewd) -> None:
    """At once, with what it was about; what everybody may read is not in it, reading the audit is."""
    async with running(crewd):
        await crewd.ask("GET", "/metrics")
        await crewd.post("/workers/batch", {"action": "stop", "worker_ids": ["web", "mail-0"]})
        await crewd.post("/workers/wbe/stop")
        token = await made(crewd, name="x")
        stop, unknown, create = await entries(crewd)
        found = await entries(crewd)

        assert {key: value for key, value in stop.items() if key not in {"id", "at"}} == {
            "principal": ME,
            "how": "peer",
            "claimed": None,
            "source": "unix",
            "what": "POST /api/v1/workers/batch",
            "granted": True,
            "status": 200,
            "result": "ok",
            "details": {"action": "stop", "names": ["web", "mail-0"], "count": 2},
        }
        assert (unknown["status"], unknown["result"], unknown["granted"]) == (404, "WORKER_001", True)
        assert create["details"] == {
            "token": token["id"],
            "role": "operator",
            "name": "x",
            "workers": [],
            "expires_at": None,
        }
        assert found[-1]["what"] == "GET /api/v1/audit"


async def test_the_audit_is_searched_and_paged(crewd: Crewd) -> None:
    """By each filter; what makes no sense is refused."""
    async with running(crewd):
        for name in ("web-0", "web-1", "mail-0"):
            await crewd.advance(60)
            await crewd.post(f"/workers/{name}/stop")
        assert [one["what"][-10:] for one in await entries(crewd, "what=stop&limit=2")] == ["web-1/stop", "ail-0/stop"]
        assert len(await entries(crewd, f"what=stop&principal=uid%20{os.geteuid()}")) == 3
        assert await entries(crewd, "principal=ui") == []
        assert await entries(crewd, "granted=false") == []
        assert len(await entries(crewd, "what=stop&granted=true&since=90s")) == 2
        assert len(await entries(crewd, "what=stop&until=90s")) == 1
        first = (await crewd.get("/audit?what=stop&limit=2")).data
        rest = (await crewd.get(f"/audit?what=stop&limit=2&cursor={first['next_cursor']}")).data
        assert [one["what"] for one in rest["entries"]] == ["POST /api/v1/workers/web-0/stop"]
        assert (rest["next_cursor"], rest["waiting"], rest["lost"]) == (None, 0, 0)
        wrong = ("limit=0", "limit=1001", "granted=maybe", "since=soon", "cursor=x", "what=%00", "who=me")
        assert {(await crewd.get(f"/audit?{query}")).code for query in wrong} == {"VALID_001"}


async def test_the_audit_waits_for_its_database_and_says_so(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done while it was away is there when it is back; nothing waits for it."""
    monkeypatch.setattr(audit_module, "SETTLE_SEC", 0.05)
    async with running(crewd):
        crewd.audit.trouble = "no route"
        assert (await crewd.post("/workers/web-0/stop")).status == 200
        assert (await crewd.get("/audit")).code == "STORE_001"
        crewd.audit.trouble = ""
        waits = (await crewd.get("/audit")).data
        assert (waits["entries"], waits["waiting"]) == ([], 2)  # the stop, and the look that failed
        await crewd.advance(30)
        assert [one["what"] for one in await entries(crewd, "what=stop")] == ["POST /api/v1/workers/web-0/stop"]


async def test_no_answer_and_no_line_holds_a_token_but_the_one(crewd: Crewd) -> None:
    """Wherever somebody puts one by mistake: a path, a query, a name, a claim."""
    with capture_logs() as logs:
        async with running(crewd):
            token = (await made(crewd))["token"]
            secret = token.rpartition("_")[2]
            asked = [
                await crewd.ask("GET", f"/api/v1/{token}"),
                await crewd.post(f"/workers/{token}/stop", None),
                await crewd.get(f"/tokens?token={token}"),
                await crewd.ask("DELETE", f"/api/v1/tokens/{token}"),
                await crewd.post("/tokens", {**NEW, "name": token}),
                await crewd.post("/shutdown", {"user": token}),
            ]
            shown = [await crewd.get("/audit"), await crewd.get("/tokens"), await crewd.ask("GET", "/metrics")]

    assert {answer.status for answer in asked} == {404, 422, 201}
    assert not [answer for answer in shown if secret.encode() in answer.body]
    kept = repr(crewd.audit.stored) + repr(crewd.tokens.kept) + json.dumps(logs, default=str)
    assert secret not in kept
    assert "_***" in kept


# Idempotency-Key


async def test_a_restart_that_is_asked_for_twice_is_done_once(crewd: Crewd) -> None:
    """With the same key; the answer is the same, and the audit knows both attempts."""
    async with running(crewd):
        key = {"Idempotency-Key": "deploy-7"}
        first = await crewd.post("/workers/web-0/restart", None, **key)
        again = await crewd.post("/workers/web-0/restart", None, **key)
        other = await crewd.post("/workers/web-1/restart", None, **key)

        assert first.status == again.status == 200
        assert again.body == first.body
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert (other.status, other.code) == (422, "IDEMPOTENCY_001")
        assert commanded(crewd) == ["web-0"]
        assert [one["status"] for one in await entries(crewd, "what=restart")] == [200, 200, 422]


def commanded(crewd: Crewd) -> list[str]:
    """Return the instances that the engine was told to restart, as often as it was."""
    facts = [event.fact for _, event in crewd.supervisord.lines]
    return [fact.instance for fact in facts if isinstance(fact, Commanded) and fact.verb == "restart"]


async def test_of_many_at_once_one_is_done(crewd: Crewd) -> None:
    """The others are told that it is under way, and get its answer when they ask again."""
    async with running(crewd):
        key = {"Idempotency-Key": "race"}
        target = "/workers/web-0/restart?wait=30s"
        asking = [asyncio.create_task(crewd.post(target, None, **key)) for _ in range(20)]
        done: list[Answer] = []
        for _ in range(3000):
            await crewd.advance(0.5)
            await asyncio.sleep(0.01)
            done = [task.result() for task in asking if task.done()]
            if len(done) == 20:
                break
        after = await crewd.post(target, None, **key)

        counts = {status: sum(one.status == status for one in done) for status in (200, 409)}
        assert counts[200] >= 1
        assert counts[200] + counts[409] == 20
        assert {one.code for one in done if one.status == 409} <= {"IDEMPOTENCY_002"}
        assert {one.body for one in done if one.status == 200} == {after.body}
        assert len(commanded(crewd)) == 1


async def test_who_hangs_up_finds_the_answer_later(crewd: Crewd) -> None:
    """A client that lost its connection in the middle asks again with the same key, and nothing is done twice."""
    async with running(crewd):
        key = {"Idempotency-Key": "lost"}
        impatient = UnixConnection(crewd.path)
        await asyncio.to_thread(impatient.request, "POST", "/api/v1/workers/web-0/restart?wait=30s", None, key)
        await until(lambda: commanded(crewd))
        impatient.close()
        under_way = await crewd.post("/workers/web-0/restart?wait=30s", None, **key)
        assert under_way.code == "IDEMPOTENCY_002"
        for _ in range(10):
            await crewd.advance(1)
        found = await crewd.post("/workers/web-0/restart?wait=30s", None, **key)

        assert found.headers["idempotency-replayed"] == "true"
        assert found.data["results"][0]["ok"] is True
        assert len(commanded(crewd)) == 1


async def test_a_token_is_not_kept_to_be_given_again(crewd: Crewd) -> None:
    """The second request with the key makes no second token, and does not get the first."""
    async with running(crewd):
        key = {"Idempotency-Key": "once"}
        first = await crewd.post("/tokens", NEW, **key)
        again = await crewd.post("/tokens", NEW, **key)

        assert first.status == 201
        assert (again.status, again.code) == (409, "IDEMPOTENCY_003")
        assert len(crewd.tokens.kept) == 1
