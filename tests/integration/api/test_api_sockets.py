"""The API's sockets: who gets in, what is served where, and how it begins and ends."""

import asyncio
import errno
import os
import socket
import stat
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from crewd.api import gate, protocol, server, streaming
from crewd.api.sockets import tcp_socket, unix_socket
from crewd.errors import TargetError
from crewd.supervisord import output
from harness.api import Answer, Crewd, UnixConnection, exchange, running, until
from harness.ports import free_port
from harness.strangers import NOBODY, Asked, Who, ask_as
from harness.waiting import PATIENCE_SEC


@pytest.fixture
def crewd(tmp_path: Path) -> Crewd:
    """Without TCP."""
    return Crewd(tmp_path)


@pytest.fixture
def tcp(tmp_path: Path) -> Crewd:
    """With TCP."""
    return Crewd(tmp_path, listen=f"127.0.0.1:{free_port()}")


async def ask_tcp(tcp: Crewd, target: str, method: str = "GET", **headers: str) -> Answer:
    """Ask over TCP."""
    connection = HTTPConnection(tcp.listen, timeout=PATIENCE_SEC)
    return await asyncio.to_thread(exchange, connection, method, target, None, headers)


# Who gets in


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_a_stranger_is_refused_whatever_the_socket_s_mode(open_path: Path) -> None:
    """The kernel says who connects; health is anybody's."""
    async with running(Crewd(open_path)) as crewd:
        await until(lambda: stat.S_IMODE(Path(crewd.path).stat().st_mode) == 0o660)
        Path(crewd.path).parent.chmod(0o755)
        Path(crewd.path).chmod(0o666)
        asked = [Asked("GET", target) for target in ("/api/v1/workers", "/no/such/path", "/openapi.json", "/healthz")]
        answers = await ask_as(Who(NOBODY), crewd.path, asked)

        assert [one.status for one in answers] == [403, 403, 403, 200]


async def test_the_socket_is_for_its_owner_and_group(crewd: Crewd) -> None:
    """0660, from the moment it can be seen."""
    async with running(crewd):
        mode = Path(crewd.path).stat().st_mode

        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o660


# What it is served on


async def test_a_socket_that_was_left_behind_is_replaced(crewd: Crewd) -> None:
    """A daemon that was killed removes nothing."""
    Path(crewd.path).parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(crewd.path)
    async with running(crewd):
        await until(lambda: not crewd.server.troubles())

        assert (await crewd.ask("GET", "/healthz")).status == 200


async def test_a_socket_that_somebody_listens_on_is_left_alone(crewd: Crewd) -> None:
    """Nobody is robbed; and once they are gone, it is ours."""
    Path(crewd.path).parent.mkdir()
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(crewd.path)
        living.listen()
        with pytest.raises(TargetError, match="another crewd listens there"), unix_socket(crewd.path):
            pass
        async with running(crewd):
            await until(crewd.server.troubles)
            assert Path(crewd.path).is_socket()
            living.close()
            await until(lambda: not crewd.server.troubles())

            assert (await crewd.ask("GET", "/healthz")).status == 200


async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    """Somebody's file is not ours to remove."""
    (tmp_path / "file").write_text("precious")
    with pytest.raises(TargetError, match="is no socket"), unix_socket(str(tmp_path / "file")):
        pass

    assert (tmp_path / "file").read_text() == "precious"


async def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """With a sentence: the kernel's own would be a riddle."""
    with pytest.raises(TargetError, match="at most 103 bytes"), unix_socket(f"{tmp_path}/{'x' * 120}"):
        pass


async def test_the_socket_goes_with_the_server(crewd: Crewd) -> None:
    """Unless it is somebody else's by then."""
    async with running(crewd):
        pass
    assert not Path(crewd.path).exists()

    with unix_socket(crewd.path):
        Path(crewd.path).unlink()
        Path(crewd.path).write_text("another's")
    assert Path(crewd.path).exists()


async def test_tcp_serves_what_the_unix_socket_does(tcp: Crewd) -> None:
    """To whoever asks by a name of this machine, and may."""
    async with running(tcp):
        await until(lambda: not tcp.server.troubles())
        page = await ask_tcp(tcp, "/metrics")

        assert (page.status, page.body) == (200, tcp.metrics_page)
        assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert (await ask_tcp(tcp, "/healthz")).status == 200
        assert (await ask_tcp(tcp, "/readyz")).status == 200
        assert (await ask_tcp(tcp, "/healthz", Host="LOCALHOST:3000")).status == 200
        assert (await ask_tcp(tcp, "/healthz", Host="[::1]:3000")).status == 200
        assert (await ask_tcp(tcp, "/api/v1/workers")).data == (await tcp.get("/workers")).data
        nowhere = await ask_tcp(tcp, "/metrics/")
        assert (nowhere.status, nowhere.code) == (404, "NOT_FOUND")
        posted = await ask_tcp(tcp, "/metrics", method="POST")
        assert (posted.status, posted.code) == (405, "METHOD")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:3000", "", "localhost:3000@evil"])
async def test_a_host_that_is_not_this_machine_is_refused(tcp: Crewd, host: str) -> None:
    """A web page that points its own name here (DNS rebinding) reads nothing."""
    async with running(tcp):
        refused = await ask_tcp(tcp, "/metrics", Host=host)

        assert (refused.status, refused.code) == (403, "AUTH_002")


async def test_tcp_over_ipv6() -> None:
    """As it stands in the configuration."""
    with tcp_socket("[::1]:0") as listening:
        assert listening.getsockname()[0] == "::1"


@pytest.mark.parametrize("listen", ["192.0.2.1:3000", "example.org:80", "3000"])
async def test_what_is_no_address_of_this_machine_is_not_listened_on(listen: str) -> None:
    """And that is said."""
    with pytest.raises(TargetError, match="cannot listen on"), tcp_socket(listen):
        pass


async def test_a_port_that_is_taken_is_said_and_tried_again(tcp: Crewd) -> None:
    """The Unix socket serves meanwhile, and says what is wrong."""
    host, port = tcp.listen.split(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        async with running(tcp):
            await until(tcp.server.troubles)
            unready = await tcp.ask("GET", "/readyz")
            assert unready.json["reasons"] == [f"cannot listen on {tcp.listen}: something else listens there"]

            taken.close()
            await until(lambda: not tcp.server.troubles())
            assert (await tcp.ask("GET", "/readyz")).status == 200


class NoIpv6(socket.socket):
    """A socket of a machine without IPv6."""

    def __init__(self, family: int = -1, *more: Any, **named: Any) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        super().__init__(family, *more, **named)


async def test_where_there_is_no_ipv6_the_unix_socket_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says why nothing listens there."""
    crewd = Crewd(tmp_path, listen="[::1]:3000")
    monkeypatch.setattr(socket, "socket", NoIpv6)
    async with running(crewd):
        await until(crewd.server.troubles)

        [why] = (await crewd.ask("GET", "/readyz")).json["reasons"]
        assert why == "cannot listen on [::1]:3000: Address family not supported by protocol"
        assert not crewd.serving.done()


async def test_no_error_of_one_listener_ends_the_other(tcp: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever kind of error it is: it is said, and tried again."""

    def fail(_listen: str) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(server, "tcp_socket", fail)
    async with running(tcp):
        await until(tcp.server.troubles)
        [why] = (await tcp.ask("GET", "/readyz")).json["reasons"]
        monkeypatch.undo()
        await until(lambda: not tcp.server.troubles())

        assert why == f"cannot listen on {tcp.listen}: Too many open files"
        assert (await ask_tcp(tcp, "/healthz")).status == 200


# The limits


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused(crewd: Crewd, chunked: bool) -> None:
    """Before it is read whole, whether its length is said or not."""
    async with running(crewd):
        body = b"x" * (gate.BODY_BYTES + 1)

        def ask() -> Answer:
            connection = UnixConnection(crewd.path)
            content = iter([body]) if chunked else body
            try:
                connection.request("POST", "/api/v1/reload", content, encode_chunked=chunked)
            except ConnectionError:
                pass
            response = connection.getresponse()
            answer = Answer(response.status, {}, response.read())
            connection.close()
            return answer

        refused = await asyncio.to_thread(ask)
        assert (refused.status, refused.code) == (413, "VALID_001")


async def test_what_is_no_http_is_refused(crewd: Crewd) -> None:
    """In the envelope, and the connection ends."""
    async with running(crewd):

        def ask(raw: bytes) -> bytes:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(crewd.path)
                with suppress(BrokenPipeError):  # the answer came before all was sent
                    connection.sendall(raw)
                received = b""
                while data := connection.recv(65536):
                    received += data
                return received

        garbage = await asyncio.to_thread(ask, b"\x16\x03\x01 hello\r\n\r\n")
        huge = await asyncio.to_thread(ask, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n")

        assert garbage.startswith(b"HTTP/1.1 400")
        assert b'"VALID_001"' in garbage
        assert huge.startswith(b"HTTP/1.1 4")


async def test_a_connection_that_asks_nothing_is_closed(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that begins and never comes to an end of its question."""
    monkeypatch.setattr(protocol, "REQUEST_SEC", 0.1)
    async with running(crewd):
        for begun in (b"", b"GET /healthz HTTP/1.1\r\nHost:"):
            reader, writer = await asyncio.open_unix_connection(crewd.path)
            writer.write(begun)
            try:
                assert await asyncio.wait_for(reader.read(), PATIENCE_SEC) == b""
            except ConnectionResetError:
                pass
            writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow client holds nothing for long."""
    monkeypatch.setattr(gate, "BODY_SEC", 0.1)
    async with running(crewd):
        reader, writer = await asyncio.open_unix_connection(crewd.path)
        writer.write(b"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        answer = await asyncio.wait_for(reader.read(), PATIENCE_SEC)
        writer.close()

        assert answer.startswith(b"HTTP/1.1 422")
        assert crewd.applier.calls == 1


async def test_a_request_that_breaks_off_does_nothing(crewd: Crewd) -> None:
    """An end of the daemon that was only half asked for is none."""
    async with running(crewd):
        reader, writer = await asyncio.open_unix_connection(crewd.path)
        writer.write(b"POST /api/v1/shutdown HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n")
        await writer.drain()
        writer.close()
        await crewd.ask("GET", "/healthz")
        await crewd.settle()

        assert not crewd.task.done()
        del reader


async def test_more_than_enough_connections_are_closed(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are there are served."""
    monkeypatch.setattr(protocol, "CONNECTIONS", 3)
    async with running(crewd):
        held = [await asyncio.open_unix_connection(crewd.path) for _ in range(3)]
        reader, writer = await asyncio.open_unix_connection(crewd.path)
        try:
            assert await asyncio.wait_for(reader.read(), PATIENCE_SEC) == b""
        except ConnectionResetError:
            pass
        held[0][1].write(b"GET /healthz HTTP/1.0\r\n\r\n")

        assert (await asyncio.wait_for(held[0][0].read(), PATIENCE_SEC)).startswith(b"HTTP/1.1 200")
        for _, each in (*held, (reader, writer)):
            each.close()


RELOAD = b"POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
FOLLOW = b"GET /api/v1/events?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n"
Held = list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]


async def held(crewd: Crewd, request: bytes, count: int) -> Held:
    """Send a request so many times; nothing is read."""
    made = [await asyncio.open_unix_connection(crewd.path) for _ in range(count)]
    for _, writer in made:
        writer.write(request)
    return made


async def begin_with(connections: Held, status: bytes) -> None:
    """Wait until all answers have begun."""
    for reader, _ in connections:
        assert (await asyncio.wait_for(reader.readline(), PATIENCE_SEC)).startswith(b"HTTP/1.1 " + status)


async def test_more_than_enough_requests_are_refused(crewd: Crewd) -> None:
    """One that is answered makes room."""
    async with running(crewd):
        crewd.applier.hold.clear()
        asking = await held(crewd, RELOAD, gate.REQUESTS)
        refused = await crewd.get("/workers")
        while refused.status == 200:  # not all have been read yet
            refused = await crewd.get("/workers")
        assert (refused.status, refused.code) == (429, "RATE_001")
        assert (await crewd.ask("GET", "/healthz")).status == 200

        crewd.applier.hold.set()
        await begin_with(asking, b"200")
        assert (await crewd.get("/workers")).status == 200
        for _, writer in asking:
            writer.close()


async def test_what_anybody_asks_takes_no_room_from_requests(crewd: Crewd) -> None:
    """However many bodies are promised there, and do not come: nobody waits for them."""
    async with running(crewd):
        promised = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n"
        asking = await held(crewd, promised, gate.REQUESTS)
        await begin_with(asking, b"200")
        assert (await crewd.get("/workers")).status == 200
        for _, writer in asking:
            writer.close()


async def test_a_refusal_has_each_header_once(crewd: Crewd) -> None:
    """A client joins what stands there twice, and cannot read it."""
    async with running(crewd):
        [(reader, writer)] = await held(
            crewd, b"GET /api/v1/workers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer crw_x_y\r\n\r\n", 1
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SEC)
        names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line]
        assert b" 401 " in head
        assert sorted(names) == sorted(set(names))
        writer.close()


async def test_streams_take_no_room_from_requests(crewd: Crewd) -> None:
    """They have a number of their own; one too many is refused, and one that ends makes room."""
    async with running(crewd):
        following = await held(crewd, FOLLOW, gate.STREAMS)
        await begin_with(following, b"200")
        refused = await crewd.get("/events?follow=true")
        assert (refused.status, refused.code) == (429, "RATE_001")
        assert (await crewd.ask("GET", "/healthz")).status == 200

        for _, writer in following:
            writer.close()
        await until(lambda: not crewd.loop.bulletin._listeners)
        async with crewd.stream("/events?follow=true") as another:
            assert another.status == 200


async def test_a_reader_that_reads_nothing_is_cut_off(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds its connection for a while, and what happens is not kept for it for ever."""
    monkeypatch.setattr(streaming, "STALL_SEC", 0.2)
    async with running(crewd), crewd.stream("/events?follow=true") as reading:
        await reading.line()
        await until(lambda: crewd.loop.bulletin._listeners)
        for _ in range(1500):
            crewd.supervisord.crash("web-1")
            await crewd.advance(1)

        await until(lambda: not crewd.loop.bulletin._listeners)


async def test_an_answer_under_way_is_given_before_the_end(crewd: Crewd) -> None:
    """The daemon's end does not tear off what takes a moment."""
    crewd.applier.hold.set()
    async with running(crewd):
        crewd.applier.hold.clear()
        asking = asyncio.create_task(crewd.post("/reload"))
        await until(lambda: crewd.applier.calls == 2)
        crewd.serving.cancel()
        await crewd.settle()
        crewd.applier.hold.set()

        assert (await asking).status == 200


async def test_searching_is_bounded(crewd: Crewd, monkeypatch: pytest.MonkeyPatch) -> None:
    """One search too many is refused, for now."""
    monkeypatch.setattr(output, "SEARCHES", 0)
    async with running(crewd):
        refused = await crewd.get("/workers/web-0/logs?grep=x")

        assert (refused.status, refused.code) == (429, "RATE_001")
