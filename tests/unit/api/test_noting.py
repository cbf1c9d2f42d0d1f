"""What of a request gets into the audit, and what does not. Around an application of the test's."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from crewd.api.envelope import failure
from crewd.api.noting import BODY_BYTES, UNANSWERED, Noted
from crewd.model.access import Access, How, Principal, Role
from crewd.reconcile.auditing import Entry

WHO = Principal("uid 0 pid 42", How.PEER, Role.ADMIN, uid=0, source="unix")
ACCESS = {
    ("GET", "/view"): Access.VIEWER,
    ("GET", "/logs"): Access.OPERATOR,
    ("GET", "/tokens"): Access.ADMIN,
    ("POST", "/act"): Access.OPERATOR,
    ("POST", "/beat"): Access.WORKER,
    ("GET", "/metrics"): Access.ANYONE,
}


class Rig:
    """The layer, behind it an application, and before it what was noted."""

    def __init__(self) -> None:
        self.noted: list[Entry] = []
        self.status, self.body = 200, b"{}"
        self.state: dict[str, Any] = {}
        self.streams = False
        self.layer = Noted(self.app, self, ACCESS, lambda: 12.5)

    def note(self, entry: Entry) -> None:
        """Take note."""
        self.noted.append(entry)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        while (await receive()).get("more_body"):
            pass
        if (scope["method"], scope["path"]) in ACCESS:
            scope["route"] = SimpleNamespace(path=scope["path"])
        scope["state"].update(self.state)
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        if self.streams:
            assert self.noted
        half = len(self.body) // 2
        await send({"type": "http.response.body", "body": self.body[:half], "more_body": True})
        await send({"type": "http.response.body", "body": self.body[half:], "more_body": False})

    async def ask(self, what: str, *parts: bytes, **changes: Any) -> list[Entry]:
        """Ask once; return what was noted."""
        method, _, path = what.partition(" ")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "state": {"principal": WHO, "let_in": True},
            **changes,
        }
        waiting = list(parts or (b"",))

        async def receive() -> Any:
            return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

        async def send(_message: Any) -> None:
            await asyncio.sleep(0)

        self.noted = []
        await self.layer(scope, receive, send)
        return self.noted


@pytest.mark.parametrize("what", ["POST /act", "GET /tokens", "GET /logs", "POST /nowhere", "DELETE /nowhere"])
async def test_what_changes_something_or_is_confidential_is_noted(what: str) -> None:
    """Once, with all that is known of it."""
    assert await Rig().ask(what) == [
        Entry(12.5, "uid 0 pid 42", How.PEER, None, "unix", what, granted=True, status=200, result="ok")
    ]


@pytest.mark.parametrize("what", ["GET /view", "POST /beat", "GET /metrics", "GET /nowhere"])
@pytest.mark.parametrize("status", [200, 404, 422, 503])
async def test_what_is_read_or_reported_every_day_is_not(what: str, status: int) -> None:
    """There would be no room for anything else."""
    rig = Rig()
    rig.status = status

    assert await rig.ask(what) == []


@pytest.mark.parametrize("what", ["GET /view", "POST /beat", "GET /metrics", "GET /nowhere", "POST /act"])
@pytest.mark.parametrize(("status", "code"), [(401, "AUTH_001"), (403, "AUTH_002"), (429, "RATE_001")])
async def test_whatever_is_refused_is_noted(what: str, status: int, code: str) -> None:
    """With the code of the refusal, which comes in two pieces here."""
    rig = Rig()
    rig.status, rig.body = status, failure(code, "cannot", {})
    [entry] = await rig.ask(what)

    assert (entry.granted, entry.status, entry.result) == (False, status, code)


@pytest.mark.parametrize("what", ["GET /view", "POST /beat", "POST /act"])
@pytest.mark.parametrize("status", [0, 413, 422, 500, 503])
async def test_who_was_not_let_in_was_refused_whatever_the_status(what: str, status: int) -> None:
    """Tokens that could not be read, a body of an unproved signature that is too large: nothing was granted."""
    rig = Rig()
    rig.status = status
    [entry] = await rig.ask(what, state={"let_in": False})

    assert (entry.granted, entry.status) == (False, status)


async def test_what_failed_was_granted() -> None:
    """The code says why."""
    rig = Rig()
    rig.status, rig.body = 404, failure("WORKER_001", "cannot", {})
    [entry] = await rig.ask("POST /act")

    assert (entry.granted, entry.status, entry.result) == (True, 404, "WORKER_001")


async def test_a_claim_is_kept_beside_who_it_is() -> None:
    """In however many pieces the body comes; and nothing else of it."""
    rig = Rig()
    body = json.dumps({"user": "alice", "reason": "x", "environment": {"KEY": "secret"}}).encode()
    [entry] = await rig.ask("POST /act", body[:9], body[9:])

    assert (entry.principal, entry.claimed, entry.details) == ("uid 0 pid 42", "alice", {})
    assert "secret" not in repr(entry)


async def test_whom_a_worker_runs_as_is_no_claim() -> None:
    """The user of a configuration is not who asks for it."""
    rig = Rig()
    [entry] = await rig.ask("POST /api/v1/worker-configs", b'{"worker_id": "web", "user": "nobody"}')

    assert entry.claimed is None


async def test_a_claim_may_stand_in_a_header() -> None:
    """It goes before the body's; one that is empty claims nothing."""
    rig = Rig()
    body = b'{"user": "alice"}'
    [named] = await rig.ask("POST /act", body, headers=[(b"x-crewd-user", b"bob")])
    [unnamed] = await rig.ask("POST /act", body, headers=[(b"x-crewd-user", b"")])

    assert (named.claimed, unnamed.claimed) == ("bob", "alice")


@pytest.mark.parametrize(
    "body",
    [b'{"user": 7}', b'["user"]', b'{"user": "alice"', b'{"user": ' + b"[" * 60_000, b'{"user":"' + b"x" * BODY_BYTES],
    ids=["number", "list", "broken", "deep", "large"],
)
async def test_what_is_no_claim_is_none(body: bytes) -> None:
    """Whatever stands there, the attempt is noted."""
    [entry] = await Rig().ask("POST /act", body)

    assert entry.claimed is None


async def test_handlers_say_more() -> None:
    """What it was about."""
    rig = Rig()
    rig.state = {"details": {"names": ["web"]}}

    assert (await rig.ask("POST /act"))[0].details == {"names": ["web"]}


async def test_an_answer_that_goes_on_is_noted_when_it_begins() -> None:
    """A stream may never end."""
    rig = Rig()
    rig.streams = True

    assert len(await rig.ask("GET /logs")) == 1


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
async def test_what_has_no_answer_is_noted(error: type[BaseException]) -> None:
    """Whoever asked hung up, or the daemon ended: it may have been done all the same."""
    rig = Rig()

    async def fail(*_: Any) -> None:
        raise error

    rig.layer = Noted(fail, rig, ACCESS, lambda: 12.5)
    with pytest.raises(error):
        await rig.ask("POST /act")
    [entry] = rig.noted

    assert (entry.status, entry.result, entry.granted) == (0, UNANSWERED, True)


async def test_who_is_nobody_is_known_by_their_address() -> None:
    """Whatever they asked for; a query is not noted, for a secret may stand there."""
    rig = Rig()
    rig.status = 403
    scope = {"state": {}, "client": ("127.0.0.1", 4711), "raw_path": b"/%00%C3%A4\xff?token=x", "path": "/x"}
    [entry] = await rig.ask("GET /x", **scope)

    assert (entry.principal, entry.how, entry.source) == ("anonymous", How.NOTHING, "127.0.0.1:4711")
    assert entry.what == "GET /%00%C3%A4\\xff"
