"""What was shown to be let in stands nowhere afterwards: in no log, no answer, no error, no line of the audit."""

import asyncio
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from crewd.model.access import HmacKey, Role
from crewd.model.spec import DaemonSpec
from crewd.policy.signing import Question, sign
from crewd.reconcile.tokens import Token, digest_of, minted
from harness.api import Answer, Crewd, exchange, running, until
from harness.ports import free_port
from harness.waiting import PATIENCE_SEC

KEY_SECRET = "the-secret-of-the-key-deploy-0123456789"
CREW = "/api/v1/workers"


@pytest.fixture
def crewd(tmp_path: Path) -> Iterator[Crewd]:
    """With a key."""
    path = tmp_path / "key"
    path.write_text(KEY_SECRET)
    path.chmod(0o600)
    access = DaemonSpec(hmac_keys={"deploy": HmacKey(str(path), Role.OPERATOR)})
    yield Crewd(tmp_path, listen=f"127.0.0.1:{free_port()}", access=access)


async def ask(crewd: Crewd, method: str, target: str, body: bytes | None = None, **headers: str) -> Answer:
    """Ask over TCP; whatever was counted of failures is forgotten."""
    crewd.clock.advance(61)
    connection = HTTPConnection(crewd.listen, timeout=PATIENCE_SEC)
    kind = {} if body is None else {"Content-Type": "application/json"}
    named = kind | {name.replace("_", "-"): value for name, value in headers.items()}
    return await asyncio.to_thread(exchange, connection, method, target, body, named)


def signed(crewd: Crewd, method: str, target: str, secret: str = KEY_SECRET) -> str:
    """Return the header of a signed request."""
    nonce = f"{len(crewd.supervisord.lines):08}{crewd.clock.time():020.3f}"
    return sign(secret.encode(), "deploy", Question(method, target), int(crewd.clock.time()) + 61, nonce)


async def test_secrets_are_nowhere_afterwards(crewd: Crewd, capsys: pytest.CaptureFixture[str]) -> None:
    """Right ones and wrong ones, shown where they belong and where they do not."""
    token_id, right = minted()
    revoked_id, revoked = minted()
    wrong = minted()[1]
    answers: list[Answer] = []
    signatures: list[str] = []
    async with running(crewd):
        await until(lambda: not crewd.server.troubles() and crewd.known_tokens.loaded)
        await crewd.known_tokens.add(Token(token_id, digest_of(right), Role.OPERATOR, name="right"))
        await crewd.known_tokens.add(Token(revoked_id, digest_of(revoked), Role.OPERATOR, revoked_at=1.0))
        for token in (right, revoked, wrong):
            answers += [
                await ask(crewd, "GET", CREW, Authorization=f"Bearer {token}"),
                await ask(crewd, "POST", f"{CREW}/web/stop", X_API_Key=token),
                await ask(crewd, "GET", CREW, Authorization=f"Basic {token}"),
                await ask(crewd, "GET", CREW, Authorization=token),
                await ask(crewd, "GET", f"/{token}"),
                await ask(crewd, "POST", f"{CREW}/{token}/stop"),
                await ask(crewd, "GET", f"{CREW}?worker={token}"),
                await ask(crewd, "GET", f"{CREW}?{token}=1"),
                await ask(crewd, "GET", CREW, Host=token),
                await ask(crewd, "POST", f"{CREW}/web/stop", X_Crewd_User=token),
                await ask(crewd, "POST", f"{CREW}/batch", b'{"user": "%b", "token": "x"}' % token.encode()),
                await ask(crewd, "POST", "/api/v1/tokens", b'{"role": "viewer", "name": "%b"}' % token.encode()),
            ]
        for secret in (KEY_SECRET, KEY_SECRET[:-1] + "x"):
            header = signed(crewd, "GET", CREW, secret)
            signatures.append(header.rpartition("=")[2])
            answers.append(await ask(crewd, "GET", CREW, Authorization=header))
        listed = await crewd.get("/tokens")
        events = await crewd.get("/events?limit=1000")
        assert await crewd.auditor.settled(PATIENCE_SEC)
        audit = await crewd.get("/audit?limit=1000")
    made = [one for one in answers if one.status == 201]
    said = capsys.readouterr()
    texts = [*(whole(one) for one in answers if one not in made), *map(whole, (listed, events, audit))]
    texts += [
        said.out,
        said.err,
        *map(repr, crewd.audit.stored),
        repr(crewd.supervisord.lines),
        repr(crewd.tokens.kept),
    ]

    assert {one.status for one in answers} >= {200, 201, 401, 403, 404, 422}
    for secret in (right, revoked, wrong, KEY_SECRET, *signatures):
        hidden = secret.rpartition("_")[2] if secret.startswith("crw_") else secret
        assert not [text[max(0, text.find(hidden) - 200) :][:400] for text in texts if hidden in text]
    assert len(made) == 3
    for one in made:
        fresh = one.json["data"]["token"].rpartition("_")[2]
        assert not [text for text in texts if fresh in text]


def whole(answer: Answer) -> str:
    """Return all that came back."""
    return f"{answer.status} {answer.headers} {answer.body.decode('utf-8', 'replace')}"


async def test_what_is_kept_in_memory_does_not_show_itself(crewd: Crewd) -> None:
    """Not even where somebody prints it into an error."""
    rules: Any = await crewd.server._rulebook.now()

    assert KEY_SECRET.encode() == rules.keys["deploy"].secret
    assert "secret-of" not in repr(rules)
