"""What the kernel tells of whoever connects: on real sockets, by real processes of other users."""

import asyncio
import os
import socket
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from crewd.api.callers import Caller, Peer
from crewd.api.rules import Rulebook, made_out
from crewd.api.runners import FRESH_SEC, Runners, owners
from crewd.model.access import HmacKey, Role, Roles
from crewd.model.spec import CrewSpec, DaemonSpec, WorkerSpec
from crewd.policy.attribution import Address
from crewd.reconcile.wanted import wanted_of
from harness.api import Crewd, running, until
from harness.ports import free_port
from harness.strangers import NOBODY, PYTHON, Asked, Who, ask_as, open_way
from harness.waiting import PATIENCE_SEC, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

HASTY = r"""
import socket, struct, sys
request = b"POST /api/v1/shutdown HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
for how in ("close", "reset", "shut", "late"):
    for _ in range(25):
        connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        if how == "late":
            connection.sendall(request[:-2])
            connection.sendall(request[-2:])
        else:
            connection.sendall(request)
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how == "shut":
            connection.shutdown(socket.SHUT_WR)
        connection.close()
"""


@asynccontextmanager
async def listening(crewd: Crewd) -> AsyncIterator[Crewd]:
    """Let it run, and listen."""
    async with running(crewd):
        await until(lambda: not crewd.server.troubles())
        yield crewd


async def test_who_hangs_up_at_once_is_not_root(tmp_path: Path) -> None:
    """A socket that was closed while its request is under way is root's to the kernel: it counts for nobody."""
    port = free_port()
    async with listening(Crewd(tmp_path, listen=f"127.0.0.1:{port}")) as crewd:
        command = Who(NOBODY).command(PYTHON, "-c", HASTY, str(port))
        await asyncio.to_thread(subprocess.run, command, check=True, cwd="/", timeout=60)
        await until(lambda: len(crewd.audit.stored) >= 20)
        assert await crewd.auditor.settled(PATIENCE_SEC)

        assert not crewd.task.done()
        assert not [one for one in crewd.audit.stored if one.granted]


async def test_a_port_that_somebody_else_has_by_now_lets_nobody_in() -> None:
    """Whoever connects and resets frees the port: whose it is then is not who asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        first = socket.create_connection(address)
        asked, place = server.accept()
        with asked:
            alive, gone = _caller(asked, place, address), _caller(asked, place, address)
            assert await alive.owner() == os.geteuid()
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            first.close()
            with socket.socket() as second:
                second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                second.bind(place)
                second.connect(address)

                assert await gone.owner() is None


def _caller(connection: socket.socket, client: tuple[str, int], server: tuple[str, int]) -> Caller:
    return Caller(None, Address(*client), Address(*server), connection=connection)


async def test_a_connection_keeps_its_owner(tmp_path: Path) -> None:
    """It is looked up once: a keep-alive connection costs nothing more."""
    async with listening(Crewd(tmp_path, listen=f"127.0.0.1:{free_port()}")) as crewd:
        host, port = crewd.listen.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(3):
            writer.write(b"GET /api/v1/workers HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            await reader.readexactly(length)
            assert head.startswith(b"HTTP/1.1 200")
        writer.close()


async def test_groups_come_from_the_process_that_connected() -> None:
    """Not from what the database of accounts has for its user by now."""
    here, there = socket.socketpair(socket.AF_UNIX)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=here)
    caller = Caller.of(transport)
    transport.close()
    there.close()

    assert caller.peer is not None
    assert (caller.peer.uid, caller.peer.pid) == (os.geteuid(), os.getpid())
    assert await caller.groups() == frozenset(os.getgroups()) | {os.getegid()}


async def test_without_the_kernel_s_word_the_accounts_are_asked() -> None:
    """As on an old kernel; a user who is no more has no groups but the one that is known."""
    daemon = await Caller(Peer(1, 0, 1, None)).groups()
    gone = await Caller(Peer(4_000_000, 0, 77, None)).groups()

    assert 1 in daemon
    assert gone == {77}


async def test_nobody_owns_what_comes_from_elsewhere() -> None:
    """Nothing is looked up for it."""
    assert await Caller(None, Address("192.0.2.1", 4711), Address("127.0.0.1", 3000)).owner() is None
    assert await Caller(None, Address("127.0.0.1", 4711), Address("192.0.2.1", 3000)).owner() is None
    assert await Caller(None).owner() is None


# Who runs what


async def test_who_runs_a_worker_is_told_by_the_configuration_and_by_the_processes(tmp_path: Path) -> None:
    """The user that it says, and whoever the processes belong to that run; another process by the same number not."""
    command = Who(NOBODY).command("sleep", "60")
    sleeper = subprocess.Popen(command)
    try:
        wait_for(lambda: os.stat(f"/proc/{sleeper.pid}").st_uid == NOBODY, what="the sleeper's user")
        ticks = int(Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[19])
        running_now = {"web-0": (sleeper.pid, ticks), "old-0": (sleeper.pid, ticks - 1), "gone-0": (2**22 + 1, 1)}
        spec = CrewSpec({"mail": WorkerSpec("mail", ("x",), user="daemon"), "own": WorkerSpec("own", ("x",))})
        now = 0.0
        runners = Runners(Rulebook(lambda: spec, str.encode), lambda: running_now, lambda: now)

        assert owners(running_now) == {NOBODY: frozenset({"web"})}
        assert await runners.runs(NOBODY) == {"web"}
        assert await runners.runs(1) == {"mail"}
        assert await runners.runs(2) == frozenset()
        running_now = {}
        assert await runners.runs(NOBODY) == {"web"}
        now = FRESH_SEC + 1
        assert await runners.runs(NOBODY) == frozenset()
    finally:
        sleeper.kill()
        sleeper.wait()


async def test_a_worker_that_became_somebody_else_reports(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its configuration names no user: whom its process belongs to counts; for that worker alone."""
    monkeypatch.setattr("crewd.api.runners.owners", lambda _running: {NOBODY: frozenset({"web"})})
    async with listening(Crewd(open_path, access=DaemonSpec(roles=Roles({"root": Role.VIEWER})))) as crewd:
        await open_way(Path(crewd.path))
        targets = ("web-0/heartbeat", "web-0/logs", "mail-0/heartbeat")
        body = b'{"message": "x"}'
        json = (("Content-Type", "application/json"),)
        asked = [
            Asked("POST", f"/api/v1/workers/{target}", json, body if target.endswith("logs") else b"{}")
            for target in targets
        ]
        own, written, other = await ask_as(Who(NOBODY), crewd.path, asked)

        assert (own.status, written.status) == (200, 200)
        assert (other.status, other.code) == (403, "AUTH_002")


# The rules


async def test_rules_are_made_when_the_configuration_changes_and_only_then() -> None:
    """Each request asks for them."""
    made: list[str] = []
    key = HmacKey("/secret", Role.VIEWER)
    spec = CrewSpec(daemon=DaemonSpec(hmac_keys={"k": key}))

    def secret(path: str) -> bytes:
        made.append(path)
        return b"s"

    book = Rulebook(lambda: spec, secret)
    await asyncio.gather(*(book.now() for _ in range(10)))
    assert made == ["/secret"]
    spec = CrewSpec(daemon=DaemonSpec(hmac_keys={"k": key}))
    await book.now()
    assert made == ["/secret"] * 2


def test_what_cannot_be_made_out_lets_nobody_in(capsys: pytest.CaptureFixture[str]) -> None:
    """A secret that is gone, a group that is: it is said, and all else holds."""

    def gone(_path: str) -> bytes:
        raise ValueError("it cannot be read: No such file or directory")

    own = DaemonSpec(
        allowed_hosts=("A.example",),
        roles=Roles({"root": Role.VIEWER, "no-such-group": Role.ADMIN}),
        hmac_keys={"k": HmacKey("/secret", Role.ADMIN)},
    )
    rules = made_out(CrewSpec(daemon=own), gone)

    assert (rules.groups, rules.keys, rules.hosts) == ({0: Role.VIEWER}, {}, {"a.example"})
    said = capsys.readouterr().out
    assert "cannot use an HMAC key" in said
    assert "there is no such group any more" in said


async def test_the_socket_is_open_to_others_only_where_they_have_something_to_ask(open_path: Path) -> None:
    """And a reload changes that; who is let in does not depend on it."""
    crewd = Crewd(open_path)

    def mode() -> int:
        return Path(crewd.path).stat().st_mode & 0o777

    async with listening(crewd):
        await until(lambda: mode() == 0o660)
        roles = Roles({"root": Role.VIEWER})
        crewd.wanted = wanted_of(replace(crewd.remembered, daemon=DaemonSpec(roles=roles)))
        await crewd.post("/reload")
        await open_way(Path(crewd.path))
        [stranger] = await ask_as(Who(NOBODY), crewd.path, [Asked("GET", "/api/v1/workers")])
        crewd.wanted = wanted_of(crewd.remembered)
        await crewd.post("/reload")
        await until(lambda: mode() == 0o660)

        assert (stranger.status, stranger.code) == (403, "AUTH_002")
