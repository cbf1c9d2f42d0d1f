"""Requests of another user's process: what the kernel tells of it is the truth.

The program is given as text to a Python that everybody may run, for the tests' own may lie in root's directory.
"""

import asyncio
import base64
import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crewd.api.sockets import SOCKET_MODE_FOR_OTHERS
from harness.api import Answer, until

NOBODY = 65534
PYTHON = "/usr/bin/python3"

_PROGRAM = r"""
import base64, http.client, json, socket, sys
told = json.load(sys.stdin)
answers = []
for method, target, headers, body in told["requests"]:
    if told["socket"]:
        connection = http.client.HTTPConnection("localhost", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        connection.sock.connect(told["socket"])
    else:
        connection = http.client.HTTPConnection(told["host"], told["port"], timeout=20)
    connection.putrequest(method, target, skip_host=any(name.lower() == "host" for name, _ in headers))
    for name, value in headers:
        connection.putheader(name, value)
    raw = base64.b64decode(body)
    if raw:
        connection.putheader("Content-Length", str(len(raw)))
    connection.endheaders(raw or None)
    answer = connection.getresponse()
    answers.append([answer.status, dict(answer.getheaders()), base64.b64encode(answer.read()).decode()])
    connection.close()
json.dump(answers, sys.stdout)
"""


@dataclass(frozen=True)
class Asked:
    """A request. ``headers``: in order, names may come twice."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Who:
    """A user, with supplementary groups; the one that the test runs as where ``uid`` is None."""

    uid: int | None = None
    groups: tuple[int, ...] = ()
    gid: int | None = None

    def command(self, *command: str) -> list[str]:
        """Return the command line that runs a program as them."""
        if self.uid is None:
            return list(command)
        groups = f"--groups={','.join(map(str, self.groups))}" if self.groups else "--clear-groups"
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid or self.uid}", groups, *command]


async def ask_as(who: Who, to: str, requests: Iterable[Asked]) -> list[Answer]:
    """Ask one after the other, each over a connection of its own. ``to``: a path, or ``host:port``."""
    return await asyncio.to_thread(_ask_as, who, to, tuple(requests))


def _ask_as(who: Who, to: str, requests: Sequence[Asked]) -> list[Answer]:
    host, _, port = to.rpartition(":")
    told = {
        "socket": to if to.startswith("/") else "",
        "host": host.strip("[]"),
        "port": int(port) if port.isdigit() else 0,
        "requests": [[one.method, one.target, one.headers, base64.b64encode(one.body).decode()] for one in requests],
    }
    ran = subprocess.run(
        who.command(PYTHON, "-c", _PROGRAM),
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd="/",
    )
    assert ran.returncode == 0, ran.stderr
    return [
        Answer(status, {name.lower(): value for name, value in headers.items()}, base64.b64decode(body))
        for status, headers, body in json.loads(ran.stdout)
    ]


async def open_way(path: Path) -> None:
    """Wait until the daemon opens a socket to others."""
    await until(lambda: path.stat().st_mode & 0o777 == SOCKET_MODE_FOR_OTHERS)
