"""Resets of type http, on a real server in this process that verifies who asks."""

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crewd.model.spec import ResetAction
from crewd.plugin import Occasion, OptionError, Step
from crewd.policy.signing import Question, Signatures, Verdict, read
from crewd.reconcile.clearing import cleared
from crewd_plugins.resets.http import ANSWER_BYTES, HttpOptions

RUNS = Occasion("ingest", ("ingest-0",))
SECRET = "a-secret-of-more-than-thirty-two-bytes"


@dataclass
class Request:
    """What came."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What goes back."""

    status: int = 200
    body: bytes = b'{"success": true}'
    headers: dict[str, str] = field(default_factory=dict)
    delay_sec: float = 0.0


class Server(ThreadingHTTPServer):
    """Answers as a test says."""

    daemon_threads = True

    def __init__(self) -> None:
        self.came: list[Request] = []
        self.answer: Callable[[Request], Reply] = lambda _: Reply()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.server_address[1]}/restart"

    def handle_error(self, *_: Any) -> None:
        """A client that has gone is no trouble."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(length))
        self.server.came.append(request)
        reply = self.server.answer(request)
        time.sleep(reply.delay_sec)
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_POST  # noqa: N815 - the standard library's

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """One that runs."""
    with Server() as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A file with a secret."""
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    return str(file)


async def reset(url: str, **options: Any) -> Step:
    """Carry one out; return its only step."""
    [step] = await cleared(ResetAction("http", HttpOptions(url=url, **options)), RUNS)
    return step


async def test_the_document_s_request_is_what_is_sent(server: Server) -> None:
    """POST with an empty object; the summary of the answer is told."""
    summary = {"total_actions": 10, "successful_actions": 10, "failed_actions": 0}
    server.answer = lambda _: Reply(body=json.dumps({"success": True, "summary": summary}).encode())

    step = await reset(server.url)

    assert (step.action, step.key, step.success) == ("call_restart", server.url, True)
    assert step.details == {"status": 200, "summary": summary}
    assert [(one.target, one.body) for one in server.came] == [("/restart", b"{}")]
    assert server.came[0].headers["content-type"] == "application/json"


async def test_an_api_key_comes_from_its_file(server: Server, secret: str) -> None:
    """And is in nothing that is told."""
    server.answer = lambda request: Reply(403, json.dumps({"message": f"no {request.headers['x-api-key']}"}).encode())

    step = await reset(server.url, api_key_file=secret)

    assert server.came[0].headers["x-api-key"] == SECRET
    assert step.error == f"cannot restart {server.url}: it answers with 403: no ***"


async def test_a_signature_is_verified_by_who_knows_the_secret(server: Server, secret: str) -> None:
    """Method, path with its query, time, nonce and body: as crewd's own API verifies it; each has its own nonce."""
    signatures = Signatures(began=0.0)
    verdicts: list[Verdict] = []

    def verify(request: Request) -> Reply:
        signed = read(request.headers["authorization"])
        assert signed is not None
        assert signed.key == "crewd"
        question = Question("POST", request.target, request.body)
        verdicts.append(signatures.judge(SECRET.encode(), signed, question, time.time()))
        return Reply()

    server.answer = verify
    options = {"hmac_key": "crewd", "hmac_secret_file": secret}

    steps = [await reset(f"{server.url}?pool=2", **options) for _ in range(2)]

    assert verdicts == [Verdict.GOOD, Verdict.GOOD]
    assert all(step.success for step in steps)
    assert steps[0].key == server.url


async def test_an_answer_is_read_as_it_is_sent(server: Server) -> None:
    """Nothing is asked for that would become larger here, and what is packed all the same is not unpacked."""
    packed = gzip.compress(b'{"success": false, "summary": {}}' + b" " * 10_000_000)
    server.answer = lambda _: Reply(body=packed, headers={"Content-Encoding": "gzip"})

    step = await reset(server.url)

    assert server.came[0].headers["accept-encoding"] == "identity"
    assert (step.success, step.details) == (True, {"status": 200})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(server: Server, secret: str, status: int) -> None:
    """What shows who asks goes nowhere else."""
    server.answer = lambda _: Reply(status, b"", {"Location": server.url.replace("restart", "elsewhere")})

    step = await reset(server.url, api_key_file=secret)

    assert not step.success
    assert "no redirect is followed" in step.error
    assert len(server.came) == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(500, b"<html>oops</html>"), "it answers with 500"),
        (Reply(200, b'{"success": false, "message": "the lock hangs"}'), "it answers that it failed: the lock hangs"),
        (Reply(404, b'{"message": "\\u001b[31mno"}'), "it answers with 404"),
    ],
)
async def test_a_no_is_a_failure(server: Server, reply: Reply, words: str) -> None:
    """With what it says."""
    server.answer = lambda _: reply

    step = await reset(server.url)

    assert not step.success
    assert words in step.error


@pytest.mark.parametrize("body", [b"", b"ok", b"[1]", b"{", b"[" * 20_000, b"x" * (ANSWER_BYTES * 20)])
async def test_any_answer_with_the_right_status_is_a_yes(server: Server, body: bytes) -> None:
    """Also one that is no JSON, or too long to be read."""
    server.answer = lambda _: Reply(200, body)

    assert (await reset(server.url)).success


async def test_a_slow_server_is_left_at_the_deadline(server: Server) -> None:
    """The reason says so."""
    server.answer = lambda _: Reply(delay_sec=60.0)
    begun = time.monotonic()

    step = await reset(server.url, deadline_sec=0.3)

    assert time.monotonic() - begun < 20.0
    assert "0.3 s" in step.error


async def test_a_server_that_is_not_there_is_told() -> None:
    """By its address."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/restart"

        step = await reset(url)

    assert step.error.startswith(f"cannot call {url}: ")


@pytest.mark.parametrize("content", ["", "two\nlines\n", "ä", "x" * 5000])
async def test_a_file_without_a_secret_is_told_and_nothing_is_sent(
    server: Server, tmp_path: Path, content: str
) -> None:
    """Empty, several lines, no ASCII, too long; its content is not repeated."""
    file = tmp_path / "secret"
    file.write_text(content)

    step = await reset(server.url, api_key_file=str(file))

    assert step.error == f"cannot read a secret from {file}: it should hold one line of ASCII"
    assert not server.came


async def test_a_link_is_no_secret(server: Server, tmp_path: Path, secret: str) -> None:
    """Nor is a file that is not there."""
    (tmp_path / "link").symlink_to(secret)

    assert "cannot read a secret" in (await reset(server.url, api_key_file=str(tmp_path / "link"))).error
    assert "No such file" in (await reset(server.url, api_key_file=str(tmp_path / "none"))).error
    assert not server.came


async def test_a_certificate_that_nobody_knows_is_refused(server: Server, tmp_path: Path) -> None:
    """TLS is verified; with ``ca_file`` by that alone."""
    certificate, key = made_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http:", "https:")

    unknown = await reset(url)
    known = await reset(url, ca_file=certificate)
    none = await reset(url, ca_file=str(tmp_path / "none.pem"))

    assert "certificate verify failed" in unknown.error.lower()
    assert known.success, known.error
    assert none.error.startswith("cannot read certificates from ")


def made_certificate(folder: Path) -> tuple[str, str]:
    """Return the files of a certificate for 127.0.0.1, and of its key."""
    import subprocess  # noqa: PLC0415 - here alone

    certificate, key = str(folder / "c.pem"), str(folder / "k.pem")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-out",
        certificate,
        "-keyout",
        key,
    ]
    subprocess.run([*made, *subject], check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"url": "https://user:s3cret@host/restart"}, "url"),
        ({"url": "https:///restart"}, "url"),
        ({"url": "https://host:99999/"}, "url"),
        ({"url": "https://host/#x"}, "url"),
        ({"url": "https://host/", "hmac_key": "crewd"}, "hmac_key"),
        ({"url": "https://host/", "hmac_secret_file": "/x"}, "hmac_key"),
        ({"url": "https://host/", "hmac_key": "k", "hmac_secret_file": "/x", "api_key_file": "/y"}, "api_key_file"),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, str], name: str) -> None:
    """And repeat no secret."""
    with pytest.raises(OptionError) as wrong:
        HttpOptions(**options)

    assert wrong.value.name == name
    assert "s3cret" not in str(wrong.value)
