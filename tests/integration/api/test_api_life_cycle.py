"""The life cycle over the API of a real daemon with real workers: statuses, reports, force, output, streams."""

import json
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.api import Answer, UnixConnection, exchange
from harness.daemon import Daemon
from harness.strangers import NOBODY, Asked, Who, ask_as, open_way
from harness.waiting import wait_for

STUBBORN = "trap '' TERM; echo up; while :; do sleep 1; done"
TALKING = "echo out; echo err >&2; exec sleep 1000"
STALE_SEC = 9
"""Longer than a busy machine stands still."""
WORKERS: dict[str, Any] = {
    "web": {
        "command": ["sh", "-c", TALKING],
        "name": "The web",
        "host": "localhost",
        "port": 4001,
        "max_accounts": 10,
        "heartbeat_stale_sec": f"{STALE_SEC}s",
    },
    "stubborn": {"command": ["bash", "-c", STUBBORN], "timeout_stop_sec": "1h", "reset": {}},
    "fail": {"command": ["sh", "-c", "exit 3"], "restart_sec": "1h", "autostart": False, "start_success_sec": "20s"},
    "pair": {"command": ["sleep", "1000"], "instances": 2},
}
DEFAULTS = {"start_success_sec": 0.1}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """The crew above."""
    with Daemon(WORKERS, defaults=DEFAULTS) as running:
        running.start()
        wait_for(lambda: ask(running, "GET", "/readyz").status == 200, what=running.log)
        wait_for(lambda: all(run(running, name) for name in ("web", "stubborn", "pair")), 60, running.log)
        said = Path(running.home.worker_logs) / "stubborn-0.out.log"
        wait_for(lambda: said.exists() and said.read_text() == "up\n", what=running.log)  # it is deaf from here on
        yield running


def run(daemon: Daemon, worker: str) -> bool:
    """Return whether all instances of a worker run, as the picture has them."""
    return {one["status"] for one in get(daemon, f"/workers/{worker}/status")["instances"]} == {"running"}


def ask(daemon: Daemon, method: str, target: str, body: object = None, **headers: str) -> Answer:
    """Ask once."""
    raw = None if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/json"}
    try:
        return exchange(UnixConnection(daemon.home.socket, 30), method, target, raw, {**kind, **headers})
    except (FileNotFoundError, ConnectionError):
        return Answer(0, {}, b"")


def get(daemon: Daemon, path: str, **headers: str) -> Any:
    """Return the data of an answer."""
    return ask(daemon, "GET", f"/api/v1{path}", **headers).data


def post(daemon: Daemon, path: str, body: object = None) -> Any:
    """Return the data of an answer."""
    return ask(daemon, "POST", f"/api/v1{path}", body).data


def metric(daemon: Daemon, line: str) -> str | None:
    """Return the value of a series; None where there is none."""
    page = ask(daemon, "GET", "/metrics").body.decode()
    return next((text.rpartition(" ")[2] for text in page.splitlines() if text.startswith(line + " ")), None)


def test_the_configuration_is_in_the_status(daemon: Daemon) -> None:
    """What the documents want to see of it, and what it uses."""
    web = get(daemon, "/workers/web/status")

    assert (web["name"], web["host"], web["port"], web["max_accounts"]) == ("The web", "localhost", 4001, 10)
    assert web["instances"][0]["pid"] == daemon.pids()["web-0"]
    wait_for(lambda: get(daemon, "/workers/web/status")["instances"][0]["memory_usage"], 30)


def kept(daemon: Daemon) -> list[tuple[int, int, int]]:
    """Return what the database knows of heartbeats: tasks, whether one is overdue, and how often one was."""
    with closing(sqlite3.connect(f"file:{daemon.home.lib}/crewd.db?mode=ro", uri=True)) as database:
        return database.execute("SELECT active_tasks, stale, stale_count FROM heartbeats").fetchall()


def test_a_heartbeat_goes_stale_is_counted_and_survives_the_daemon(daemon: Daemon) -> None:
    """In the status, in the health, in the metrics; the next daemon remembers it."""
    heard = post(daemon, "/workers/web/heartbeat", {"active_tasks": 7, "assigned_accounts": 2, "error_count": 1})
    assert heard["stale_after_sec"] == STALE_SEC
    fresh = get(daemon, "/workers/web/status")
    assert (fresh["active_tasks"], fresh["heartbeat_stale"]) == (7, False)
    assert metric(daemon, 'crewd_worker_active_tasks{worker="web"}') == "7"
    assert float(metric(daemon, 'crewd_worker_heartbeat_age_seconds{worker="web"}') or 99) < STALE_SEC
    before = float(metric(daemon, 'crewd_worker_heartbeats_stale_total{worker="web"}') or 0)

    wait_for(lambda: get(daemon, "/workers/web/status")["heartbeat_stale"], 60)
    health = get(daemon, "/workers/web/health")
    assert [reason["cause"] for reason in health["reasons"]] == ["heartbeat"]
    assert metric(daemon, 'crewd_worker_heartbeat_stale{worker="web"}') == "1"
    total = 'crewd_worker_heartbeats_stale_total{worker="web"}'
    wait_for(lambda: float(metric(daemon, total) or 0) == before + 1)
    assert get(daemon, "/workers/stats/overview")["heartbeats"]["stale"] == 1

    wait_for(lambda: kept(daemon) == [(7, 1, before + 1)], 60)
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    daemon.start()
    wait_for(lambda: ask(daemon, "GET", "/readyz").status == 200, what=daemon.log)
    wait_for(lambda: get(daemon, "/workers/web/status")["last_heartbeat_at"] == heard["at"], 60)
    again = get(daemon, "/workers/web/status")
    assert (again["active_tasks"], again["assigned_accounts"], again["heartbeat_stale"]) == (7, 2, True)
    wait_for(lambda: float(metric(daemon, total) or 0) == before + 1)


def test_how_long_it_may_be_silent_follows_the_file(daemon: Daemon) -> None:
    """A reload is enough, and no process is touched."""
    pid = daemon.pids()["web-0"]
    daemon.write({**WORKERS, "web": {**WORKERS["web"], "heartbeat_stale_sec": "1h"}}, defaults=DEFAULTS)
    post(daemon, "/reload")

    assert post(daemon, "/workers/web/heartbeat")["stale_after_sec"] == 3600.0
    assert daemon.pids()["web-0"] == pid


def test_entries_are_stored_and_found_beside_the_life_cycle(daemon: Daemon) -> None:
    """Also by the next daemon."""
    post(daemon, "/workers/web/logs", {"kind": "error", "message": "lost the queue", "details": {"queue": "mail"}})
    post(daemon, "/workers/pair/logs", {"instance": "pair-1", "entries": [{"message": "one"}, {"message": "two"}]})
    post(daemon, "/workers/batch", {"action": "stop", "worker_ids": ["stubborn"], "options": {"graceful": False}})
    assert daemon.stop() == 0
    daemon.start()
    wait_for(lambda: ask(daemon, "GET", "/readyz").status == 200, what=daemon.log)

    [found] = get(daemon, "/worker-logs?worker=web&kind=error")["entries"]
    assert (found["level"], found["message"], found["details"]) == ("error", "lost the queue", {"queue": "mail"})
    pair = get(daemon, "/worker-logs?worker=pair&kind=task")["entries"]
    assert [(one["instance"], one["message"]) for one in pair] == [("pair-1", "one"), ("pair-1", "two")]

    def types() -> set[str]:
        entries = get(daemon, "/worker-logs?instance=web-0&kind=lifecycle&level=info")["entries"]
        return {one["type"] for one in entries}

    wait_for(lambda: {"spawned", "succeeded"} <= types(), 60)


def recorded(daemon: Daemon, kind: str, count: int) -> list[dict[str, Any]]:
    """Return so many events of the stubborn one; none where there are fewer."""
    events = get(daemon, f"/events?instance=stubborn&type={kind}")["events"]
    return events if len(events) >= count else []


def test_a_stop_without_grace_is_a_kill(daemon: Daemon) -> None:
    """At once, whatever the worker thinks of it; a restart likewise, with a new process."""
    order = {"action": "restart", "worker_ids": ["stubborn"], "options": {"graceful": False}}
    before = daemon.pids()["stubborn-0"]
    begun = time.monotonic()
    restarted = post(daemon, "/workers/batch?wait=20s", order)
    stopped = post(daemon, "/workers/batch?wait=20s", {**order, "action": "stop"})

    assert time.monotonic() - begun < 40
    assert restarted["workers"] == [
        {"worker_id": "stubborn", "ok": True, "changed": True, "status": "running", "message": ""}
    ]
    assert stopped["workers"][0]["status"] == "stopped"
    exits = wait_for(lambda: recorded(daemon, "exited", 2), 60)
    assert [(one["pid"] == before, one["signal"]) for one in exits] == [(True, 9), (False, 9)]
    asked = get(daemon, "/events?instance=stubborn&type=commanded")["events"]
    assert {one["through"] for one in asked} == {"crewd, by force"}


def test_a_stop_that_is_under_way_can_be_hurried(daemon: Daemon) -> None:
    """The one with grace would take an hour."""
    graceful = {"action": "stop", "worker_ids": ["stubborn"], "options": {"graceful": True}}
    late = post(daemon, "/workers/batch?wait=500ms", graceful)
    forced = post(daemon, "/workers/batch?wait=20s", {**graceful, "options": {"graceful": False}})

    assert (late["timed_out"], late["workers"][0]["status"]) == (True, "stopping")
    assert forced["workers"][0]["ok"] is True


def test_a_reset_leaves_a_stop_that_is_under_way_alone(daemon: Daemon) -> None:
    """It is not started again behind the back of whoever stopped it."""
    post(daemon, "/workers/stubborn/stop")
    wait_for(lambda: get(daemon, "/workers/stubborn/status")["status"] == "stopping", what=daemon.log)
    reset = ask(daemon, "POST", "/api/v1/workers/stubborn/reset").json

    assert [one["action"] for one in reset["actions"]] == ["log_restart_event"]
    asked = wait_for(lambda: get(daemon, "/events?instance=stubborn&type=commanded")["events"], what=daemon.log)
    assert [one["verb"] for one in asked] == ["stop"]


def test_only_what_stops_can_be_without_grace(daemon: Daemon) -> None:
    """Nothing is passed over."""
    order = {"action": "start", "worker_ids": ["web"], "options": {"graceful": False}}
    for body in (order, {**order, "options": {"graceful": "no"}}, {**order, "options": {"gracefull": True}}):
        assert ask(daemon, "POST", "/api/v1/workers/batch", body).status == 422


def test_a_start_that_fails_is_a_failure(daemon: Daemon) -> None:
    """500 with all that became of it; in a batch each has its own result."""
    failed = ask(daemon, "POST", "/api/v1/workers/fail/start?wait=20s")
    batch = post(daemon, "/workers/batch?wait=20s", {"action": "restart", "worker_ids": ["fail", "pair"]})

    assert (failed.status, failed.code) == (500, "WORKER_005")
    assert failed.json["message"].startswith("cannot start fail: fail-0: crashed while starting")
    [one] = failed.json["error"]["details"]["results"]
    assert (one["ok"], one["status"]) == (False, "crashed")
    assert [(each["worker_id"], each["ok"]) for each in batch["workers"]] == [("fail", False), ("pair", True)]


def test_actions_are_idempotent(daemon: Daemon) -> None:
    """Asked for again there is nothing to do, and that is told."""
    again = post(daemon, "/workers/web/start?wait=20s")
    post(daemon, "/workers/web/stop?wait=20s")
    stopped = post(daemon, "/workers/web/stop?wait=20s")

    assert [(one["ok"], one["changed"], one["done"]) for one in again["results"]] == [(True, False, "already running")]
    assert [(one["ok"], one["changed"], one["status"]) for one in stopped["workers"]] == [(True, False, "stopped")]


def test_all_statuses_are_seen(daemon: Daemon) -> None:
    """stopped, starting, running, stopping, error, crashed."""
    slow = {"command": ["sleep", "1000"], "start_success_sec": "1h"}
    hopeless = {"command": ["false"], "start_limit_burst": 1, "autostart": False}
    daemon.write({**WORKERS, "slow": slow, "hopeless": hopeless}, defaults=DEFAULTS)
    post(daemon, "/reload")
    post(daemon, "/workers/fail/start")
    post(daemon, "/workers/hopeless/start")
    post(daemon, "/workers/stubborn/stop")
    post(daemon, "/workers/pair/stop")
    wanted = {
        "slow": "starting",
        "web": "running",
        "stubborn": "stopping",
        "pair": "stopped",
        "fail": "crashed",
        "hopeless": "error",
    }

    def statuses() -> dict[str, str]:
        return {name: get(daemon, f"/workers/{name}/status")["status"] for name in wanted}

    wait_for(lambda: statuses() == wanted, 60, lambda: str(statuses()))
    by_status = get(daemon, "/workers/stats/overview")["by_status"]
    assert by_status == dict.fromkeys(("stopped", "starting", "running", "stopping", "error", "crashed"), 1)
    hopeless_health = get(daemon, "/workers/hopeless/health")
    assert [reason["cause"] for reason in hopeless_health["reasons"]] == ["error"]


def written(daemon: Daemon) -> bool:
    """Return whether web said what it has to say."""
    logs = Path(daemon.home.worker_logs)
    return all((logs / f"web-0.{stream}.log").stat().st_size for stream in ("out", "err"))


def test_the_example_reports(daemon: Daemon) -> None:
    """By nothing but the standard library; it goes on while crewd is away."""
    script = Path(__file__).parents[3] / "examples/workers/reporting.py"
    reporting = {
        "command": [sys.executable, str(script)],
        "environment": {"REPORT_TO": daemon.home.socket, "REPORT_EVERY_SEC": "0.2"},
        "max_accounts": 1,
    }
    daemon.write({**WORKERS, "reporting": reporting}, defaults=DEFAULTS)
    post(daemon, "/reload")

    wait_for(lambda: get(daemon, "/workers/reporting/status")["assigned_accounts"] == 1, 60)
    wait_for(lambda: get(daemon, "/worker-logs?worker=reporting&kind=error")["entries"], 60)
    pid = daemon.pids()["reporting-0"]
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    daemon.start()
    wait_for(lambda: ask(daemon, "GET", "/readyz").status == 200, what=daemon.log)
    before = get(daemon, "/workers/reporting/status")["last_heartbeat_at"]
    wait_for(lambda: get(daemon, "/workers/reporting/status")["last_heartbeat_at"] not in (before, None), 60)
    assert daemon.pids()["reporting-0"] == pid


def test_output_of_both_streams(daemon: Daemon) -> None:
    """As the document asks for it, of all streams with their names, and as text."""
    wait_for(lambda: {path.name for path in Path(daemon.home.worker_logs).glob("web-0.*")} and written(daemon))
    assert get(daemon, "/workers/web/logs?tail=100&stream=stdout")["lines"] == ["out"]
    both = get(daemon, "/workers/web/logs?tail=100&stream=all")
    text = ask(daemon, "GET", "/api/v1/workers/web/logs?stream=all", Accept="text/plain")

    assert (both["lines"], both["streams"], both["ordered"]) == (["out", "err"], ["stdout", "stderr"], False)
    assert text.body == b"stdout: out\nstderr: err\n"
    assert text.headers["crewd-ordered"] == "no"
    assert ask(daemon, "GET", "/api/v1/workers/web/logs", Accept="image/png").code == "NOT_ACCEPTABLE"


def test_output_is_followed_as_messages(daemon: Daemon) -> None:
    """Of both streams, as they are written."""
    log = Path(daemon.home.worker_logs) / "web-0.err.log"
    wait_for(lambda: log.exists() and log.read_bytes() == b"err\n")
    connection = UnixConnection(daemon.home.socket, 60)
    connection.request("GET", "/api/v1/workers/web/logs?stream=all&tail=1", headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    try:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.readline() == b": lines\n"
        with log.open("ab") as file:
            file.write(b"more\n")
        seen = b""
        while b"more" not in seen:
            seen += response.readline()
    finally:
        connection.close()
    messages = [json.loads(line[6:]) for line in seen.splitlines() if line.startswith(b"data: ")]
    assert messages[-1] == {"instance": "web-0", "stream": "stderr", "line": "more"}


def test_events_are_resumed_where_they_were(daemon: Daemon) -> None:
    """By Accept alone, each event once, behind the last that was seen."""
    post(daemon, "/workers/web/restart?wait=20s")
    wait_for(lambda: get(daemon, "/events?type=succeeded&instance=web-0")["events"], 60)
    events = get(daemon, "/events?limit=1000")["events"]
    begin = events[len(events) // 2]
    last = f"{begin['generation']}.{begin['sequence']}"
    connection = UnixConnection(daemon.home.socket, 60)
    headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
    connection.request("GET", "/api/v1/events", headers=headers)
    response = connection.getresponse()
    seen: list[int] = []
    try:
        while len(seen) < len(events) - len(events) // 2 - 1:
            line = response.readline()
            if line.startswith(b"data: "):
                seen.append(json.loads(line[6:])["sequence"])
    finally:
        connection.close()

    assert seen == [one["sequence"] for one in events[len(events) // 2 + 1 :]]


def test_a_reader_that_does_not_read_slows_nobody(daemon: Daemon) -> None:
    """Followers that take nothing: a restart is as quick, and the daemon answers."""
    sockets = []
    for _ in range(20):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.connect(daemon.home.socket)
        one.sendall(b"GET /api/v1/events?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sockets.append(one)
    begun = time.monotonic()
    restarted = post(daemon, "/workers/pair/restart?wait=20s")
    took = time.monotonic() - begun
    for one in sockets:
        one.close()

    assert all(one["ok"] for one in restarted["results"])
    assert took < 15


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_a_process_reports_for_its_own_worker_alone() -> None:
    """By what the kernel says of it; what it says itself does not count."""
    workers = {"own": {"command": ["sleep", "1000"], "user": "nobody"}, "other": {"command": ["sleep", "1000"]}}
    with Daemon(workers, defaults=DEFAULTS) as daemon:
        daemon.start()
        wait_for(lambda: ask(daemon, "GET", "/readyz").status == 200, what=daemon.log)
        await open_way(Path(daemon.home.socket))
        for folder in (daemon.root, daemon.home.run):
            os.chmod(folder, 0o711)
        entry, kind = b'{"message": "a", "kind": "error"}', (("Content-Type", "application/json"),)
        heard, written, theirs, their_log, listed = await ask_as(
            Who(NOBODY),
            daemon.home.socket,
            [
                Asked("POST", "/api/v1/workers/own/heartbeat"),
                Asked("POST", "/api/v1/workers/own/logs", kind, entry),
                Asked("POST", "/api/v1/workers/other/heartbeat"),
                Asked("POST", "/api/v1/workers/other/logs", kind, entry),
                Asked("GET", "/api/v1/worker-logs"),
            ],
        )

        assert (heard.status, written.status) == (200, 200)
        assert {(one.status, one.code) for one in (theirs, their_log)} == {(403, "AUTH_002")}
        assert listed.status == 403
        assert get(daemon, "/workers/own/status")["last_heartbeat_at"]
        assert get(daemon, "/workers/other/status")["last_heartbeat_at"] is None
        assert [one["instance"] for one in get(daemon, "/worker-logs?kind=error")["entries"]] == ["own-0"]
