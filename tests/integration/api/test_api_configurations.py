"""``/worker-configs`` over a real Unix socket, the world behind it faked: shapes, codes, revisions, pages."""

import json
from pathlib import Path
from typing import Any

import pytest

from crewd.model.offer import Complaint, Fate, Ruling
from crewd.reconcile.port import ApplyFailed, ApplyRefused
from harness.api import Answer, Crewd, running
from harness.waiting import PATIENCE_SEC

PATH = "/worker-configs"
DOCUMENT = {
    "worker_id": "worker-1",
    "name": "主 Worker",
    "deployment_type": "local",
    "host": "localhost",
    "port": 4001,
    "max_accounts": 10,
    "auto_start": True,
    "auto_restart": True,
}


@pytest.fixture
def crewd(tmp_path: Path) -> Crewd:
    """web and mail are of the file."""
    return Crewd(tmp_path)


async def create(crewd: Crewd, **members: Any) -> Answer:
    """Make one."""
    return await crewd.post(PATH, {"worker_id": "worker-1", "command": ["sleep", "9"], **members})


async def patch(crewd: Crewd, body: object, worker_id: str = "worker-1", **headers: str) -> Answer:
    """Change one."""
    return await crewd.ask("PATCH", f"/api/v1{PATH}/{worker_id}", body, headers)


async def delete(crewd: Crewd, worker_id: str = "worker-1", **headers: str) -> Answer:
    """Delete one."""
    return await crewd.ask("DELETE", f"/api/v1{PATH}/{worker_id}", headers=headers)


def made(answer: Answer) -> Any:
    """Return the data of an answer that made something."""
    assert answer.status == 201, answer.body
    return answer.json["data"]


async def test_one_is_made_shown_changed_and_deleted(crewd: Crewd) -> None:
    """With its revision as the ETag and in the audit; the document's fields come back as they were given."""
    async with running(crewd):
        created = await crewd.post(PATH, DOCUMENT)
        shown = await crewd.get(f"{PATH}/worker-1")
        changed = await patch(crewd, {"port": 4002, "max_accounts": None})
        deleted = await delete(crewd)
        gone = await crewd.get(f"{PATH}/worker-1")

        assert await crewd.auditor.settled(PATIENCE_SEC)
        members = sorted(DOCUMENT.keys() - {"worker_id"})
        assert [one.details for one in crewd.audit.stored] == [
            {"worker_id": "worker-1", "members": members, "revision": 1},
            {"worker_id": "worker-1", "members": ["max_accounts", "port"], "revision": 2},
            {"worker_id": "worker-1", "revision": 2},
        ]
        assert made(created)["revision"] == 1
        assert (created.headers["etag"], created.headers["location"]) == ('"1"', f"/api/v1{PATH}/worker-1")
        assert {key: shown.data[key] for key in DOCUMENT} == DOCUMENT
        assert shown.data["source"] == "api"
        assert shown.data["created_by"].startswith("uid ")
        assert shown.headers["etag"] == '"1"'
        assert (changed.headers["etag"], changed.data["port"], changed.data["max_accounts"]) == ('"2"', 4002, None)
        assert deleted.data["revision"] == 2
        assert deleted.data["in_force"] is False
        assert (gone.status, gone.code) == (404, "WORKER_001")


async def test_those_of_the_file_are_listed_with_their_place(crewd: Crewd) -> None:
    """By name, the file's first; page by page; only of one source."""
    async with running(crewd):
        await create(crewd, worker_id="apple")
        await create(crewd, worker_id="zebra")
        data = (await crewd.get(PATH)).data
        of_api = (await crewd.get(f"{PATH}?source=api")).data["configurations"]
        first = (await crewd.get(f"{PATH}?limit=3")).data
        rest = (await crewd.get(f"{PATH}?limit=3&cursor={first['next_cursor']}")).data
        web = (await crewd.get(f"{PATH}/web")).data

        names = [one["worker_id"] for one in data["configurations"]]
        assert names == ["apple", "mail", "web", "zebra"]
        assert [one["worker_id"] for one in of_api] == ["apple", "zebra"]
        assert [one["worker_id"] for one in (*first["configurations"], *rest["configurations"])] == names
        assert rest["next_cursor"] is None
        assert (web["source"], web["file"]) == ("file", {"path": "/etc/crewd/crewd.yaml", "line": 2})
        assert (web["in_force"], web["configuration"], web["revision"]) == (True, None, None)


async def test_those_of_the_file_are_read_only(crewd: Crewd) -> None:
    """The refusal names file and line."""
    async with running(crewd):
        for answer, code in (
            (await create(crewd, worker_id="web"), "WORKER_002"),
            (await patch(crewd, {"port": 1}, "web"), "WORKER_003"),
            (await delete(crewd, "web"), "WORKER_003"),
        ):
            assert (answer.status, answer.code) == (409, code)
            assert "/etc/crewd/crewd.yaml:2" in answer.json["message"]
            assert answer.json["error"]["details"] == {"file": "/etc/crewd/crewd.yaml", "line": 2}


async def test_a_clash_shows_both(crewd: Crewd) -> None:
    """The file's is in force, the API's is shadowed; it can be deleted."""
    async with running(crewd):
        await create(crewd, worker_id="other")
        stored = crewd.configurations.stored.pop("other")
        crewd.configurations.stored["web"] = type(stored)("web", stored.document)
        crewd.renderer.rulings["web"] = Ruling(Fate.SHADOWED, file="/etc/crewd/crewd.yaml", line=2)
        await crewd.post("/reload")
        listed = (await crewd.get(PATH)).data["configurations"]
        shown = (await crewd.get(f"{PATH}/web")).data
        summary = (await crewd.get(f"{PATH}/stats/summary")).data
        deleted = await delete(crewd, "web")

        both = [(one["source"], one["in_force"], one["shadowed"]) for one in listed if one["worker_id"] == "web"]
        assert both == [("file", True, False), ("api", False, True)]
        assert shown["shadowed"] is True
        assert shown["problems"] == [
            {"field": "worker_id", "message": "/etc/crewd/crewd.yaml:2 has a worker of that name"}
        ]
        assert (summary["total"], summary["shadowed"], summary["in_force"]) == (3, 1, 2)
        assert deleted.status == 200


async def test_lost_updates_are_refused(crewd: Crewd) -> None:
    """If-Match: one of several, any, none; another revision is 412, and what is no tag is refused."""
    async with running(crewd):
        await create(crewd, port=1)
        assert (await patch(crewd, {"port": 2}, **{"If-Match": '"1"'})).status == 200
        lost = await patch(crewd, {"port": 3}, **{"If-Match": '"1"'})
        weak = await patch(crewd, {"port": 3}, **{"If-Match": 'W/"2"'})
        strange = await patch(crewd, {"port": 3}, **{"If-Match": '"abc"'})
        kept = await delete(crewd, **{"If-Match": '"1", "7"'})
        assert (await patch(crewd, {"port": 4}, **{"If-Match": '"9", "2"'})).status == 200
        assert (await patch(crewd, {"port": 5}, **{"If-Match": "*"})).status == 200

        assert (lost.status, lost.code, lost.json["error"]["details"]) == (412, "WORKER_006", {"revision": 2})
        assert (weak.status, weak.code) == (422, "VALID_001")
        assert (strange.status, kept.status) == (412, 412)
        assert (await crewd.get(f"{PATH}/worker-1")).data["port"] == 5


async def test_what_exists_is_not_made_again(crewd: Crewd) -> None:
    """409; and nothing of it is changed."""
    async with running(crewd):
        await create(crewd, port=1)
        again = await create(crewd, port=2)

        assert (again.status, again.code) == (409, "WORKER_002")
        assert (await crewd.get(f"{PATH}/worker-1")).data["port"] == 1


async def test_what_is_wrong_is_said_field_by_field(crewd: Crewd) -> None:
    """All at once, each with the way to the member, and never with a value that may be a secret."""
    async with running(crewd):
        body = {"port": 0, "comand": ["x"], "environment": {"A": ["hunter2"]}, "deployment_type": "docker"}
        answer = await create(crewd, **body)

        assert (answer.status, answer.code) == (422, "VALID_001")
        problems = answer.json["error"]["details"]["problems"]
        assert {one["field"] for one in problems} == {"port", "comand", "environment.A", "deployment_type"}
        assert b"hunter2" not in answer.body
        assert crewd.configurations.stored == {}


BAD_BODIES: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff\xfe",
    b'{"worker_id": 5}',
    b'{"command": ["x"]}',
    b'{"worker_id": "a", "worker_id": "b"}',
    b'{"worker_id": "a", "port": NaN}',
    b'{"worker_id": "a", "port": 1e999}',
    b'{"worker_id": "a", "port": ' + b"9" * 5000 + b"}",
    b'{"worker_id": "a", "labels": ' + b'{"a":' * 100 + b"1" + b"}" * 101,
    b"[" * 200_000,
    b'{"worker_id": "\\ud800"}',
    b'{"worker_id": "../../etc"}',
    b'{"worker_id": "a\\u0000"}',
    b'{"worker_id": "a", "name": "\\u0000"}',
    b'{"worker_id": "a", "command": "sh -c reboot"}',
    json.dumps({"worker_id": "x" * 101}).encode(),
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=[body[:30] for body in BAD_BODIES])
async def test_no_body_is_too_bad_for_a_sentence(crewd: Crewd, body: bytes) -> None:
    """4xx with a code, and nothing happened."""
    async with running(crewd):
        answer = await crewd.post(PATH, body)

        assert (answer.status, answer.code) == (422, "VALID_001")
        assert crewd.configurations.stored == {}
        assert crewd.renderer.checked == []


async def test_a_patch_is_held_to_the_same(crewd: Crewd) -> None:
    """It renames nobody, and what it makes of the document has to be right."""
    async with running(crewd):
        await create(crewd)
        for body in ({"worker_id": "other"}, {"port": "80"}, {"x": 1}, [], {"directory": "/a", "cwd": "/b"}):
            answer = await patch(crewd, body)
            assert (answer.status, answer.code) == (422, "VALID_001")
        same = await patch(crewd, {"worker_id": "worker-1", "port": 80})

        assert same.data["revision"] == 2
        assert (await patch(crewd, {}, "nobody")).status == 404


async def test_what_is_not_admitted_says_why(crewd: Crewd) -> None:
    """crewd-apply's ruling."""
    async with running(crewd):
        crewd.renderer.rulings["worker-1"] = Ruling(Fate.REFUSED, (Complaint("user", "is not admitted"),))
        answer = await create(crewd)

        assert (answer.status, answer.code) == (422, "VALID_001")
        assert answer.json["error"]["details"]["problems"] == [{"field": "user", "message": "is not admitted"}]


async def test_what_cannot_be_applied_says_so_and_is_not_stored(crewd: Crewd) -> None:
    """A broken file, or a world that is; the database that is away is another code."""
    async with running(crewd):
        crewd.applier.result = ApplyFailed("cannot apply: the disk is full")
        failed = await create(crewd)
        crewd.renderer.check_result = ApplyRefused(("crewd.yaml:1:1: x: y",))
        broken = await create(crewd)
        crewd.configurations.trouble = "it is away"
        away = [await create(crewd), await crewd.get(PATH), await crewd.get(f"{PATH}/worker-1")]

        assert (failed.status, failed.code) == (500, "APPLY_001")
        assert (broken.status, broken.code) == (422, "RESTART_004")
        assert broken.json["error"]["details"]["problems"] == ["crewd.yaml:1:1: x: y"]
        assert [(one.status, one.code) for one in away] == [(503, "STORE_001")] * 3
        assert crewd.configurations.stored == {}


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
async def test_one_without_a_command_cannot_be_started(crewd: Crewd, action: str) -> None:
    """422 with its own code; one that was left out says why."""
    async with running(crewd):
        crewd.renderer.rulings["worker-1"] = Ruling(Fate.WITHOUT_COMMAND)
        created = await crewd.post(PATH, DOCUMENT)
        bare = await crewd.post(f"/workers/worker-1/{action}")
        crewd.renderer.rulings["worker-1"] = Ruling(Fate.REFUSED, (Complaint("user", "is not admitted"),))
        await crewd.post("/reload")
        left_out = await crewd.post(f"/workers/worker-1/{action}")

        assert made(created)["problems"][0]["field"] == "command"
        assert (bare.status, bare.code) == (422, "WORKER_004")
        assert (left_out.status, left_out.code) == (409, "WORKER_003")
        assert left_out.json["error"]["details"]["problems"] == [{"field": "user", "message": "is not admitted"}]


async def test_the_picture_knows_them(crewd: Crewd) -> None:
    """Labels, policy and budget of a worker made over the API are those of its configuration."""
    async with running(crewd):
        await create(crewd, labels={"tier": "back"}, start_limit_burst=3)
        spec = crewd.view.worker("worker-1")

        assert spec is not None
        assert (spec.labels, spec.policy.start_limit_burst) == ({"tier": "back"}, 3)
        await delete(crewd)
        assert crewd.view.worker("worker-1") is None
        assert crewd.view.worker("web") is not None


async def test_the_summary_counts(crewd: Crewd) -> None:
    """By source, and by what became of them."""
    async with running(crewd):
        await create(crewd, worker_id="a", auto_start=False, instances=2)
        crewd.renderer.rulings["b"] = Ruling(Fate.WITHOUT_COMMAND)
        await create(crewd, worker_id="b")
        summary = (await crewd.get(f"{PATH}/stats/summary")).data

        assert summary == {
            "total": 4,
            "by_source": {"file": 2, "api": 2},
            "by_deployment_type": {"local": 4},
            "in_force": 3,
            "shadowed": 0,
            "refused": 0,
            "without_command": 1,
            "auto_start": 3,
            "instances": 6,
        }


@pytest.mark.parametrize("query", ["source=x", "limit=0", "limit=x", "cursor=x", "cursor=x:web", "worker=web"])
async def test_a_wrong_question_is_refused(crewd: Crewd, query: str) -> None:
    """Also one about a parameter that there is not."""
    async with running(crewd):
        answer = await crewd.get(f"{PATH}?{query}")

        assert (answer.status, answer.code) == (422, "VALID_001")
