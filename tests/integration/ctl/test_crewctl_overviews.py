"""`crewctl health`, `stats`, `restart-events`, `worker-logs` and `export`, against a server with canned answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from crewd.api.shapes.configurations import ONE, SUMMARY
from crewd.api.shapes.reports import ENTRIES
from crewd.api.shapes.restarts import RESTARTS
from crewd.api.shapes.worker_health import HEALTH, OVERVIEW
from harness.canned_api import Api, Asked, Reply, data
from harness.crewctl import Terminal, crewctl
from harness.crewctl_answers import crew, instance, worker


def health(name: str, *causes: str, **given: Any) -> Reply:
    """Return how a worker is: healthy without a cause."""
    reasons = [{"instance": f"{name}-0", "cause": cause, "message": f"{name}-0 is {cause}"} for cause in causes]
    return data({**HEALTH.example, "worker_id": name, "healthy": not causes, "reasons": reasons, **given})


HOW_MANY = """\
WHAT                      NUMBER
total                     2
by source file            1
by source api             1
by deployment type local  2
in force                  2
shadowed                  0
refused                   0
without command           0
auto start                2
instances                 2
"""


def test_configurations_are_counted(api: Api, root: Path) -> None:
    """A line for each count, those by kind for each kind; as JSON what the API says."""
    api.serve("GET /worker-configs/stats/summary", data(SUMMARY.example))
    shown = crewctl(root, "configs", "summary")

    assert (shown.returncode, shown.stdout, shown.stderr) == (0, HOW_MANY, "")
    assert json.loads(crewctl(root, "configs", "summary", "-o", "json").stdout) == SUMMARY.example


@pytest.mark.parametrize(("causes", "code"), [((), 0), (("crashed", "heartbeat"), 3), (("unknown",), 4)])
def test_health_says_why_not(api: Api, root: Path, causes: tuple[str, ...], code: int) -> None:
    """A line for a worker, one for each reason; 3 where one is not healthy, 4 where nobody knows."""
    warned = [{"instance": "mail-0", "cause": "budget", "message": "mail-0 has no restart left"}]
    api.serve("GET /workers", data(crew(worker(instance("web-0")), worker(instance("mail-0")))))
    api.serve("GET /workers/web/health", health("web", *causes))
    api.serve("GET /workers/mail/health", health("mail", warnings=warned))
    ran = crewctl(root, "health")

    head = "✗ web   not healthy (running)" if causes else "✓ web   healthy"
    reasons = [f"    web-0 is {cause}" for cause in causes]
    assert ran.stdout.splitlines() == [head, *reasons, "✓ mail  healthy", "    mail-0 has no restart left"]
    assert (ran.returncode, ran.stderr) == (code, "")
    assert [one["worker_id"] for one in json.loads(crewctl(root, "health", "-o", "json").stdout)] == ["web", "mail"]


def test_health_is_asked_of_what_is_named(api: Api, root: Path) -> None:
    """Of an instance where that is named itself, or has failed; else of its worker."""
    api.serve("GET /workers", data(crew(worker(instance("web-0", "crashed"), instance("web-1")))))
    for name in ("web", "web-0"):
        api.serve(f"GET /workers/{name}/health", health(name))

    assert crewctl(root, "health", "web-0", "tier=front").returncode == 0
    assert api.last().what == "GET /api/v1/workers/web/health"
    assert crewctl(root, "health", "--failed").returncode == 0
    assert api.last().what == "GET /api/v1/workers/web-0/health"


def test_health_fits_a_tiny_terminal(api: Api, root: Path) -> None:
    """And is coloured there."""
    api.serve("GET /workers", data(crew(worker(instance("web-0")))))
    api.serve("GET /workers/web/health", health("web", "crashed", "heartbeat"))
    with Terminal(root, "health", width=14) as terminal:
        assert terminal.ends() == 3
        assert max(map(len, terminal.text().splitlines())) <= 14
    assert "\x1b[31m" in terminal.raw()


def test_stats_are_a_line_for_each_figure(api: Api, root: Path) -> None:
    """What nobody knows is left out."""
    api.serve("GET /workers/stats/overview", data(OVERVIEW.example))
    ran = crewctl(root, "stats")

    figures = dict(line.split("  ", 1) for line in ran.stdout.splitlines())
    assert {name: text.strip() for name, text in figures.items()} == {
        "workers": "2: 2 running",
        "instances": "2: 2 running",
        "restarts": "1",
        "errors": "1 ended badly, 0 reported by the workers",
        "tasks": "2",
        "CPU": "25.5 % of one core",
        "memory": "100 MiB",
        "accounts": "7 of 20",
        "heartbeats": "from 1; missed so far 0",
    }
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(crewctl(root, "stats", "-o", "json").stdout) == OVERVIEW.example


def test_stats_of_a_stale_picture_are_4(api: Api, root: Path) -> None:
    """As of `status`, and what is not known is not invented."""
    unknown = dict.fromkeys(("error_count", "reported_errors", "cpu_usage", "memory_usage", "active_tasks"))
    silent = {"heartbeats": {"reporting": 0, "stale": 0, "stale_count": 0}, "max_accounts": None}
    answer = {**OVERVIEW.example, **unknown, **silent, "assigned_accounts": None, "stale": True}
    api.serve("GET /workers/stats/overview", data(answer))
    ran = crewctl(root, "stats")

    assert ran.returncode == 4
    assert ran.stdout.startswith("stale         supervisord is not heard: this is the last known state\n")
    assert [line.split()[0] for line in ran.stdout.splitlines()] == ["stale", "workers", "instances", "restarts"]


def test_manual_restarts_are_a_table(api: Api, root: Path) -> None:
    """The newest last, of the workers and the time that are asked for."""
    good = RESTARTS.example["restart_events"][0]
    bad = {**good, "user": "alice", "reason": None, "success": False, "duration": 61_000}
    bad["summary"] = {"total_actions": 3, "successful_actions": 1, "failed_actions": 2}
    api.serve("GET /restart-events", data({"restart_events": [good, bad], "next_cursor": None}))
    ran = crewctl(root, "restart-events", "ingest", "--since", "1h", "-n", "2")

    _, first, second = ran.stdout.splitlines()
    assert first.endswith("ingest  3 done         0.118 s    uid 0 pid 4242                the scan lock hangs")
    assert second.endswith("ingest  2 of 3 failed  1 min 1 s  uid 0 pid 4242 (says: alice)  -")
    assert ran.returncode == 0
    assert api.last().query == (("worker", "ingest"), ("since", "1h"), ("limit", "2"))
    assert json.loads(crewctl(root, "restart-events", "-o", "json").stdout.splitlines()[0]) == good


def test_the_workers_log_is_one_list(api: Api, root: Path) -> None:
    """What crewd saw and what they had written down, with their own words behind it; pages may be empty."""
    reported = ENTRIES.example["entries"][0]
    reported = {**reported, "message": "lost\x1b[2J the queue", "details": {"queue": "mail", "tries": [1, 2]}}
    seen = {**reported, "id": "event-1", "kind": "lifecycle", "level": "info", "message": "runs", "details": {"pid": 1}}

    def answer(asked: Asked) -> Reply:
        older = "cursor" in dict(asked.query)
        return data({"entries": [seen, reported] if older else [], "next_cursor": None if older else "5-"})

    api.serve("GET /worker-logs", answer)
    ran = crewctl(root, "worker-logs", "web", "--level", "error", "--level", "info", "--kind", "task", "--until", "5m")

    assert ran.stdout.splitlines() == [
        "2026-01-31 09:00:00.000  web-0           info     runs",
        "2026-01-31 09:00:00.000  web-0           error    lost[2J the queue  queue=mail tries=[1, 2]",
    ]
    asked = (("instance", "web"), ("until", "5m"), ("level", "error"), ("level", "info"), ("kind", "task"))
    assert api.last().query == (*asked, ("limit", "20"), ("cursor", "5-"))
    assert json.loads(crewctl(root, "worker-logs", "-o", "json").stdout.splitlines()[1]) == reported


@pytest.mark.parametrize(
    ("command", "path", "member"),
    [("restart-events", "restart-events", "restart_events"), ("worker-logs", "worker-logs", "entries")],
)
def test_an_empty_list_is_said_aside(api: Api, root: Path, command: str, path: str, member: str) -> None:
    """Nothing on standard output."""
    api.serve(f"GET /{path}", data({member: [], "next_cursor": None}))
    ran = crewctl(root, command)

    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.startswith("there is no such ")


def test_a_misspelt_worker_without_restarts_is_guessed(api: Api, root: Path) -> None:
    """It may also be one of the past, so that is no failure."""
    api.serve("GET /restart-events", data({"restart_events": [], "next_cursor": None}))
    api.serve("GET /workers", data(crew(worker(instance("ingest-0")))))

    ran = crewctl(root, "restart-events", "ingets")
    assert (ran.returncode, ran.stderr) == (0, "there is no such restart; did you mean ingest?\n")
    assert crewctl(root, "restart-events", "ingest").stderr == "there is no such restart\n"


def test_masked_variables_are_exported_only_where_that_is_said(api: Api, root: Path) -> None:
    """A file that sets variables to *** is no copy of the worker: 1, with the role that is shown them."""
    masked = {**ONE.example, "configuration": {"environment": {"SECRET": "***"}}}
    api.serve("GET /worker-configs", data({"configurations": [masked], "next_cursor": None}))
    for more in ((), ("-o", "json")):
        ran = crewctl(root, "export", *more)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "cannot export the variables of worker-1: " in ran.stderr
        assert "the role admin" in ran.stderr
    ran = crewctl(root, "export", "--masked")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert 'SECRET: "***"' in ran.stdout
