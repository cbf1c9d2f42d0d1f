"""Every route, by every role, in every way in: what is let in is what the table of routes says, and nothing else.

Each request has a parameter that no route knows: whoever is let in is refused for that (or, where anyone may ask, is
answered), and nothing is done. The routes and what they ask for come from the table itself; what a role may is written
down here once more.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from crewd.api import admission
from crewd.api.app import application
from crewd.api.streaming import Ending
from crewd.model.access import Access, HmacKey, Role, Roles
from crewd.model.spec import DaemonSpec
from crewd.policy.signing import AHEAD_SEC
from crewd.reconcile.tokens import Token, digest_of, minted
from harness.api import Answer, Crewd, running, until
from harness.ports import free_port
from harness.strangers import NOBODY, Asked, Who, ask_as, open_way

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

MAY = {
    None: {Access.ANYONE},
    Role.VIEWER: {Access.ANYONE, Access.VIEWER},
    Role.OPERATOR: {Access.ANYONE, Access.VIEWER, Access.OPERATOR},
    Role.ADMIN: {*Access},
    Role.NODE: {Access.ANYONE, Access.NODE},
    Role.WORKER: {Access.ANYONE, Access.WORKER},
}
SECRET = "0123456789abcdef" * 2
GROUPS = {Role.VIEWER: 50001, Role.OPERATOR: 50002, Role.ADMIN: 50003}
RUNS_WEB = 50010
FOREIGN = ("Origin", "https://evil.example")
UNKNOWN = "no-such-parameter=1"
LET_IN = {200, 404, 405, 422, 503}
"""It was answered, the parameter was refused, there is no such thing, or crewd is not ready: no mistake of crewd's."""
STRANGER = Who(NOBODY)
ROOT = Who()


@dataclass(frozen=True)
class Row:
    """A row of the table, as a request."""

    method: str
    target: str
    access: Access


@dataclass(frozen=True)
class Way:
    """A way in. ``role``: as whom it lets in; ``unknown``: what it answers where that is not enough."""

    name: str
    role: Role | None
    who: Who = ROOT
    tcp: bool = True
    headers: Callable[[Crewd, Row], tuple[tuple[str, str], ...]] = lambda _crewd, _row: ()
    unknown: int = 401
    host: bool = True
    """Whether its Host is one that is answered to."""
    twice: bool = False
    """Whether each request was sent before, letter by letter: what counts is the second answer."""


def rows(crewd: Crewd) -> tuple[Row, ...]:
    """Return the table as requests, and something that is not there."""
    _, table = application(crewd.ports, Ending(), tuple)
    found = [Row(route.method, _filled(route.path), route.access) for route in table]
    return (*found, Row("GET", "/no/such/path", Access.VIEWER), Row("DELETE", "/metrics", Access.VIEWER))


def _filled(path: str) -> str:
    parts = ["web" if part.startswith("{") else part for part in path.split("/")]
    return f"{'/'.join(parts)}?{UNKNOWN}"


def fixed(*headers: tuple[str, str]) -> Callable[[Crewd, Row], tuple[tuple[str, str], ...]]:
    """Return headers that are always the same."""
    return lambda _crewd, _row: headers


def token(role: Role, kind: str = "", **changes: float) -> Callable[[Crewd, Row], tuple[tuple[str, str], ...]]:
    """Return the header with a token of this role, made when it is first asked for."""

    def headers(crewd: Crewd, _row: Row) -> tuple[tuple[str, str], ...]:
        text = kept(crewd, role, **changes)
        text = text[:-1] + ("x" if text[-1] != "x" else "y") if kind == "mistyped" else text
        return (("X-API-Key", text) if kind == "X-API-Key" else ("Authorization", f"Bearer {text}"),)

    return headers


def kept(crewd: Crewd, role: Role, **changes: float) -> str:
    """Return a token of this role, which the daemon knows."""
    made = crewd.__dict__.setdefault("made", {})
    if (name := (role, *changes.items())) not in made:
        token_id, text = minted()
        one = replace(Token(token_id, digest_of(text), role), **changes)
        crewd.known_tokens._known = {**crewd.known_tokens._known, token_id: one}
        made[name] = text
    return made[name]


def signature(
    role: Role, late_sec: int = 0, *, key: str | None = None, forged: bool = False
) -> Callable[[Crewd, Row], tuple[tuple[str, str], ...]]:
    """Return the header with a signature by the key of this role, made here as the manual says."""

    def headers(crewd: Crewd, row: Row) -> tuple[tuple[str, str], ...]:
        timestamp, nonce = int(crewd.clock.time()) - late_sec, os.urandom(16).hex()
        body = hashlib.sha256(b"").hexdigest()
        method = "PUT" if forged else row.method
        text = f"CREWD-HMAC-SHA256\n{method}\n{row.target}\n{timestamp}\n{nonce}\n{body}"
        signed = hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()
        members = f"key={key or role.value}, timestamp={timestamp}, nonce={nonce}, signature={signed}"
        return (("Authorization", f"CREWD-HMAC-SHA256 {members}"),)

    return headers


WAYS = (
    # the Unix socket
    Way("unix: root", Role.ADMIN, ROOT, tcp=False),
    Way("unix: a stranger", None, STRANGER, tcp=False, unknown=403),
    *(
        Way(f"unix: a member of the group of {role}s", role, Who(NOBODY, (gid,)), tcp=False, unknown=403)
        for role, gid in GROUPS.items()
    ),
    Way("unix: by its main group", Role.OPERATOR, Who(NOBODY, (), GROUPS[Role.OPERATOR]), tcp=False, unknown=403),
    Way("unix: in two groups", Role.OPERATOR, Who(NOBODY, (50001, 50002)), tcp=False, unknown=403),
    Way("unix: who runs a worker", Role.WORKER, Who(RUNS_WEB), tcp=False, unknown=403),
    Way("unix: a stranger with a token", Role.OPERATOR, STRANGER, tcp=False, headers=token(Role.OPERATOR), unknown=403),
    Way("unix: root with a viewer's token", Role.VIEWER, ROOT, tcp=False, headers=token(Role.VIEWER), unknown=403),
    Way("unix: root with a mistyped token", None, ROOT, tcp=False, headers=token(Role.ADMIN, "mistyped")),
    # TCP, by who owns the client's socket
    Way("loopback: root", Role.ADMIN, ROOT),
    Way("loopback: a stranger", None, STRANGER),
    Way("loopback: a member of a group", None, Who(NOBODY, (GROUPS[Role.ADMIN],))),
    Way("loopback: who runs a worker", None, Who(RUNS_WEB)),
    Way("loopback: root, by another Host", None, ROOT, headers=fixed(("Host", "evil.example")), host=False),
    Way("loopback: root, by an allowed Host", Role.ADMIN, ROOT, headers=fixed(("Host", "crewd.example:3000"))),
    Way("loopback: root's browser, from another site", None, ROOT, headers=fixed(FOREIGN)),
    Way("loopback: root's browser, from nowhere", None, ROOT, headers=fixed(("Origin", "null"))),
    Way("loopback: root's browser, another port", None, ROOT, headers=fixed(("Origin", "http://127.0.0.1:8080"))),
    Way("loopback: root's browser, cross-site", None, ROOT, headers=fixed(("Sec-Fetch-Site", "cross-site"))),
    Way("loopback: root's browser, same-site", None, ROOT, headers=fixed(("Sec-Fetch-Site", "same-site"))),
    Way("loopback: root's browser, by itself", Role.ADMIN, ROOT, headers=fixed(("Sec-Fetch-Site", "none"))),
    *(
        Way(f"loopback: root, {name}", None, ROOT, headers=fixed((name, value)))
        for name, value in (
            ("Forwarded", "for=127.0.0.1"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Host", "localhost"),
            ("X-Forwarded-Proto", "http"),
            ("X-Real-IP", "127.0.0.1"),
            ("Via", "1.1 proxy"),
        )
    ),
    # tokens
    *(Way(f"a token of role {role}", role, STRANGER, headers=token(role), unknown=403) for role in Role),
    *(
        Way(f"a token of role {role} as X-API-Key", role, STRANGER, headers=token(role, "X-API-Key"), unknown=403)
        for role in Role
    ),
    Way(
        "a token by a forwarding proxy",
        Role.VIEWER,
        STRANGER,
        headers=lambda crewd, row: (*token(Role.VIEWER)(crewd, row), ("X-Forwarded-For", "192.0.2.1")),
        unknown=403,
    ),
    Way("an expired token", None, STRANGER, headers=token(Role.ADMIN, expires_at=1.0)),
    Way("a revoked token", None, STRANGER, headers=token(Role.ADMIN, revoked_at=1.0)),
    Way("a mistyped token", None, STRANGER, headers=token(Role.ADMIN, "mistyped")),
    Way("a revoked token, shown by root", None, ROOT, headers=token(Role.ADMIN, revoked_at=1.0)),
    Way("no token at all", None, ROOT, headers=fixed(("Authorization", "Bearer"))),
    Way("a password", None, ROOT, headers=fixed(("Authorization", "Basic cm9vdDpyb290"))),
    Way(
        "two tokens",
        None,
        ROOT,
        headers=lambda crewd, row: (*token(Role.ADMIN)(crewd, row), *token(Role.ADMIN, "X-API-Key")(crewd, row)),
    ),
    # signatures
    *(Way(f"a signature of role {role}", role, STRANGER, headers=signature(role), unknown=403) for role in Role),
    Way("a signature for the second time", None, STRANGER, headers=signature(Role.ADMIN), twice=True),
    Way("a late signature", None, STRANGER, headers=signature(Role.ADMIN, 301)),
    Way("a signature ahead of its time", None, STRANGER, headers=signature(Role.ADMIN, -31)),
    Way("a signature of something else", None, STRANGER, headers=signature(Role.ADMIN, forged=True)),
    Way("a signature by a key that is not there", None, STRANGER, headers=signature(Role.ADMIN, key="other")),
)


@pytest.fixture
def crewd(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crewd]:
    """On both listeners, with a role for everybody, and no end of patience with wrong credentials."""
    monkeypatch.setattr(admission, "FAILURES", 1_000_000)
    monkeypatch.setattr("crewd.api.rules._gid", int)
    monkeypatch.setattr("crewd.api.runners.owners", lambda _running: {RUNS_WEB: frozenset({"web"})})
    (open_path / "secret").write_text(SECRET)
    (open_path / "secret").chmod(0o600)
    access = DaemonSpec(
        allowed_hosts=("crewd.example",),
        roles=Roles({str(gid): role for role, gid in GROUPS.items()}),
        hmac_keys={role.value: HmacKey(f"{open_path}/secret", role) for role in Role},
    )
    yield Crewd(open_path, listen=f"127.0.0.1:{free_port()}", access=access)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
async def test_each_route_lets_in_whom_the_table_says(crewd: Crewd, way: Way) -> None:
    """And refuses all others: 401 where it is not known who asks, 403 where it is."""
    async with running(crewd):
        await until(lambda: not crewd.server.troubles() and crewd.known_tokens.loaded)
        await open_way(Path(crewd.path))
        await crewd.advance(AHEAD_SEC)  # before, no signature is good
        table = rows(crewd)
        asked = [Asked(row.method, row.target, way.headers(crewd, row)) for row in table]
        where = crewd.listen if way.tcp else crewd.path
        if way.twice:
            first = await ask_as(way.who, where, asked)
            assert {outcome(answer) for answer in first} == {"let in"}
        answers = await ask_as(way.who, where, asked)

        got = {f"{row.method} {row.target}": outcome(answer) for row, answer in zip(table, answers, strict=True)}
        assert got == {f"{row.method} {row.target}": expected(way, row) for row in table}
        assert not crewd.task.done()


def expected(way: Way, row: Row) -> str:
    """Return what becomes of a request."""
    if not way.host:
        return "403"
    return "let in" if row.access in MAY[way.role] else str(way.unknown)


def outcome(answer: Answer) -> str:
    """Return what became of it, the refusal being one in every respect."""
    if answer.status not in {401, 403}:
        assert answer.status in LET_IN, answer
        return "let in"
    assert answer.code == {401: "AUTH_001", 403: "AUTH_002"}[answer.status]
    assert ("www-authenticate" in answer.headers) == (answer.status == 401)
    return str(answer.status)


async def test_the_table_has_every_kind_of_row(crewd: Crewd) -> None:
    """Or the test above would show less than it seems."""
    assert {row.access for row in rows(crewd)} >= {Access.ANYONE, Access.VIEWER, Access.OPERATOR, Access.ADMIN}


async def test_a_signature_is_good_once(crewd: Crewd) -> None:
    """Whatever it is for: each of its repetitions is refused, over another connection and another listener, too."""
    async with running(crewd):
        await until(lambda: not crewd.server.troubles())
        await open_way(Path(crewd.path))
        await crewd.advance(AHEAD_SEC)
        row = Row("GET", "/api/v1/workers", Access.VIEWER)
        asked = Asked(row.method, row.target, signature(Role.VIEWER)(crewd, row))
        [first, again] = await ask_as(STRANGER, crewd.listen, [asked, asked])
        [elsewhere] = await ask_as(STRANGER, crewd.path, [asked])

        assert first.status == 200
        assert (again.status, again.code, elsewhere.code) == (401, "AUTH_001", "AUTH_001")
        assert "its nonce was used already" in again.json["message"]


async def test_a_browser_s_form_of_another_site_does_nothing(crewd: Crewd) -> None:
    """Just as a browser of root's sends it, with a body that would be understood."""
    async with running(crewd):
        await until(lambda: not crewd.server.troubles())
        calls = crewd.engine.calls
        headers = (
            ("Origin", "https://evil.example"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", "no-cors"),
            ("Content-Type", "text/plain"),
            ("Cookie", "a=b"),
        )
        body = b'{"action": "stop", "worker_ids": ["*"]}'
        [forged, own] = await ask_as(
            ROOT,
            crewd.listen,
            [
                Asked("POST", "/api/v1/workers/batch", headers, body),
                Asked("POST", "/api/v1/workers/batch", (("Content-Type", "application/json"),), body),
            ],
        )

        assert (forged.status, forged.code) == (401, "AUTH_001")
        assert own.status == 200
        assert crewd.engine.calls == calls + 1
