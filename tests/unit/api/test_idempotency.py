"""A POST that is sent twice is done once; and what is kept for that is bounded. Around an application of the test's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from crewd.api.idempotency import Idempotency
from crewd.api.kept_answers import ANSWER_BYTES, KEPT_SEC, KEY_BYTES, Kept, KeptAnswers
from crewd.api.refusals import Refused
from crewd.model.access import How, Principal, Role

ROOT = Principal("uid 0 pid 42", How.PEER, Role.ADMIN, uid=0, source="unix")
Answer = tuple[int, dict[str, str], bytes]


class Rig:
    """The layer, and behind it an application that counts, and answers what the test says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.answers = KeptAnswers(monotonic=lambda: self.now)
        self.layer = Idempotency(self.app, self.answers)
        self.done: list[bytes] = []
        self.status = 200
        self.headers = {"content-type": "application/json"}
        self.parts: list[bytes] | None = None
        self.before: Callable[[], Awaitable[Any]] | None = None

    async def app(self, _scope: Any, receive: Any, send: Any) -> None:
        """Do it, and answer."""
        self.done.append((await receive())["body"])
        if self.before is not None:
            await self.before()
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        parts = [f"answer {len(self.done)}".encode()] if self.parts is None else self.parts
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    async def ask(self, key: str | None = "k", body: bytes = b"{}", **changes: Any) -> Answer:
        """Ask once; raises Refused as the gate would see it."""
        headers = [] if key is None else [(b"idempotency-key", key.encode("latin-1"))]
        principal = changes.pop("principal", ROOT)
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/v1/reload",
            "query_string": b"",
            "headers": headers,
            "state": {"principal": principal},
            "route": object(),
            **changes,
        }
        got: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            got.append(message)

        await self.layer(scope, receive, send)
        start, *rest = got
        answered = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], answered, b"".join(message["body"] for message in rest)


async def code(asking: Awaitable[Answer]) -> tuple[int, str]:
    """Return how it is refused."""
    with pytest.raises(Refused) as caught:
        await asking
    assert str(caught.value).startswith("cannot ")
    return caught.value.refusal.status, caught.value.refusal.code


async def test_the_first_answer_is_given_again() -> None:
    """Status, headers, body; a header tells. Without a key each is the first."""
    rig = Rig()
    rig.status, rig.headers["etag"] = 201, '"7"'
    first = await rig.ask()
    again = await rig.ask(principal=replace(ROOT, name="uid 0 pid 77"))  # a retry comes from another process

    assert first == (201, rig.headers, b"answer 1")
    assert again == (201, {**rig.headers, "idempotency-replayed": "true"}, b"answer 1")
    assert (await rig.ask("another"))[2] == b"answer 2"
    assert (await rig.ask(None))[2] == b"answer 3"
    assert (await rig.ask(None))[2] == b"answer 4"
    assert rig.done == [b"{}"] * 4


@pytest.mark.parametrize(
    "principal",
    [
        replace(ROOT, uid=1),
        replace(ROOT, role=Role.OPERATOR),
        replace(ROOT, how=How.LOOPBACK),
        Principal("token 0", How.TOKEN, Role.ADMIN),
    ],
)
async def test_a_key_is_its_principal_s(principal: Principal) -> None:
    """What one was answered, another does not get."""
    rig = Rig()
    await rig.ask()

    assert (await rig.ask(principal=principal))[2] == b"answer 2"


@pytest.mark.parametrize(
    "other",
    [{"body": b"{ }"}, {"path": "/api/v1/shutdown"}, {"query_string": b"wait=1s"}],
)
async def test_a_key_is_for_one_request(other: dict[str, Any]) -> None:
    """The same key with another request is a mistake of whoever asks."""
    rig = Rig()
    await rig.ask()

    assert await code(rig.ask(**other)) == (422, "IDEMPOTENCY_001")
    assert len(rig.done) == 1


async def test_two_at_once_are_one() -> None:
    """The second is told that the first is under way, and gets its answer later."""
    rig, go_on = Rig(), asyncio.Event()
    rig.before = go_on.wait
    first = asyncio.create_task(rig.ask())
    await asyncio.sleep(0)
    refused = [await code(rig.ask()) for _ in range(3)]
    go_on.set()

    assert refused == [(409, "IDEMPOTENCY_002")] * 3
    assert (await first)[2] == (await rig.ask())[2] == b"answer 1"


async def test_who_hangs_up_is_worked_for_all_the_same() -> None:
    """They will ask again how it ended: so the application is not told that they are gone."""
    rig = Rig()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        gone = asyncio.create_task(receive())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not gone.done()
        gone.cancel()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    rig.layer = Idempotency(app, rig.answers)
    await rig.ask()
    assert (await rig.ask())[1:] == ({"idempotency-replayed": "true"}, b"done")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_what_was_not_done_is_not_kept(status: int) -> None:
    """It may be asked for again with the same key."""
    rig = Rig()
    rig.status = status
    await rig.ask()
    rig.status = 200

    assert (await rig.ask())[::2] == (200, b"answer 2")


@pytest.mark.parametrize("status", [200, 201, 404, 409, 422])
async def test_what_was_answered_for_good_is_kept(status: int) -> None:
    """A no, too: it is the first answer."""
    rig = Rig()
    rig.status = status
    await rig.ask()

    assert (await rig.ask())[::2] == (status, b"answer 1")


async def test_what_no_route_is_for_is_not_kept() -> None:
    """Whoever makes up paths takes nobody's room."""
    rig = Rig()
    rig.status = 404
    await rig.ask(route=None)

    assert len(rig.answers) == 0


async def test_a_mistake_is_not_kept() -> None:
    """Nor one who was cut off in the middle: the key is free again."""
    rig = Rig()

    async def fail() -> None:
        raise RuntimeError("boom")

    rig.before = fail
    with pytest.raises(RuntimeError):
        await rig.ask()
    assert len(rig.answers) == rig.answers.bytes == 0
    rig.before = None
    assert (await rig.ask())[2] == b"answer 2"


@pytest.mark.parametrize(
    ("headers", "parts"),
    [
        ({"content-type": "application/json", "cache-control": "no-store"}, [b"secret"]),
        ({"content-type": "application/x-ndjson"}, [b"{}\n", b"{}\n"]),
        ({"content-type": "text/event-stream"}, [b": x\n\n"]),
        ({"content-type": "application/json"}, [b"x" * ANSWER_BYTES, b"x"]),
    ],
    ids=["secret", "ndjson", "sse", "large"],
)
async def test_what_may_not_be_kept_is_not_and_is_not_done_again(headers: dict[str, str], parts: list[bytes]) -> None:
    """A stream, a secret, what is too large: no copy is kept in memory, and the second is told that it was done."""
    rig = Rig()
    rig.headers, rig.parts = headers, parts
    assert (await rig.ask())[2] == b"".join(parts)

    assert rig.answers.bytes == KEY_BYTES
    assert await code(rig.ask()) == (409, "IDEMPOTENCY_003")
    assert len(rig.done) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\tb", "a b"])
async def test_a_key_is_a_short_text(key: str) -> None:
    """Anything else is refused, and nothing is done."""
    rig = Rig()

    assert await code(rig.ask(key)) == (422, "VALID_001")
    assert rig.done == []


async def test_a_request_has_one_key() -> None:
    """Two are none."""
    rig = Rig()
    both = [(b"idempotency-key", b"a"), (b"idempotency-key", b"b")]

    assert await code(rig.ask(headers=both)) == (422, "VALID_001")


async def test_only_a_post_has_a_key() -> None:
    """What reads is asked anew each time."""
    rig = Rig()
    await rig.ask(method="GET")

    assert (await rig.ask(method="GET"))[2] == b"answer 2"


async def test_a_key_is_forgotten_after_a_day() -> None:
    """And not before."""
    rig = Rig()
    await rig.ask()
    rig.now += KEPT_SEC
    assert (await rig.ask())[2] == b"answer 1"
    rig.now += 1
    assert (await rig.ask())[2] == b"answer 2"


def test_what_is_kept_is_bounded() -> None:
    """In number and in bytes: the oldest go, but never one that is under way."""
    answers = KeptAnswers(count_most=3, bytes_most=10 * KEY_BYTES)
    answers.begin(("root", "slow"), b"")
    for key in "abcde":
        answers.begin(("root", key), b"")
        answers.done(("root", key), Kept(200, (), b"x"))
    assert [key for key in ("slow", *"abcde") if answers.find(("root", key))] == ["slow", "d", "e"]

    answers.done(("root", "e"), Kept(200, (), b"x" * 9 * KEY_BYTES))
    assert [key for key in ("slow", *"abcde") if answers.find(("root", key))] == ["slow"]
    assert answers.bytes == KEY_BYTES
    answers.forget(("root", "slow"))
    answers.forget(("root", "slow"))
    assert len(answers) == answers.bytes == 0


def test_nobody_s_answers_go_for_another_s() -> None:
    """Where there is no room, in number or in bytes, those of whoever has the most go, the oldest first."""
    answers = KeptAnswers(count_most=4, bytes_most=20 * KEY_BYTES)
    names = [("one", "a"), *(("many", key) for key in "bcdef")]
    for name in names:
        answers.begin(name, b"")
        answers.done(name, Kept(200, (), b"x"))
    assert [key for who, key in names if answers.find((who, key))] == list("adef")

    answers.begin(("large", "g"), b"")
    answers.done(("large", "g"), Kept(200, (), b"x" * 17 * KEY_BYTES))
    assert answers.find(("large", "g")) is None
    assert [key for who, key in names if answers.find((who, key))] == list("aef")


@pytest.mark.parametrize(("was_done", "times"), [(True, 1), (False, 2)])
async def test_what_failed_after_it_was_done_is_not_done_again(was_done: bool, times: int) -> None:
    """A restart that could not release one lock is a failure; whoever asks again is told so, and restarts nothing."""
    rig = Rig()
    rig.status = 502
    for _ in range(2):
        assert (await rig.ask(state={"principal": ROOT, "was_done": was_done}))[0] == 502

    assert len(rig.done) == times
