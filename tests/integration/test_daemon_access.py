"""Who is let in by a real daemon: where it listens, what a broken file may not open, what a reload changes."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.certificates import Authority
from harness.crewctl import crewctl
from harness.daemon import UP_SEC, Daemon
from harness.ports import free_port
from harness.strangers import NOBODY, PYTHON, Who
from harness.waiting import wait_for

MANUAL = (Path(__file__).parents[2] / "docs/reference/access.md").read_text()
SLEEPER = {"command": ["sleep", "1000"]}
DENIED = 4
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def port() -> int:
    """One that nobody listens on."""
    return free_port()


@pytest.fixture
def daemon(port: int) -> Iterator[Daemon]:
    """Listens on the loopback interface, and has its database: tokens are kept there."""
    with Daemon({"web": SLEEPER}, crewd={"listen": f"127.0.0.1:{port}", "on_shutdown": "keep"}) as running:
        start(running)
        running.wait_serving()
        yield running


def start(daemon: Daemon) -> None:
    """Start it, with TCP as the file has it, and wait until it listens."""
    before = daemon.log().count("listening")
    daemon.start(file_listens=True)
    wait_for(lambda: daemon.log().count("listening") >= before + 2, UP_SEC, daemon.log)


def open_home(daemon: Daemon) -> None:
    """Let others come as far as the socket: below a home of one's own they do not, as they do in /run/crewd."""
    for folder in (daemon.root, daemon.home.run):
        os.chmod(folder, 0o755)


def curl(*arguments: str, who: Who = Who()) -> tuple[int, str]:  # noqa: B008 - frozen
    """Return status and body."""
    command = who.command("curl", "--silent", "--max-time", "60", "--write-out", "\n%{http_code}", *arguments)
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    body, _, status = ran.stdout.rpartition("\n")
    return int(status), body


def reachable(port: int, *arguments: str, who: Who = Who()) -> int:  # noqa: B008
    """Return the status of a request for the crew; 0 where nobody listens."""
    return curl(*arguments, f"http://127.0.0.1:{port}/api/v1/workers", who=who)[0]


def test_root_on_this_machine_needs_nothing(daemon: Daemon, port: int) -> None:
    """The documents' own commands: by the name localhost, without a body, with one."""
    wait_for(lambda: reachable(port) == 200, what=daemon.log)
    batch = json.dumps({"action": "restart", "worker_ids": ["web"]})
    base = f"http://localhost:{port}/api/v1/workers"

    assert curl("-X", "POST", f"{base}/web/restart?wait=20s")[0] == 200
    assert curl("-X", "POST", f"{base}/batch", "-H", "Content-Type: application/json", "-d", batch)[0] == 200
    assert curl("-X", "POST", f"{base}/web/restart", "-H", "Origin: https://evil.example")[0] == 401


@root_only
def test_others_on_this_machine_need_a_token(daemon: Daemon, port: int) -> None:
    """Which root makes, and takes back."""
    wait_for(lambda: reachable(port) == 200, what=daemon.log)
    tokens = f"http://127.0.0.1:{port}/api/v1/tokens"
    new = json.dumps({"role": "viewer", "name": "test"})
    status, body = curl("-X", "POST", tokens, "-H", "Content-Type: application/json", "-d", new)
    made = json.loads(body)["data"]
    shown = ("-H", f"Authorization: Bearer {made['token']}")

    assert status == 201
    assert reachable(port, who=Who(NOBODY)) == 401
    assert reachable(port, *shown, who=Who(NOBODY)) == 200
    assert curl("-X", "POST", tokens, *shown, who=Who(NOBODY))[0] == 403
    assert curl("-X", "DELETE", f"{tokens}/{made['id']}")[0] == 200
    assert reachable(port, *shown, who=Who(NOBODY)) == 401
    assert made["token"].rpartition("_")[2] not in daemon.log()


def test_beyond_the_machine_it_does_not_start_without_tls() -> None:
    """Exit 78, with the place; nothing is started."""
    with Daemon() as daemon:
        daemon.write_text("workers: {web: {command: [sleep, '1']}}\ncrewd:\n  listen: 0.0.0.0:3000\n")

        assert daemon.run() == 78
        assert f"{daemon.home.config}:3:11: crewd.listen: 0.0.0.0:3000 can be reached from elsewhere" in daemon.log()
        assert daemon.nursery.left() == []


def test_nor_where_the_environment_says_so() -> None:
    """It goes before the file, and opens nothing that the file has no TLS for."""
    with Daemon({"web": SLEEPER}) as daemon:
        assert daemon.run(environ={"CREWD_LISTEN": "0.0.0.0:3000"}) == 78
        assert "CREWD_LISTEN: 0.0.0.0:3000 can be reached from elsewhere" in daemon.log()
        assert daemon.nursery.left() == []


@root_only
def test_a_broken_file_opens_nothing(daemon: Daemon, port: int) -> None:
    """Who may come in, and where, is what the last good file said: not what the broken one does, nor the defaults."""
    with_roles = {"listen": f"127.0.0.1:{port}", "on_shutdown": "keep", "roles": {"groups": {"nogroup": "viewer"}}}
    daemon.write({"web": SLEEPER}, crewd=with_roles)
    daemon.reload()
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    other = free_port()
    daemon.write_text(
        f"crewd: {{listen: '127.0.0.1:{other}', allowed_hosts: [evil.example],\n"
        "        roles: {groups: {nogroup: admin}}}\n"
        "workers: {web: {command: [sleep, '1000'], instances: lots}}\n"
    )
    start(daemon)
    open_home(daemon)
    as_nogroup = Who(NOBODY, (), 65534)
    socket = ("--unix-socket", daemon.home.socket)
    wait_for(lambda: reachable(port) == 200, what=daemon.log)

    assert "going on with the last good rendering" in daemon.log()
    assert reachable(other) == 0
    assert curl("-H", "Host: evil.example", f"http://127.0.0.1:{port}/healthz")[0] == 403
    assert curl(*socket, "http://localhost/api/v1/workers", who=as_nogroup)[0] == 200
    assert curl(*socket, "-X", "POST", "http://localhost/api/v1/workers/web/stop", who=as_nogroup)[0] == 403


@root_only
def test_a_reload_changes_who_may(daemon: Daemon, port: int) -> None:
    """At once, in both directions."""
    open_home(daemon)
    own = {"listen": f"127.0.0.1:{port}", "on_shutdown": "keep"}

    def seen() -> int:
        command = ("--unix-socket", daemon.home.socket, "http://localhost/api/v1/workers")
        try:
            return curl(*command, who=Who(NOBODY, (), 65534))[0]
        except ValueError:
            return 0

    assert seen() == 0
    daemon.write({"web": SLEEPER}, crewd={**own, "roles": {"groups": {"nogroup": "viewer"}}})
    daemon.reload()
    wait_for(lambda: seen() == 200, what=daemon.log)
    daemon.write({"web": SLEEPER}, crewd=own)
    daemon.reload()
    wait_for(lambda: seen() == 0, what=daemon.log)


def test_tls_with_a_token_from_elsewhere(tmp_path: Path, port: int) -> None:
    """As the how-to has it: curl with the authority's certificate; without a token nobody is anybody."""
    authority = Authority(tmp_path)
    pair = authority.sign("crewd.example", "DNS:crewd.example")
    tls = {"certificate": pair.certificate, "key": pair.key}
    own = {"listen": f"0.0.0.0:{port}", "tls": tls, "allowed_hosts": ["crewd.example"]}
    with Daemon({"web": SLEEPER}, crewd=own) as daemon:
        start(daemon)
        daemon.wait_serving()
        remote = (
            *("--cacert", authority.certificate, "--resolve", f"crewd.example:{port}:127.0.0.1"),
            f"https://crewd.example:{port}/api/v1/workers",
        )
        local = ("--unix-socket", daemon.home.socket, "-X", "POST", "http://localhost/api/v1/tokens")
        new = json.dumps({"role": "operator", "name": "elsewhere", "expires_in": "1h"})
        made = json.loads(curl(*local, "-H", "Content-Type: application/json", "-d", new)[1])["data"]

        assert curl(*remote)[0] == 401
        assert curl(*remote, "-H", f"Authorization: Bearer {made['token']}")[0] == 200


def test_crewctl_steers_it_from_elsewhere(tmp_path: Path, port: int) -> None:
    """Over TLS: a token with a role and globs, a certificate of one's own; each sees and does what it may."""
    authority = Authority(tmp_path)
    served, ops = authority.sign("server", "DNS:localhost"), authority.sign("ops", file="ops")
    tls = {"certificate": served.certificate, "key": served.key, "client_ca": authority.certificate}
    own = {"listen": f"0.0.0.0:{port}", "tls": tls, "roles": {"certificates": {"ops": "admin"}}}
    with Daemon({"web": SLEEPER, "mail": SLEEPER}, crewd=own) as daemon:
        start(daemon)
        daemon.wait_serving()
        root = Path(daemon.root)
        token = root / "token"
        token.touch(0o600)
        made = crewctl(root, "token", "create", "--role", "operator", "--name", "afar", "--workers", "web")
        token.write_text(made.stdout)
        remote = ("--host", f"https://localhost:{port}", "--ca", authority.certificate)
        by_token = (*remote, "--token-file", str(token))
        by_certificate = (*remote, "--cert", ops.certificate, "--key", ops.key)

        assert crewctl(root, *remote, "status").returncode == DENIED
        shown = crewctl(root, *by_token, "status").stdout
        assert ("web-0" in shown, "mail-0" in shown) == (True, False)
        assert crewctl(root, *by_token, "restart", "--wait", "web-0").returncode == 0
        assert crewctl(root, *by_token, "stop", "mail").returncode == DENIED
        assert crewctl(root, *by_token, "reload").returncode == DENIED
        assert crewctl(root, *by_certificate, "reload").returncode == 0
        wait_for(lambda: "certificate ops" in crewctl(root, *by_certificate, "audit").stdout, what=daemon.log)


@root_only
def test_a_worker_may_open_the_socket_and_ask_nothing_of_others(port: int) -> None:
    """One that runs as somebody else: it is let in for what is its own, and the crew is not."""
    asks = (
        "import socket, time; s = socket.socket(socket.AF_UNIX); s.connect(__import__('sys').argv[1]); "
        "s.sendall(b'GET /api/v1/workers HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n'); "
        "print(s.recv(100).split(b'\\r\\n')[0].decode(), flush=True); time.sleep(1000)"
    )
    with Daemon() as daemon:
        worker = {"command": [PYTHON, "-c", asks, daemon.home.socket], "user": "nobody", "restart_sec": "200ms"}
        daemon.write({"web": {**worker, "start_limit_burst": 0}})
        daemon.start()
        open_home(daemon)
        log = Path(daemon.home.worker_logs) / "web-0.out.log"
        wait_for(lambda: log.exists() and "HTTP/1.1" in log.read_text(), 60, daemon.log)

        assert log.read_text().splitlines()[-1].startswith("HTTP/1.1 403")


@pytest.mark.parametrize(
    ("language", "program"), [("python", [PYTHON, "-c"]), ("sh", ["bash", "-euo", "pipefail", "-c"])]
)
def test_the_manual_s_recipes_sign(daemon: Daemon, port: int, language: str, program: list[str]) -> None:
    """As they stand there, but for the host and where the secret is; each signs anew, so it may be run again.

    And for the clock, which is as far ahead as it may be: so nobody waits until what was signed is of after the start.
    """
    listening = time.time()
    secret_file = Path(daemon.root, "deploy.key")
    secret_file.write_text("0123456789abcdef" * 4 + "\n")
    secret_file.chmod(0o600)
    keys = {"deploy": {"secret_file": str(secret_file), "role": "operator", "workers": ["web*"]}}
    own = {"listen": f"127.0.0.1:{port}", "on_shutdown": "keep", "hmac_keys": keys}
    daemon.write({"web": SLEEPER}, crewd=own)
    daemon.reload()
    [text] = re.findall(rf"```{language}\n(.*?hmac.*?)```", MANUAL, re.DOTALL)
    ahead = {"python": ("time.time()", "time.time() + 30"), "sh": ("date +%s", "date -d '+30 seconds' +%s")}
    own_words = (("127.0.0.1:3000", f"127.0.0.1:{port}"), ("/etc/crewd/deploy.key", str(secret_file)), ahead[language])
    for old, new in own_words:
        assert old in text
        text = text.replace(old, new)
    wait_for(lambda: time.time() > listening + 1)
    for _ in range(2):
        ran = subprocess.run([*program, text], capture_output=True, text=True, check=False, timeout=120)
        assert ran.returncode == 0, ran.stderr
        [result] = json.loads(ran.stdout)["data"]["results"]
        assert (result["instance"], result["ok"]) == ("web-0", True)
    wait_for(lambda: 'principal="hmac deploy"' in daemon.log(), what=daemon.log)
    assert "0123456789abcdef" not in daemon.log()
