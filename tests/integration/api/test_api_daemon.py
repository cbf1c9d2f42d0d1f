"""The API of a real daemon with real workers, over its socket."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from harness.api import Answer, UnixConnection, exchange
from harness.daemon import Daemon
from harness.waiting import wait_for

SLEEPER = {"command": ["sleep", "1000"]}
FAILING = {"command": ["sh", "-c", "echo before; exit 3"], "restart_sec": "1h", "start_success_sec": "20s"}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """web twice, and one that fails."""
    with Daemon({"web": {**SLEEPER, "instances": 2}, "fail": FAILING}, defaults={"start_success_sec": 0.1}) as running:
        running.start()
        running.wait_states(web_0="RUNNING", web_1="RUNNING", fail_0="BACKOFF")
        wait_for(lambda: ask(running, "GET", "/readyz").status == 200, what=running.log)
        yield running


def ask(daemon: Daemon, method: str, target: str, body: object = None) -> Answer:
    """Ask once."""
    raw = None if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/json"}
    try:
        return exchange(UnixConnection(daemon.home.socket, 30), method, target, raw, kind)
    except (FileNotFoundError, ConnectionError):
        return Answer(0, {}, b"")


def call(daemon: Daemon, method: str, path: str, body: object = None) -> Any:
    """Return the data of an answer below ``/api/v1``."""
    return ask(daemon, method, f"/api/v1{path}", body).data


def test_what_is_done_is_waited_for_and_seen(daemon: Daemon) -> None:
    """A restart, a stop, a start: the answer comes when it is so, and the list agrees."""
    before = daemon.pids()
    restarted = call(daemon, "POST", "/workers/web/restart?wait=20s")
    stopped = call(daemon, "POST", "/workers/web-1/stop?wait=20s")
    [web] = call(daemon, "GET", "/workers?worker=web")["workers"]

    assert [one["ok"] for one in (*restarted["results"], *stopped["results"])] == [True] * 3
    assert stopped["results"][0]["process_state"] == "STOPPED"
    assert [one["status"] for one in web["instances"]] == ["running", "stopped"]
    assert web["instances"][0]["pid"] == daemon.pids()["web-0"] != before["web-0"]


def test_a_start_that_fails_says_how(daemon: Daemon) -> None:
    """With its exit and what comes next; its output is there."""
    failed = ask(daemon, "POST", "/api/v1/workers/fail/restart?wait=20s")
    [one] = failed.json["error"]["details"]["results"]

    assert (failed.status, failed.code) == (500, "WORKER_005")
    assert (one["ok"], one["message"]) == (False, "crashed while starting, and waits for its restart: exit code 3")
    assert call(daemon, "GET", "/workers/fail/logs?tail=1")["lines"] == ["before"]
    assert call(daemon, "GET", "/workers/fail/why")["exits"][-1]["code"] == 3


def test_the_journal_knows_who_asked(daemon: Daemon) -> None:
    """By the credentials of whoever asked the daemon, beside the daemon's own; and it is stored."""
    call(daemon, "POST", "/workers/web-0/restart?wait=20s")
    [commanded] = wait_for(lambda: call(daemon, "GET", "/events?type=commanded")["events"], what="the event")

    assert commanded["who"].endswith(f" for uid {os.geteuid()} pid {os.getpid()}")
    assert commanded["instance"] == "web-0"


def test_a_reload_applies_the_difference(daemon: Daemon) -> None:
    """Or tells what is wrong, and where."""
    daemon.write({"web": {**SLEEPER, "instances": 3}, "fail": FAILING}, defaults={"start_success_sec": 0.1})
    applied = call(daemon, "POST", "/reload")
    daemon.write({"web": {"comand": "x"}})
    refused = ask(daemon, "POST", "/api/v1/reload")

    assert applied["plan"]["added"] == ["web-2"]
    assert (refused.status, refused.code) == (422, "RESTART_004")
    assert any("comand" in line for line in refused.json["error"]["details"]["problems"])


def test_a_shutdown_ends_all(daemon: Daemon) -> None:
    """The daemon, its supervisord, the workers; the socket goes, too."""
    assert call(daemon, "POST", "/shutdown") == {"ending": True}
    assert daemon.wait() == 0
    assert not os.path.exists(daemon.home.socket)
    assert not daemon.supervisord_pid()


def test_a_shutdown_ends_a_supervisord_that_was_taken_over(daemon: Daemon) -> None:
    """SIGTERM would leave it."""
    os.kill(daemon.pid, 9)
    daemon.wait()
    daemon.start()
    wait_for(lambda: ask(daemon, "GET", "/readyz").status == 200, what=daemon.log)
    call(daemon, "POST", "/shutdown")

    assert daemon.wait() == 0
    wait_for(lambda: not daemon.supervisord_pid(), what="supervisord's end")


def test_a_daemon_that_was_killed_leaves_no_socket_in_the_way(daemon: Daemon) -> None:
    """The next one answers, and knows what happened before."""
    os.kill(daemon.pid, 9)
    daemon.wait()
    assert os.path.exists(daemon.home.socket)
    daemon.start()
    wait_for(lambda: ask(daemon, "GET", "/readyz").status == 200, what=daemon.log)

    def types_told() -> list[str]:
        return [event["type"] for event in call(daemon, "GET", "/events?limit=1000")["events"]]

    types = wait_for(lambda: "generation_began" in types_told() and types_told(), what=types_told)
    assert types[0] == "segment_opened"
    assert types.count("generation_began") == 1
