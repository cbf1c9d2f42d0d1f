"""How a line of the log looks."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, structlog
from crewd.app import logs
from crewd.model import journald
journald.SOCKET = os.environ.get("SOCKET", "/nowhere")
environ = dict(os.environ)
if environ.get("JOURNAL"):
    found = os.fstat(2)
    environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
logs.configure(environ, logs.LogFormat(environ["FORMAT"]), "info")
log = structlog.get_logger("crewd")
log.debug("unheard")
log.warning("exited", instance="web-0", message='a "b"\\nforged=1 \\x1b[2J', nothing=None, empty="")
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("failed", exc_info=error)
"""


def lines(log_format: str, *, journal: bool = False, **variables: str) -> list[str]:
    """Return what a process logs."""
    ours, theirs = socket.socketpair()  # as standard error is under journald
    with ours, theirs:
        run(log_format, theirs, **({"JOURNAL": "1"} if journal else {}), **variables)
        theirs.close()
        with ours.makefile() as found:
            return found.read().splitlines()


def run(log_format: str, stderr: socket.socket, **variables: str) -> None:
    """Let a process log there."""
    environ = {"FORMAT": log_format, "PATH": "/usr/bin", **variables}
    subprocess.run([sys.executable, "-c", SCRIPT], env=environ, stderr=stderr, check=True, timeout=60)


def test_a_plain_line_is_words_and_pairs() -> None:
    """Time, level, event, pairs; a value that is no single word is quoted and keeps to its line."""
    first, *rest = lines("plain")

    time, _, text = first.partition(" ")
    assert time.endswith("Z")
    assert text == r'warning exited instance=web-0 message="a \"b\"\nforged=1 \u001b[2J" empty=""'
    assert rest[-1] == "ZeroDivisionError: division by zero"


def test_under_journald_each_event_is_an_entry(tmp_path: Path) -> None:
    """One datagram for each, nothing on standard error; a traceback stays one message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
        journald.bind(f"{tmp_path}/socket")
        found = lines("plain", journal=True, SOCKET=f"{tmp_path}/socket")
        first, second = journald.recv(65536), journald.recv(65536)

    assert found == []
    assert b"CREWD_WORKER\n\x03\0\0\0\0\0\0\0web\n" in first
    assert b"PRIORITY\n\x01\0\0\0\0\0\0\x003\n" in second
    assert b"\nZeroDivisionError: division by zero\n" in second


def test_what_journald_does_not_take_is_a_line_with_its_priority() -> None:
    """Those of a traceback too, and none has a time of its own."""
    found = lines("plain", journal=True)

    assert found[0].startswith("<4>warning exited instance=web-0")
    assert all(line.startswith("<3>") for line in found[1:])


def test_a_journald_that_takes_nothing_is_not_waited_for() -> None:
    """Neither for the entry nor for the line."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                theirs.send(b"x" * 1000)
        theirs.setblocking(True)

        run("plain", theirs, JOURNAL="1")


def test_json_is_one_object_per_line() -> None:
    """With the same members."""
    found = [json.loads(line) for line in lines("json")]

    assert found[0]["event"] == "exited"
    assert found[0]["level"] == "warning"
    assert "ZeroDivisionError" in found[1]["exception"]


@pytest.mark.parametrize("log_format", ["plain", "json"])
def test_a_reader_that_went_away_ends_nothing(log_format: str, tmp_path: Path) -> None:
    """Logging never fails."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "\nprint('alive')\n")
    command = f"{sys.executable} {script} 2>&1 >{tmp_path}/out | true; cat {tmp_path}/out"
    ran = subprocess.run(
        ["/bin/sh", "-c", command], env={"FORMAT": log_format, "PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )

    assert ran.stdout == b"alive\n"
