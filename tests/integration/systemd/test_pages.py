"""Pages of docs/how-to, typed in as they stand, on a host where pip has put crewd into /opt/crewd."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import systemd_box
from harness.builds import CHECKOUT
from harness.certificates import Authority
from harness.documents import commands, examples
from harness.installation import configure, install_by_pip
from harness.systemd_box import Box
from harness.units import wait_status
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(systemd_box.missing()), reason=systemd_box.missing())

PAGES = CHECKOUT / "docs/how-to"
UNITS, ELSEWHERE = PAGES / "run-under-systemd.md", PAGES / "reach-crewd-from-elsewhere.md"
BY_PIP = "python3 -m venv /opt/crewd && /opt/crewd/bin/pip install crewd"
NAME = "crewd.example.org"
CREW = "workers: {web-shop: {command: [sleep, '1000'], user: nobody}}\n"
DAEMON = "crewd.service"
AT_ONCE = f"""
import socket, ssl
context = ssl.create_default_context(cafile="/authority.pem")
print(context.wrap_socket(socket.create_connection(("{NAME}", 3000)), server_hostname="{NAME}").version())
"""
"""Speaks TLS as soon as it is connected, while the daemon still reads its certificate."""


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """One where the page about systemd's units was followed to its first `crewctl status`."""
    first, *rest = commands(UNITS)
    assert first == BY_PIP
    with Box() as box:
        install_by_pip(box, "/opt/crewd")
        write(box, "/my-crew.yaml", CREW)
        for command in rest[: rest.index("crewctl status")]:
            typed(box, command)
        wait_status(box, DAEMON, "1 running")
        yield box


def typed(box: Box, command: str, **variables: str) -> str:
    """Type a command in; return what it prints."""
    return box.out("env", *(f"{name}={value}" for name, value in variables.items()), "bash", "-c", command)


def write(box: Box, file: str, text: str) -> None:
    """Write a file of the box."""
    box.run("sh", "-c", f"umask 077; cat >{file}", text=text)


def made(box: Box, command: str) -> str:
    """Return the token that this makes; empty where the daemon is not yet so far."""
    done = box.run("bash", "-c", command, check=False)
    answer = json.loads(done.stdout) if done.returncode == 0 else {}
    return answer["data"]["token"] if answer.get("success") else ""


def test_a_virtual_environment_runs_under_systemd(box: Box) -> None:
    """By the units that it writes itself, into /etc, with its commands on everybody's PATH."""
    assert "1 running" in typed(box, "crewctl status")
    assert "RUNNING" in typed(box, "crewd-supervisorctl status")
    assert "ExecStart=/opt/crewd/bin/crewd run" in box.path(f"/etc/systemd/system/{DAEMON}").read_text()


def test_the_daemon_answers_from_elsewhere(box: Box, tmp_path: Path) -> None:
    """Over TLS, with a key that root has made for it, whoever shows a token that root has made."""
    authority = Authority(tmp_path)
    pair = authority.sign(NAME, f"DNS:{NAME}")
    for file, source in ((f"/{NAME}.pem", pair.certificate), (f"/{NAME}.key", pair.key)):
        write(box, file, Path(source).read_text())
    write(box, "/authority.pem", Path(authority.certificate).read_text())
    box.run("sh", "-c", f"echo 127.0.0.1 {NAME} >>/etc/hosts")
    folder, certificate, key, check, restart, make, ask, look, *_ = commands(ELSEWHERE)

    for command in (folder, certificate, key):
        typed(box, command)
    configure(box, examples(ELSEWHERE, "yaml")[0] + CREW)
    for command in (check, restart):
        typed(box, command)
    token = wait_for(lambda: made(box, make), what="a token")  # the daemon may have to open its database yet
    write(box, "/token", token)
    first = box.out("/usr/bin/python3", "-c", AT_ONCE)
    answer = typed(box, f"{ask} -s -w '%{{http_code}}' --cacert /authority.pem", CREWD_TOKEN=token)
    shown = typed(box, look.replace(" status", " --ca /authority.pem status"))

    assert first == "TLSv1.3"
    assert answer.endswith("200")
    assert '"web-shop"' in answer
    assert "1 running" in shown
