"""Whatever comes over the socket, the daemon answers: never 5xx, never a traceback, never with ever more memory."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crewd.api.gate import BODY_BYTES
from crewd.api.listener import HEAD_BYTES
from harness.daemon import Daemon

WORKER = {"command": ["sleep", "1000"], "start_success_sec": 0.05, "timeout_stop_sec": "1s"}
GROWTH_MOST = 24 * 2**20
"""Of private memory: a limit for what piles up, far above what an allocator keeps for its next turn."""
REFUSED = range(400, 500)
IMPATIENCE_SEC = 0.1

FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
JUNK = st.binary(max_size=300)
BATCH = "/api/v1/workers/batch"
PATHS = (
    "/api/v1/workers",
    BATCH,
    "/api/v1/workers/web/start",
    "/api/v1/events",
    "/api/v1/worker-configs",
    "/restart",
    "/api/v1/workers/web/reset",
    "/api/v1/tokens",
    "/api/v1/workers/web/heartbeat",
    "/api/v1/workers/web/logs",
)
CONFIGURATION = "/api/v1/worker-configs/web"
METHODS = (b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"HEAD", b"TRACE", b"CONNECT", b"get", b"\x00")
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(TEXT, below, max_size=4)),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """One for all of them; its log is read at the end."""
    with Daemon({"web": WORKER, "mail": WORKER}) as made:
        made.start()
        yield made
        log = made.log()
        assert "Traceback" not in log, log[max(0, log.index("Traceback") - 2000) :][:6000]
        assert "internal error" not in log


def private_bytes(pid: int) -> int:
    """Return the memory that the process shares with nobody."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def sent(daemon: Daemon, raw: bytes, *, whole: bool = True) -> bytes:
    """Send these bytes and return all that is answered; what is no ``whole`` request may be waited for: it is ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30 if whole else IMPATIENCE_SEC)
        connection.connect(daemon.home.socket)
        try:
            connection.sendall(raw)
        except OSError:
            pass  # the no came before all was sent
        return _read(connection)


def _read(connection: socket.socket) -> bytes:
    answered = b""
    try:
        while piece := connection.recv(65536):
            answered += piece
    except (ConnectionError, TimeoutError):
        pass
    return answered


def request(method: bytes, target: bytes, headers: bytes = b"", body: bytes | None = None) -> bytes:
    """Return the bytes of a request, whatever they make of it."""
    length = b"" if body is None else b"Content-Length: %d\r\nContent-Type: application/json\r\n" % len(body)
    head = method + b" " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    return head + length + headers + b"\r\n" + (body or b"")


def status_of(answered: bytes) -> int:
    """Return the status of an answer, which has a code in an envelope where it is a no."""
    head, _, body = answered.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status in REFUSED and body:
        members = json.loads(body)
        assert members["success"] is False
        assert members["error"]["code"]
        assert members["message"].startswith("cannot ")
    return status


def check(answered: bytes) -> int:
    """Return the status; 0 where the connection was ended without a word, which only no HTTP deserves."""
    if not answered:
        return 0
    status = status_of(answered)
    assert status < 500, answered[:2000]
    assert b"Traceback" not in answered
    return status


@FUZZ
@given(raw=JUNK)
@example(raw=b"\r\n" * 1000)
@example(raw=b"GET / HTTP/9.9\r\n\r\n")
@example(raw=b"GET /api/v1/workers HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n")
@example(raw=b"POST /api/v1/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
@example(raw=b"POST /api/v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
def test_what_is_no_http_is_refused(daemon: Daemon, raw: bytes) -> None:
    """Or hung up on."""
    assert check(sent(daemon, raw, whole=False)) in {0, *REFUSED}


@FUZZ
@given(method=st.sampled_from(METHODS), path=JUNK, query=JUNK)
@example(method=b"GET", path=b"../../etc/passwd", query=b"")
@example(method=b"GET", path=b"api/v1/workers/%00%ff%2e%2e/status", query=b"")
@example(method=b"POST", path=b"api/v1/workers/" + b"%F0" * 3000 + b"/start", query=b"wait=" + b"9" * 400)
def test_paths_and_queries_are_answered(daemon: Daemon, method: bytes, path: bytes, query: bytes) -> None:
    """With a no, or what there is."""
    check(sent(daemon, request(method, b"/" + path + b"?" + query), whole=False))


@FUZZ
@given(path=st.sampled_from(PATHS), name=JUNK, value=JUNK)
@example(path=PATHS[0], name=b"X", value=b"y" * (HEAD_BYTES + 1))
@example(path=PATHS[3], name=b"Last-Event-ID", value=b"a.1" * 100)
@example(path=PATHS[3], name=b"Content-Length", value=b"9" * 5000)
def test_headers_are_answered(daemon: Daemon, path: str, name: bytes, value: bytes) -> None:
    """Also twice the same, and too many of them."""
    header = name + b": " + value + b"\r\n"
    check(sent(daemon, request(b"GET", path.encode(), header * 2), whole=False))


@FUZZ
@given(path=st.sampled_from(PATHS), body=st.one_of(JUNK, VALUES.map(lambda value: json.dumps(value).encode())))
@example(path=BATCH, body=b"[" * 200_000)
@example(path=BATCH, body=b'{"action":"stop","worker_ids":["' + b"x" * 900_000 + b'"]}')
@example(path=BATCH, body=b'{"action":"stop","worker_ids":["\\ud800"]}')
@example(path=BATCH, body=b"9" * 100_000)
def test_bodies_are_answered(daemon: Daemon, path: str, body: bytes) -> None:
    """One that is no batch does nothing."""
    status = check(sent(daemon, request(b"POST", path.encode(), b"", body)))

    assert path != BATCH or status in REFUSED


@FUZZ
@given(body=st.one_of(JUNK, VALUES.map(lambda value: json.dumps(value).encode())))
@example(body=b"[" * 200_000)
@example(body=b'{"command":["\\ud800"]}')
@example(body=b'{"command":["\\u0000"]}')
def test_changes_of_a_configuration_are_answered(daemon: Daemon, body: bytes) -> None:
    """Of one that is the file's: each is refused."""
    headers = b"If-Match: *\r\n"

    assert check(sent(daemon, request(b"PATCH", CONFIGURATION.encode(), headers, body))) in REFUSED


@FUZZ
@given(action=VALUES, names=VALUES, more=st.dictionaries(TEXT, VALUES, max_size=2))
def test_batches_that_are_nearly_right_are_refused(daemon: Daemon, action: Any, names: Any, more: Any) -> None:
    """A member that is wrong, or one too many."""
    body = json.dumps({"action": action, "worker_ids": names, **more}).encode()

    assert check(sent(daemon, request(b"POST", BATCH.encode(), b"", body))) in REFUSED


@pytest.mark.slow
def test_memory_has_a_bound(daemon: Daemon) -> None:
    """However often bodies come that are as large as may be, names that are long, connections that break off."""
    large = b'{"action":"stop","worker_ids":["' + b"x" * (BODY_BYTES - 100) + b'"]}'

    broken = b"POST /api/v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"z" * 500_000

    def rounds(count: int) -> None:
        for number in range(count):
            check(sent(daemon, request(b"POST", BATCH.encode(), b"", large)))
            check(sent(daemon, request(b"GET", b"/api/v1/workers/%d%s/status" % (number, b"y" * 30_000))))
            sent(daemon, broken, whole=False)

    rounds(10)
    before = private_bytes(daemon.pid)
    rounds(60)

    assert private_bytes(daemon.pid) - before < GROWTH_MOST


def test_it_still_does_its_work(daemon: Daemon) -> None:
    """After all of that; and it is the same process."""
    answered = sent(daemon, request(b"GET", PATHS[0].encode()))

    assert status_of(answered) == 200
    assert os.path.exists(f"/proc/{daemon.pid}")
