"""A server that speaks the daemon's API over a real Unix socket, or TLS, with the answers that a test gives it."""

import json
import os
import queue
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

API = "/api/v1"


@dataclass(frozen=True)
class Asked:
    """One request."""

    what: str
    """``GET /api/v1/workers``."""
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """One answer: a body at once, or parts as they come."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    parts: Iterable[bytes] = field(default=())
    headers: dict[str, str] = field(default_factory=dict[str, str])


def data(value: Any) -> Reply:
    """Return a success."""
    return Reply(json.dumps({"success": True, "data": value}).encode())


def no(status: int, code: str, message: str, **details: Any) -> Reply:
    """Return a failure."""
    error = {"code": code, "message": message, "details": details}
    return Reply(json.dumps({"success": False, "message": message, "error": error}).encode(), status)


def parts(kind: str, *each: bytes) -> Reply:
    """Return an answer in parts that are there already."""
    return Reply(kind=kind, parts=each)


class Feed:
    """An answer in parts that the test sends one by one."""

    def __init__(self) -> None:
        self._parts: queue.Queue[bytes | None] = queue.Queue()

    def __iter__(self) -> Iterator[bytes]:
        """Give them as they come."""
        return iter(self._parts.get, None)

    def send(self, part: bytes) -> None:
        """Send one."""
        self._parts.put(part)

    def end(self) -> None:
        """End the answer."""
        self._parts.put(None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Answering"

    def do_GET(self) -> None:
        """Answer."""
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        asked = Asked(
            f"{self.command} {url.path}",
            tuple(parse_qsl(url.query, keep_blank_values=True)),
            {key.lower(): value for key, value in self.headers.items()},
            json.loads(body) if body else None,
        )
        self.server.asked.append(asked)
        self._give(self.server.answer(asked))

    do_POST = do_DELETE = do_GET  # noqa: N815 - the standard library's

    def _give(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.parts == ():
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in reply.parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Answering(socketserver.ThreadingMixIn):
    """What both have in common. ``answers``: by method and path."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self.answers: dict[str, Reply | Callable[[Asked], Reply]] = {}
        self.asked: list[Asked] = []
        super().__init__(*arguments)

    def serve(self, what: str, reply: Reply | Callable[[Asked], Reply]) -> None:
        """Give this answer from now on: ``GET /workers``."""
        method, _, path = what.partition(" ")
        self.answers[f"{method} {API}{path}"] = reply

    def answer(self, asked: Asked) -> Reply:
        """Return the answer."""
        reply = self.answers.get(asked.what) or no(404, "NOT_FOUND", f"cannot find {asked.what}")
        return reply if isinstance(reply, Reply) else reply(asked)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no trouble."""

    def last(self) -> Asked:
        """Return the last request."""
        return self.asked[-1]


class Api(Answering, socketserver.UnixStreamServer):
    """A context manager: serves in it, on the socket of the home."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = str(root / "run/crewd.sock")
        (root / "run").mkdir(exist_ok=True)
        super().__init__(self.path, _Handler)

    def __enter__(self) -> Self:
        """Begin to serve."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving, and take the socket away."""
        self.shutdown()
        self.server_close()
        os.unlink(self.path)


class TcpApi(Answering, socketserver.TCPServer):
    """The same on a port of the loopback interface. ``context``: None: without TLS."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def port(self) -> int:
        """Which one."""
        return self.server_address[1]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Speak TLS first: here, in the thread of the connection."""
        if self._context is not None:
            request = self._context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def __enter__(self) -> Self:
        """Begin to serve."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()
