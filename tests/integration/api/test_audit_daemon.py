"""Tokens and the audit of a real daemon: what was attempted is stored, whatever the database does, and no secret is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.api import Answer, UnixConnection, exchange
from harness.crewctl import crewctl
from harness.daemon import Daemon
from harness.postgres import Postgres, postgres  # noqa: F401 - a fixture
from harness.waiting import wait_for

SLEEPER = {"command": ["sleep", "1000"], "start_success_sec": 0.1}
NOBODY = 65534
ASKING = """
import http.client, os, socket, sys
os.setgid({uid}); os.setuid({uid})
connection = http.client.HTTPConnection("localhost")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
connection.request("POST", "/api/v1/reload")
sys.exit(connection.getresponse().status - 400)
"""


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """One worker."""
    with Daemon({"web": SLEEPER}) as running:
        yield running


def start(daemon: Daemon, environ: Mapping[str, str] | None = None) -> None:
    """Start it, and wait until it answers."""
    daemon.start(environ=environ)
    wait_for(lambda: ask(daemon, "GET", "/readyz").status == 200, 60, daemon.log)


def ask(daemon: Daemon, method: str, target: str) -> Answer:
    """Ask once."""
    try:
        return exchange(UnixConnection(daemon.home.socket, 30), method, target, None, {})
    except (FileNotFoundError, ConnectionError):
        return Answer(0, {}, b"")


def restart(daemon: Daemon) -> None:
    """Do something that is worth an entry."""
    assert ask(daemon, "POST", "/api/v1/workers/web/restart").status == 200


def entries(daemon: Daemon, query: str = "what=/restart&limit=1000") -> list[Any]:
    """Return what the audit has of it."""
    return ask(daemon, "GET", f"/api/v1/audit?{query}").data["entries"]


def metric(daemon: Daemon, name: str) -> float:
    """Return what a metric is."""
    page = ask(daemon, "GET", "/metrics").body.decode()
    return float(next(line.split()[1] for line in page.splitlines() if line.startswith(f"{name} ")))


def test_nothing_is_lost_while_the_database_is_away(daemon: Daemon, postgres: Postgres) -> None:  # noqa: F811
    """Commands are carried out, each attempt is in the log at once, and in the database when it is back: once."""
    start(daemon, {"CREWD_DATABASE_URL": postgres.make()})
    restart(daemon)
    wait_for(lambda: len(entries(daemon)) == 1)
    postgres.stop(signal.SIGQUIT)
    try:
        for _ in range(20):
            restart(daemon)
        wait_for(lambda: "cannot store the audit" in daemon.log(), 60, daemon.log)
        assert metric(daemon, "crewd_audit_lag_entries") >= 20
        assert daemon.log().count('what="POST /api/v1/workers/web/restart"') == 21
        assert ask(daemon, "GET", "/api/v1/audit").code == "STORE_001"
    finally:
        postgres.start()
    found = wait_for(lambda: len(entries(daemon)) >= 21 and entries(daemon), 120, daemon.log)

    assert len(found) == 21
    assert len({one["id"] for one in found}) == 21
    assert metric(daemon, "crewd_audit_lost_total") == 0
    wait_for(lambda: metric(daemon, "crewd_audit_lag_entries") == 0)


def test_a_daemon_that_ends_has_stored_all(daemon: Daemon) -> None:
    """The last attempt, too, which may be the one that ended it."""
    start(daemon)
    for _ in range(50):
        restart(daemon)
    assert ask(daemon, "POST", "/api/v1/shutdown").status == 200
    assert daemon.wait() == 0
    start(daemon)

    assert len(entries(daemon)) == 50
    [ended] = entries(daemon, "what=/shutdown")
    assert (ended["status"], ended["result"]) == (200, "ok")


def test_an_end_is_not_held_up_by_a_database_that_hangs(daemon: Daemon, postgres: Postgres) -> None:  # noqa: F811
    """What could not be stored is counted aloud, and each of it is in the log."""
    start(daemon, {"CREWD_DATABASE_URL": postgres.make()})
    postgres.hang()
    try:
        restart(daemon)
        restart(daemon)
        assert daemon.stop(timeout=120) == 0
    finally:
        postgres.go_on()

    assert "cannot store the audit: entries are in this log alone entries=2" in daemon.log()
    assert daemon.log().count('what="POST /api/v1/workers/web/restart"') == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_is_turned_away_is_noted(daemon: Daemon) -> None:
    """Whoever the kernel says it was, though the socket's mode let them connect."""
    start(daemon)
    for path in (daemon.root, f"{daemon.root}/run"):
        os.chmod(path, 0o755)
    os.chmod(daemon.home.socket, 0o666)
    asked = subprocess.run([sys.executable, "-c", ASKING.format(uid=NOBODY), daemon.home.socket], check=False)
    [entry] = wait_for(lambda: entries(daemon, "granted=false"))

    assert asked.returncode == 3
    assert entry["principal"].startswith(f"uid {NOBODY} pid ")
    assert (entry["what"], entry["status"], entry["result"]) == ("POST /api/v1/reload", 403, "AUTH_002")
    assert entries(daemon, f"principal=uid%20{NOBODY}") == [entry]


def test_a_token_is_nowhere_but_with_whoever_made_it(daemon: Daemon) -> None:
    """Made, listed and revoked by crewctl; neither the log, the database, the journal nor an answer has it."""
    start(daemon)
    root = Path(daemon.root)
    made = crewctl(
        root, "token", "create", "--role", "operator", "--name", "deploy", "--workers", "w*", "--expires", "30d"
    )
    token = made.stdout.strip()
    secret = token.rpartition("_")[2]
    token_id = token.split("_")[1]
    assert (made.returncode, made.stdout) == (0, f"{token}\n")
    assert token_id in made.stderr
    assert secret not in made.stderr

    listed = crewctl(root, "token", "list")
    revoked = crewctl(root, "token", "revoke", token_id)
    again = crewctl(root, "token", "revoke", token)  # a whole token by mistake
    gone = crewctl(root, "token", "list", "--all")
    wait_for(lambda: len(entries(daemon, "what=/tokens")) == 5)
    shown = crewctl(root, "audit", "--what", "/tokens")
    assert listed.stdout.splitlines()[1].split()[:4] == [token_id, "operator", "deploy", "w*"]
    assert revoked.stdout == f"{token_id}  revoked (deploy)\n"
    assert again.returncode == 1
    assert "there is no such token" in again.stderr
    assert "revoked" in gone.stdout.splitlines()[1]
    assert [line.split()[-1] for line in shown.stdout.splitlines()[1:]] == ["ok", "ok", "ok", "TOKEN_001", "ok"]

    metrics = ask(daemon, "GET", "/metrics").body
    events = ask(daemon, "GET", "/api/v1/events?limit=1000").body
    assert daemon.stop() == 0
    for path in [*Path(daemon.root).rglob("*")]:
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    assert token_id in daemon.log()
    for text in (listed, revoked, again, gone, shown):
        assert secret not in text.stdout + text.stderr
    assert secret.encode() not in metrics + events
