"""TLS: who can be spoken to, client certificates, what a reload brings, and what stands on the doorstep."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from crewd.api import protocol, tls
from crewd.api.tls import context_of
from crewd.errors import TargetError
from crewd.model.access import Role, Roles, Tls
from crewd.model.spec import DaemonSpec
from crewd.reconcile.tokens import Token, digest_of, minted
from crewd.reconcile.wanted import wanted_of
from harness.api import Answer, Crewd, exchange, running, until
from harness.certificates import Authority, Pair
from harness.ports import free_port
from harness.waiting import PATIENCE_SEC

CREW = "/api/v1/workers"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Which signs the server and the clients."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    """For 127.0.0.1 and crewd.example."""
    return authority.sign("crewd.example", "DNS:crewd.example", "IP:127.0.0.1", file="server")


@pytest.fixture
def crewd(tmp_path: Path, authority: Authority, server: Pair) -> Iterator[Crewd]:
    """On all addresses, with roles for certificates."""
    access = DaemonSpec(
        tls=Tls(server.certificate, server.key, authority.certificate),
        allowed_hosts=("crewd.example",),
        roles=Roles(certificates={"ops": Role.OPERATOR, "watch.example": Role.VIEWER, "both": Role.ADMIN}),
    )
    yield Crewd(tmp_path, listen=f"0.0.0.0:{free_port()}", access=access)


@asynccontextmanager
async def listening(crewd: Crewd) -> AsyncIterator[Crewd]:
    """Let it run, and listen."""
    async with running(crewd):
        await until(lambda: not crewd.server.troubles() and crewd.known_tokens.loaded)
        await until(lambda: answers(crewd))
        yield crewd


def answers(crewd: Crewd) -> bool:
    """Return whether somebody can be reached there."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port(crewd))) == 0


def port(crewd: Crewd) -> int:
    """Return where it listens."""
    return int(crewd.listen.rpartition(":")[2])


def client(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    """Return what a client speaks with: it checks the server's name."""
    context = ssl.create_default_context(cafile=authority.certificate)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


async def ask(crewd: Crewd, context: ssl.SSLContext, target: str = CREW, method: str = "GET", **headers: str) -> Answer:
    """Ask once over TLS."""
    connection = HTTPSConnection("127.0.0.1", port(crewd), timeout=PATIENCE_SEC, context=context)
    return await asyncio.to_thread(exchange, connection, method, target, None, headers)


async def test_nobody_is_anybody_by_where_they_are(crewd: Crewd, authority: Authority) -> None:
    """Where others can reach it too, root on this machine shows a token as everybody does."""
    token_id, text = minted()
    await crewd.tokens.add(Token(token_id, digest_of(text), Role.VIEWER))
    async with listening(crewd):
        without = await ask(crewd, client(authority))
        shown = await ask(crewd, client(authority), Authorization=f"Bearer {text}")

        assert (without.status, without.code) == (401, "AUTH_001")
        assert shown.status == 200
        assert (await ask(crewd, client(authority), "/healthz")).status == 200


async def test_only_names_of_this_machine_are_answered_to(crewd: Crewd, authority: Authority) -> None:
    """As everywhere over TCP."""
    async with listening(crewd):
        assert (await ask(crewd, client(authority), "/healthz", Host="crewd.example")).status == 200
        assert (await ask(crewd, client(authority), "/healthz", Host="evil.example")).code == "AUTH_002"


async def test_who_speaks_no_tls_is_not_answered(crewd: Crewd) -> None:
    """Nothing is sent in clear, and the connection ends."""
    async with listening(crewd):
        reader, writer = await asyncio.open_connection("127.0.0.1", port(crewd))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        try:
            received = await asyncio.wait_for(reader.read(), PATIENCE_SEC)
        except ConnectionResetError:
            pass
        writer.close()

        assert b"HTTP" not in received


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_are_not_spoken(crewd: Crewd, authority: Authority) -> None:
    """TLS 1.2 is, 1.1 is not, whatever the client would put up with."""
    async with listening(crewd):
        new, old = client(authority), client(authority)
        new.maximum_version = ssl.TLSVersion.TLSv1_2
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1

        assert (await ask(crewd, new, "/healthz")).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(crewd, old, "/healthz")


@pytest.mark.parametrize(
    ("names", "known_as", "statuses"),
    [
        (("ops",), "ops", (200, 200)),
        (("anything", "DNS:watch.example"), "watch.example", (200, 403)),
        (("both", "DNS:watch.example"), "both", (200, 200)),
        (("stranger", "DNS:other.example"), "stranger", (403, 403)),
    ],
)
async def test_a_certificate_has_the_role_of_its_names(
    crewd: Crewd, authority: Authority, names: tuple[str, ...], known_as: str, statuses: tuple[int, int]
) -> None:
    """By its common name or another; the strongest of several; one that the file does not know has none."""
    context = client(authority, authority.sign(*names))
    async with listening(crewd):
        read = await ask(crewd, context)
        acted = await ask(crewd, context, f"{CREW}/web/stop", "POST")
        foreign = await ask(crewd, context, f"{CREW}/web/stop", "POST", Origin="https://evil.example")

        assert (read.status, acted.status) == statuses
        assert (foreign.status, foreign.code) == (401, "AUTH_001")
        assert await crewd.auditor.settled(PATIENCE_SEC)
        [entry] = [one for one in crewd.audit.stored if "stop" in one.what and one.status == acted.status]
        assert (entry.principal, entry.how) == (f"certificate {known_as}", "certificate")


async def test_a_certificate_of_somebody_else_s_is_not_taken(
    crewd: Crewd, authority: Authority, tmp_path: Path
) -> None:
    """By another authority, whatever name it bears; nor one that has expired."""
    (tmp_path / "other").mkdir()
    forged = Authority(tmp_path / "other").sign("ops", file="forged")
    async with listening(crewd):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(crewd, client(authority, forged))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(crewd, client(authority, authority.sign("ops", file="expired", days="-1")))

        assert (await ask(crewd, client(authority, authority.sign("ops", file="good")))).status == 200


async def test_a_reload_brings_a_new_certificate(crewd: Crewd, authority: Authority) -> None:
    """For new connections; one that is open goes on."""
    async with listening(crewd):
        open_one = HTTPSConnection("127.0.0.1", port(crewd), timeout=PATIENCE_SEC, context=client(authority))
        await asyncio.to_thread(open_one.request, "GET", "/healthz")
        (await asyncio.to_thread(open_one.getresponse)).read()
        before = await asyncio.to_thread(served, crewd, authority)
        renewed = authority.sign("crewd.example", "DNS:crewd.example", "IP:127.0.0.1", file="renewed")
        configure(crewd, tls=Tls(renewed.certificate, renewed.key, authority.certificate))
        await crewd.post("/reload")

        assert await asyncio.to_thread(served, crewd, authority) != before
        await asyncio.to_thread(open_one.request, "GET", "/healthz")
        assert (await asyncio.to_thread(open_one.getresponse)).status == 200
        open_one.close()


async def test_a_reload_brings_other_authorities(crewd: Crewd, authority: Authority, tmp_path: Path) -> None:
    """Those of before are not taken any more."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    old, new = authority.sign("ops", file="old"), other.sign("ops", file="new")
    async with listening(crewd):
        assert (await ask(crewd, client(authority, old))).status == 200
        own = crewd.remembered.daemon.tls
        assert own is not None
        configure(crewd, tls=replace(own, client_ca=other.certificate))
        await crewd.post("/reload")

        assert (await ask(crewd, client(authority, new))).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(crewd, client(authority, old))


async def test_a_certificate_that_broke_does_not_end_the_service(
    crewd: Crewd, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was good holds, and that is said."""
    async with listening(crewd):
        configure(crewd, tls=Tls("/no/such/certificate", "/no/such/key"))
        await crewd.post("/reload")

        assert (await ask(crewd, client(authority), "/healthz")).status == 200
        assert "going on with the certificate as it was" in capsys.readouterr().out


def configure(crewd: Crewd, **changes: object) -> None:
    """Let the file say something else, from the next reload on."""
    spec = crewd.wanted.spec
    assert spec is not None
    crewd.wanted = wanted_of(replace(spec, daemon=replace(spec.daemon, **changes)))


def served(crewd: Crewd, authority: Authority) -> bytes:
    """Return the certificate that the server shows."""
    with (
        socket.create_connection(("127.0.0.1", port(crewd)), PATIENCE_SEC) as plain,
        client(authority).wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        found = secured.getpeercert(binary_form=True)
    assert found is not None
    return found


async def test_without_a_certificate_nothing_is_listened_on(crewd: Crewd) -> None:
    """It is said, and the Unix socket serves; once there is one, TCP does."""
    own = crewd.remembered.daemon.tls
    assert own is not None
    missing = replace(own, certificate=f"{crewd.path}.pem")
    crewd.server._tls = missing
    configure(crewd, tls=missing)
    crewd.remembered = replace(crewd.remembered, daemon=replace(crewd.remembered.daemon, tls=missing))
    async with running(crewd):
        await until(crewd.server.troubles)
        unready = await crewd.ask("GET", "/readyz")
        assert "cannot speak TLS with" in unready.json["reasons"][0]
        Path(missing.certificate).write_bytes(Path(own.certificate).read_bytes())
        await until(lambda: not crewd.server.troubles())

        assert answers(crewd)


async def test_a_certificate_that_cannot_be_used_is_said_once(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is tried again; and until it can be used, nobody is told that it is listened there."""
    crewd.server._tls = Tls("/no/such/certificate", "/no/such/key")
    configure(crewd, tls=crewd.server._tls)
    tried: list[tuple[str, ...]] = []

    def counted(one: Tls) -> ssl.SSLContext:
        tried.append(crewd.server.troubles())
        return context_of(one)

    monkeypatch.setattr(tls, "context_of", counted)
    with capture_logs() as logs:
        async with running(crewd):
            await until(lambda: len(tried) > 3)
    told = [line for line in logs if line.get("on") == crewd.listen]
    said = [line for line in logs if line["event"] == "cannot listen; trying again"]

    assert all(tried[1:])
    assert (told, len(said)) == ([], 1)


async def test_beyond_the_machine_there_is_nothing_without_tls(tmp_path: Path) -> None:
    """Also where the configuration failed to say so: the server itself refuses."""
    crewd = Crewd(tmp_path, listen=f"0.0.0.0:{free_port()}")
    async with running(crewd):
        await until(crewd.server.troubles)

        assert "can be reached from elsewhere, and there is no TLS" in crewd.server.troubles()[0]
        assert not answers(crewd)


async def test_nobody_stands_on_the_doorstep_for_long(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do more than may: those who shake hands are served meanwhile."""
    monkeypatch.setattr(tls, "SHAKE_SEC", 0.3)
    monkeypatch.setattr(tls, "WAITING", 3)
    async with listening(crewd):
        silent = [await asyncio.open_connection("127.0.0.1", port(crewd)) for _ in range(5)]
        ended = [asyncio.create_task(gone(reader)) for reader, _ in silent]
        await asyncio.wait_for(asyncio.gather(*ended), PATIENCE_SEC)
        for _, writer in silent:
            writer.close()


async def gone(reader: asyncio.StreamReader) -> None:
    """Wait for the end of a connection."""
    try:
        assert await reader.read() == b""
    except ConnectionError:
        pass


async def test_what_comes_with_the_handshake_is_not_lost(crewd: Crewd, authority: Authority) -> None:
    """A client that does not wait: its request is there before the connection is handed over."""
    async with listening(crewd):
        for _ in range(20):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port(crewd), ssl=client(authority), server_hostname="127.0.0.1"
            )
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), PATIENCE_SEC)
            writer.close()

            assert answer.startswith(b"HTTP/1.1 200")


async def test_the_limits_hold_over_tls(crewd: Crewd, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that ask nothing end, as they do without it."""
    monkeypatch.setattr(protocol, "REQUEST_SEC", 0.2)
    async with listening(crewd):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port(crewd), ssl=client(authority), server_hostname="127.0.0.1"
        )
        await asyncio.wait_for(gone(reader), PATIENCE_SEC)
        writer.close()


def test_tls_is_not_spoken_with_what_is_none(tmp_path: Path, authority: Authority, server: Pair) -> None:
    """With a sentence; and nobody is asked for a passphrase."""
    (tmp_path / "text").write_text("nothing")
    for wrong in (
        Tls(f"{tmp_path}/none", server.key),
        Tls(server.certificate, authority.certificate),
        Tls(server.certificate, server.key, f"{tmp_path}/text"),
    ):
        with pytest.raises(TargetError, match="cannot speak TLS with"):
            context_of(wrong)
