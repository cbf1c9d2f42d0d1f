"""What somebody who is not the daemon, or is it no more, gets from crewd-apply's socket: a refusal."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewd.model.home import Home
from crewd.model.offer import OFFERS_BYTES
from crewd.supervisord import generation
from harness.apply_socket import serving

NOBODY = 65534
ASK = """\
import socket, sys
with socket.socket(socket.AF_UNIX) as to:
    to.connect(sys.argv[1])
    to.sendall(b'apply\\n{"version": 1, "workers": []}')
    to.shutdown(socket.SHUT_WR)
    print(to.makefile().read())
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One with a crew."""
    home = Home.under(str(tmp_path / "crew"))
    Path(home.etc).mkdir(parents=True)
    Path(home.config).write_text("workers: {web: {command: [/bin/true]}}\n")
    return home


@pytest.fixture
def path(home: Home) -> Iterator[str]:
    """Where it is asked: a place that everybody can reach."""
    path = f"/tmp/crewd-apply-{os.getpid()}.sock"
    with serving(path, {"PATH": os.environ["PATH"], "CREWD_HOME": home.etc.removesuffix("/etc")}):
        yield path
    os.unlink(path)


def asked(path: str, *pieces: bytes) -> str:
    """Return the complaint that this request is answered with."""
    with socket.socket(socket.AF_UNIX) as to:
        to.connect(path)
        try:
            for piece in pieces:
                to.sendall(piece)
            to.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # it has heard enough
        answer = json.loads(to.recv(65536))
    assert answer["code"] == 1
    return str(answer["complaint"])


@pytest.mark.parametrize(
    ("request_text", "complaint"),
    [
        (b"", "begins with neither check nor apply"),
        (b"run /bin/sh\n", "begins with neither check nor apply"),
        (b"apply -c /tmp/own.yaml\n", "begins with neither check nor apply"),
        (b"\xff\xfe\n", "begins with neither check nor apply"),
        (b"apply\n", "they are not what crewd writes"),
        (b"apply\n" + b"[" * 100_000, "they are not what crewd writes (RecursionError)"),
        (b'apply\n{"version": 2}', "they are of version 2, not 1"),
    ],
)
def test_what_is_no_request_is_refused(path: str, home: Home, request_text: bytes, complaint: str) -> None:
    """In one sentence, and nothing is written."""
    said = asked(path, request_text)

    assert complaint in said
    assert generation.current(home) is None


def test_a_giant_is_not_read_to_its_end(path: str) -> None:
    """What is larger than all offers may be together."""
    megabyte = b" " * 1024 * 1024

    said = asked(path, b"apply\n", *[megabyte] * (OFFERS_BYTES // len(megabyte) + 2))
    assert "more than" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_stranger_is_refused_whatever_the_mode_of_the_socket(path: str, home: Home) -> None:
    """By the kernel's word on who asks; the owner of the daemon's state may."""
    argv = ["/usr/bin/python3", "-c", ASK, path]

    def ask() -> str:
        return subprocess.run(argv, user=NOBODY, group=NOBODY, capture_output=True, text=True, check=True).stdout

    refused = ask()
    Path(home.lib).mkdir()
    os.chown(home.lib, NOBODY, NOBODY)
    answered = ask()

    assert json.loads(refused)["complaint"] == f"cannot apply for uid {NOBODY}: the daemon's user and root may ask"
    assert json.loads(answered)["code"] == 0
