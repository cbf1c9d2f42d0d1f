"""Too much: wrong credentials, connections and requests of those who are not root; and whose word counts."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from crewd.api import gate, protocol, seats
from crewd.api.admission import FAILURES, FAILURES_SEC, UNREAD, UNREAD_SEC
from crewd.api.signed_bodies import AT_ONCE, OF_ONE
from crewd.model.access import HmacKey, Role, Roles
from crewd.model.spec import DaemonSpec
from crewd.policy.signing import AHEAD_SEC, WINDOW_SEC, Question, sign
from crewd.reconcile.floods import EACH_MOST
from crewd.reconcile.tokens import Token, digest_of, minted
from harness.api import Answer, Crewd, exchange, running, until
from harness.ports import free_port
from harness.strangers import NOBODY, Asked, Who, ask_as, open_way
from harness.waiting import PATIENCE_SEC

CREW = "/api/v1/workers"
SECRET = b"s" * 32
WRONG = {"Authorization": f"Bearer {minted()[1]}"}
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@asynccontextmanager
async def listening(root: Path, **access: object) -> AsyncIterator[Crewd]:
    """Let one run that listens on the loopback interface."""
    crewd = Crewd(root, listen=f"127.0.0.1:{free_port()}", access=DaemonSpec(**access))
    async with running(crewd):
        await until(lambda: not crewd.server.troubles() and crewd.known_tokens.loaded)
        yield crewd


async def ask(crewd: Crewd, **headers: str) -> Answer:
    """Ask for the crew over TCP."""
    connection = HTTPConnection(crewd.listen, timeout=PATIENCE_SEC)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await asyncio.to_thread(exchange, connection, "GET", CREW, None, named)


async def later(crewd: Crewd) -> None:
    """Let so much time pass that whatever is signed now is signed after the daemon began."""
    await crewd.advance(AHEAD_SEC)


def signed(crewd: Crewd, nonce: str) -> str:
    """Return the header of a request for the crew that is signed now."""
    return sign(SECRET, "k", Question("GET", CREW), int(crewd.clock.time()), nonce.rjust(16, "0"))


async def token_of(crewd: Crewd, role: Role) -> dict[str, str]:
    """Return the header with a new token."""
    token_id, text = minted()
    await crewd.known_tokens.add(Token(token_id, digest_of(text), role))
    return {"Authorization": f"Bearer {text}"}


async def test_who_is_wrong_too_often_has_to_wait(tmp_path: Path) -> None:
    """Whatever they show then; who shows nothing is not concerned; after a while all is as before."""
    async with listening(tmp_path) as crewd:
        right = await token_of(crewd, Role.VIEWER)
        wrong = [await ask(crewd, **WRONG) for _ in range(FAILURES)]
        late = [await ask(crewd, **WRONG), await ask(crewd, **right)]

        assert {(one.status, one.code) for one in wrong} == {(401, "AUTH_001")}
        assert {(one.status, one.code) for one in late} == {(429, "RATE_001")}
        assert 0 < int(late[0].headers["retry-after"]) <= FAILURES_SEC
        assert (await ask(crewd)).status == 200
        crewd.clock.advance(FAILURES_SEC + 1)
        assert (await ask(crewd, **right)).status == 200


@root_only
async def test_who_is_wrong_keeps_nobody_else_out(open_path: Path) -> None:
    """On this machine each user is counted for themselves, over both listeners together."""
    async with listening(open_path, roles=Roles({"root": Role.VIEWER})) as crewd:
        await open_way(Path(crewd.path))
        right = await token_of(crewd, Role.VIEWER)
        wrong = [Asked("GET", CREW, tuple(WRONG.items()))] * (FAILURES // 2)
        there = await ask_as(Who(NOBODY), crewd.listen, wrong)
        here = await ask_as(Who(NOBODY), crewd.path, [*wrong, *wrong[:1]])

        assert [one.status for one in (*there, *here)] == [401] * FAILURES + [429]
        assert (await ask(crewd, **right)).status == 200


async def test_a_trusted_proxy_s_clients_are_counted_for_themselves(tmp_path: Path) -> None:
    """By what it says of them; the audit has it, too. Of anybody else nothing is believed."""
    async with listening(tmp_path, trusted_proxies=("127.0.0.0/8",)) as crewd:
        right = await token_of(crewd, Role.VIEWER)
        for _ in range(FAILURES):
            await ask(crewd, **WRONG, X_Forwarded_For="203.0.113.9, 192.0.2.1")
        same = await ask(crewd, **right, X_Forwarded_For="192.0.2.1")
        other = await ask(crewd, **right, X_Forwarded_For="192.0.2.2")
        await crewd.auditor.settled(PATIENCE_SEC)

        assert (same.status, other.status) == (429, 200)
        assert crewd.audit.stored[0].source == "192.0.2.1"
    async with listening(tmp_path / "untrusted") as crewd:
        right = await token_of(crewd, Role.VIEWER)
        for number in range(FAILURES):
            await ask(crewd, **WRONG, X_Forwarded_For=f"192.0.2.{number}")
        await crewd.auditor.settled(PATIENCE_SEC)

        assert (await ask(crewd, **right, X_Forwarded_For="192.0.2.200")).status == 429
        assert {one.source.rpartition(":")[0] for one in crewd.audit.stored} == {"127.0.0.1"}


async def test_a_trusted_proxy_lets_nobody_in(tmp_path: Path) -> None:
    """It may say where somebody comes from, never who they are: though it runs as root."""
    async with listening(tmp_path, trusted_proxies=("127.0.0.0/8",)) as crewd:
        refused = await ask(crewd, X_Forwarded_For="127.0.0.1")

        assert (refused.status, refused.code) == (401, "AUTH_001")


async def test_tokens_that_could_not_be_read_yet_are_said(tmp_path: Path) -> None:
    """Nobody is called a stranger for it, and it is no failure; what is known stays known without the database."""
    crewd = Crewd(tmp_path, listen=f"127.0.0.1:{free_port()}")
    token_id, text = minted()
    crewd.tokens.kept[token_id] = Token(token_id, digest_of(text), Role.VIEWER)
    crewd.tokens.trouble = "it is away"
    shown = {"Authorization": f"Bearer {text}"}
    async with running(crewd):
        await until(lambda: not crewd.server.troubles())
        away = [await ask(crewd, **shown) for _ in range(FAILURES + 1)]
        crewd.tokens.trouble = ""
        await crewd.known_tokens.refresh()
        back = await ask(crewd, **shown)
        crewd.tokens.trouble = "it is away again"

        assert {(one.status, one.code) for one in away} == {(503, "STORE_001")}
        assert back.status == 200
        assert (await ask(crewd, **shown)).status == 200


async def test_tokens_that_could_not_be_read_yet_are_no_flood(tmp_path: Path) -> None:
    """Nobody was let in, so the audit sums them up; and one client asks so often, others as before."""
    crewd = Crewd(tmp_path, listen=f"127.0.0.1:{free_port()}")
    crewd.tokens.trouble = "it is away"
    async with running(crewd):
        await until(lambda: not crewd.server.troubles())
        many = [await ask(crewd, **WRONG) for _ in range(UNREAD + 1)]
        unshown = await ask(crewd)
        crewd.clock.advance(UNREAD_SEC + 1)
        later = await ask(crewd, **WRONG)
        await crewd.auditor.settled(PATIENCE_SEC)

        assert [one.status for one in many] == [503] * UNREAD + [429]
        assert 0 < int(many[-1].headers["retry-after"]) <= UNREAD_SEC
        assert (unshown.status, later.status) == (200, 503)
        assert not any(one.granted for one in crewd.audit.stored)
        assert len(crewd.audit.stored) == EACH_MOST


def keyed(root: Path) -> dict[str, object]:
    """Return a configuration with the key ``k``."""
    (root / "secret").write_text(SECRET.decode())
    (root / "secret").chmod(0o600)
    return {"hmac_keys": {"k": HmacKey(f"{root}/secret", Role.OPERATOR)}, "trusted_proxies": ("127.0.0.0/8",)}


class Slow:
    """Clients who know the name of a key, but not its secret, and do not send the body that they announce."""

    def __init__(self, crewd: Crewd) -> None:
        self._address = crewd.listen.split(":")
        stamp = int(crewd.clock.time())
        self._signed = sign(b"x" * 32, "k", Question("POST", CREW), stamp, "n" * 16)
        self._held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def come(self, client: str, length: int = 1000) -> asyncio.StreamReader:
        """Let one come from there."""
        reader, writer = await asyncio.open_connection(*self._address)
        head = f"POST {CREW} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {self._signed}\r\n"
        writer.write(f"{head}X-Forwarded-For: {client}\r\nContent-Length: {length}\r\n\r\n{{".encode())
        self._held.append((reader, writer))
        return reader

    async def answered(self, client: str, length: int = 1000) -> str:
        """Return the status of the answer to one that comes from there."""
        reader = await self.come(client, length)
        return (await asyncio.wait_for(reader.read(), PATIENCE_SEC)).decode().split()[1]

    def go(self) -> None:
        """Let all go."""
        for _, writer in self._held:
            writer.close()


async def test_who_does_not_send_signed_bodies_keeps_nobody_else_out(tmp_path: Path) -> None:
    """Whoever knows the name of a key holds some places, and neither all nor the memory."""
    async with listening(tmp_path, **keyed(tmp_path)) as crewd:
        await later(crewd)
        slow = Slow(crewd)
        bodies = crewd.server._app._admission._bodies
        for _ in range(OF_ONE):
            await slow.come("192.0.2.1")
        await until(lambda: bodies._of.total() == OF_ONE)
        same = await slow.answered("192.0.2.1")
        right = sign(SECRET, "k", Question("GET", CREW), int(crewd.clock.time()), "r" * 16)
        other = await ask(crewd, Authorization=right, X_Forwarded_For="192.0.2.2")
        for number in range(OF_ONE, AT_ONCE):
            await slow.come(f"198.51.100.{number}")
        await until(lambda: bodies._of.total() == AT_ONCE)

        assert (same, other.status) == ("429", 200)
        assert await slow.answered("192.0.2.3") == "429"
        slow.go()
        await until(lambda: not bodies._of)


async def test_a_signed_body_that_does_not_come_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a wrong signature is: so is one that is too large. Then whoever it was has to wait."""
    monkeypatch.setattr(gate, "BODY_SEC", 0.05)
    async with listening(tmp_path, **keyed(tmp_path)) as crewd:
        await later(crewd)
        slow = Slow(crewd)
        late = [await slow.answered("192.0.2.1") for _ in range(FAILURES // 2)]
        large = [await slow.answered("192.0.2.1", gate.BODY_BYTES + 1) for _ in range(FAILURES // 2)]

        assert (set(late), set(large)) == ({"422"}, {"413"})
        assert await slow.answered("192.0.2.1") == "429"
        assert await slow.answered("192.0.2.2") == "422"
        slow.go()


async def test_a_clock_that_was_set_back_is_said_once(tmp_path: Path) -> None:
    """Signed requests are shut out for as long as the step, whoever signs them: the log tells why."""
    async with listening(tmp_path, **keyed(tmp_path)) as crewd:
        await later(crewd)
        crewd.clock.set_back(3600)
        with capture_logs() as logs:
            early = [await ask(crewd, Authorization=signed(crewd, str(number))) for number in range(2)]

        assert [one.status for one in early] == [429, 429]
        told = [line for line in logs if "the clock was set back" in line["event"]]
        assert [line["for_sec"] for line in told] == [3600]


async def test_what_is_signed_while_crewd_begins_is_asked_for_again(tmp_path: Path) -> None:
    """It may have been used before the daemon began: no failure of whoever shows it, who is told when to sign again."""
    async with listening(tmp_path, **keyed(tmp_path)) as crewd:
        early = [await ask(crewd, Authorization=signed(crewd, str(number))) for number in range(FAILURES + 1)]
        crewd.clock.advance(int(early[0].headers["retry-after"]))
        again = await ask(crewd, Authorization=signed(crewd, "again"))

        assert {(one.status, one.code) for one in early} == {(429, "RATE_001")}
        assert 0 < int(early[0].headers["retry-after"]) <= AHEAD_SEC
        assert again.status == 200


async def test_the_audit_says_as_whom_somebody_was_not_let_in(tmp_path: Path) -> None:
    """With a signature that was used or is late, a token that was revoked or is wrong; but no name that is none."""
    async with listening(tmp_path, **keyed(tmp_path)) as crewd:
        await later(crewd)
        once, revoked, wrong = signed(crewd, "once"), minted(), minted()
        await crewd.known_tokens.add(Token(revoked[0], digest_of(revoked[1]), Role.VIEWER, revoked_at=1.0))
        shown = [once, once, once.replace("key=k", "key=secret"), *(f"Bearer {one[1]}" for one in (revoked, wrong))]
        statuses = [(await ask(crewd, Authorization=one)).status for one in shown]
        crewd.clock.advance(WINDOW_SEC + 1)
        statuses.append((await ask(crewd, Authorization=once)).status)
        await crewd.auditor.settled(PATIENCE_SEC)

        assert statuses == [200] + [401] * 5
        assert [one.details for one in crewd.audit.stored] == [
            {"key": "k"},
            {},
            {"token_id": revoked[0]},
            {"token_id": wrong[0]},
            {"key": "k"},
        ]


@root_only
async def test_others_connections_leave_some_for_root(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of them there are."""
    monkeypatch.setattr(protocol, "CONNECTIONS", 4)
    monkeypatch.setattr(protocol, "RESERVED", 2)
    async with listening(open_path, roles=Roles({"root": Role.VIEWER})) as crewd:
        await open_way(Path(crewd.path))
        held = [await asyncio.open_unix_connection(crewd.path) for _ in range(2)]
        with pytest.raises(AssertionError, match=r"ConnectionReset|RemoteDisconnected|BrokenPipe"):
            await ask_as(Who(NOBODY), crewd.path, [Asked("GET", "/healthz")])

        assert (await crewd.get("/workers")).status == 200
        for _, writer in held:
            writer.close()
        assert (await crewd.get("/workers")).status == 200
        [free] = await ask_as(Who(NOBODY), crewd.path, [Asked("GET", "/healthz")])
        assert free.status == 200


@root_only
async def test_others_requests_leave_some_for_admins(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams of theirs that go on for ever, for instance."""
    monkeypatch.setattr(seats, "RESERVED", gate.REQUESTS)
    async with listening(open_path, roles=Roles({"root": Role.VIEWER})) as crewd:
        await open_way(Path(crewd.path))
        [busy] = await ask_as(Who(NOBODY), crewd.path, [Asked("GET", "/healthz")])

        assert (busy.status, busy.code) == (429, "RATE_001")
        assert (await crewd.get("/workers")).status == 200
