"""Globs: whoever is limited to some workers acts on those, sees those, and learns nothing of the others."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from crewd.api.refusals import Refused
from crewd.api.scope import select_covered, select_within, within, within_one
from crewd.model.access import How, Principal, Role
from crewd.reconcile.selecting import UnknownNames
from crewd.reconcile.tokens import Token, digest_of, minted
from harness.api import ADMIN, Answer, Crewd, running, until
from harness.waiting import PATIENCE_SEC

WEB = Principal("token 1", How.TOKEN, Role.OPERATOR, ("web*",))


@pytest.fixture
async def crewd(tmp_path: Path) -> AsyncIterator[Crewd]:
    """web, web2 and mail; front are web and mail."""
    crew = Crewd(
        tmp_path,
        ("web-0", "web-1", "web2-0", "mail-0"),
        {"web": {"tier": "front"}, "mail": {"tier": "front", "only": "mail"}},
    )
    async with running(crew):
        await until(lambda: crew.known_tokens.loaded)
        yield crew


async def shown(crewd: Crewd, role: Role = Role.OPERATOR, *workers: str) -> dict[str, str]:
    """Return the header with a token for these workers."""
    token_id, text = minted()
    await crewd.known_tokens.add(Token(token_id, digest_of(text), role, workers=workers))
    return {"X-API-Key": text}


def no(answer: Answer) -> bool:
    """Return whether it is the no to what is beyond somebody's limits."""
    return (answer.status, answer.code) == (403, "AUTH_002")


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/workers/mail/stop", None),
        ("/workers/mail-0/restart", None),
        ("/workers/tier%3Dfront/stop", None),
        ("/workers/*/stop", None),
        ("/workers/nobody/stop", None),
        ("/workers/nobody-7/start", None),
        ("/workers/batch", {"action": "stop", "worker_ids": ["web", "mail"]}),
        ("/workers/batch", {"action": "stop", "worker_ids": ["web", "nobody"]}),
    ],
)
async def test_nothing_is_done_to_others(crewd: Crewd, target: str, body: object) -> None:
    """Not to one of them among many of one's own either; also what is not there is beyond the limits."""
    calls = crewd.engine.calls
    refused = await crewd.post(target, body, **await shown(crewd, Role.OPERATOR, "web*"))

    assert no(refused)
    assert "only for web*" in refused.json["message"]
    assert crewd.engine.calls == calls


async def test_ones_own_are_acted_on(crewd: Crewd) -> None:
    """By each kind of name; what is not there, but would be one's own, is not found."""
    header = await shown(crewd, Role.OPERATOR, "web*")
    done = await crewd.post("/workers/batch", {"action": "stop", "worker_ids": ["web", "web2-0"]}, **header)

    assert [one["instance"] for one in done.data["results"]] == ["web-0", "web-1", "web2-0"]
    assert (await crewd.post("/workers/webb/stop", **header)).code == "WORKER_001"


@pytest.mark.parametrize("target", ["/workers/mail/status", "/workers/mail-0/why", "/workers/mail/logs"])
async def test_nothing_is_told_of_others(crewd: Crewd, target: str) -> None:
    """Whether there is one of that name or not."""
    header = await shown(crewd, Role.OPERATOR, "web*")

    assert no(await crewd.get(target, **header))
    assert no(await crewd.get(target.replace("mail", "nobody"), **header))
    assert (await crewd.get(target.replace("mail-0", "web-0").replace("mail", "web-0"), **header)).status != 403


async def test_lists_are_of_ones_own(crewd: Crewd) -> None:
    """Also their summary; a name that would leave nothing is refused."""
    header = await shown(crewd, Role.VIEWER, "web", "mail*")

    async def listed(query: str) -> Any:
        data = (await crewd.get(f"/workers{query}", **header)).data
        return [one["worker_id"] for one in data["workers"]], data["summary"]["instances"]

    assert await listed("") == (["mail", "web"], 3)
    assert await listed("?worker=*") == (["mail", "web"], 3)
    assert await listed("?worker=tier%3Dfront&worker=web-0") == (["mail", "web"], 3)
    assert no(await crewd.get("/workers?worker=web2", **header))
    assert no(await crewd.get("/workers?worker=web&worker=nobody", **header))


async def test_events_are_of_ones_own(crewd: Crewd) -> None:
    """None of supervisord's, none of others'; those of an instance that is no more by its name."""
    header = await shown(crewd, Role.VIEWER, "web")

    async def instances(query: str = "") -> set[str | None]:
        return {one["instance"] for one in (await crewd.get(f"/events{query}", **header)).data["events"]}

    assert await instances() == {"web-0", "web-1"}
    assert await instances("?instance=*") == {"web-0", "web-1"}
    assert await instances("?instance=tier%3Dfront") == {"web-0", "web-1"}
    assert no(await crewd.get("/events?instance=mail-0", **header))
    assert no(await crewd.get("/events?instance=mail-9", **header))
    assert no(await crewd.get("/events?instance=only%3Dmail", **header))
    crewd.view.crew._records.pop("web-1")
    assert await instances("?instance=web-1") == {"web-1"}


async def test_whoever_may_see_none_sees_none(crewd: Crewd) -> None:
    """Nothing is not everything."""
    header = await shown(crewd, Role.VIEWER, "nobody")

    assert (await crewd.get("/events", **header)).data["events"] == []
    assert (await crewd.get("/workers", **header)).data["workers"] == []


async def test_a_stream_is_of_ones_own(crewd: Crewd) -> None:
    """Of all that happens to them, and of nothing else."""
    header = await shown(crewd, Role.VIEWER, "web*")
    async with crewd.stream("/events?follow=true&type=exited", **header) as reading:
        await reading.lines(2)
        await until(lambda: crewd.loop.bulletin._listeners)
        crewd.supervisord.crash("mail-0")
        crewd.supervisord.crash("web2-0", code=4)
        await crewd.settle()

        assert json.loads((await asyncio.wait_for(reading.message(), PATIENCE_SEC))["data"])["instance"] == "web2-0"


async def test_who_is_limited_is_no_admin(crewd: Crewd) -> None:
    """What concerns all is not for them, whatever their role."""
    header = await shown(crewd, Role.ADMIN, "web*")

    assert no(await crewd.post("/reload", **header))
    assert no(await crewd.post("/tokens", {"role": "admin", "name": "mine"}, **header))
    assert (await crewd.post("/workers/web/stop", **header)).status == 200


async def test_the_one_place_where_names_are_judged(crewd: Crewd) -> None:
    """What handlers call, by itself."""
    view = crewd.view
    within(WEB, ["web", "web2"])
    within(ADMIN, ["mail"])
    for call in (
        lambda: within(WEB, ["web", "mail"]),
        lambda: within_one(WEB, view, "mail-0"),
        lambda: within_one(WEB, view, "mail:*"),
        lambda: select_within(WEB, view, ["*"]),
        lambda: select_covered(WEB, view, ["mail"]),
    ):
        with pytest.raises(Refused):
            call()

    assert select_within(WEB, view, ["web:*"]) == ("web-0", "web-1")
    assert select_covered(WEB, view, ["*", "web-0"]) == ("web-0", "web-1", "web2-0")
    assert set(select_covered(ADMIN, view, [])) == {"web-0", "web-1", "web2-0", "mail-0"}
    with pytest.raises(UnknownNames):
        select_covered(WEB, view, ["website"])
