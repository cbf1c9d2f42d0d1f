"""A manual restart with a reset, as the document has it: its own examples against a real daemon and a real Redis."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from harness.crewctl import crewctl
from harness.daemon import Daemon
from harness.documents import DIGESTS, RESTART, examples
from harness.ports import free_port
from harness.redis import RedisServer, _redis, redis  # noqa: F401 - fixtures
from harness.waiting import wait_for

WORKER = "worker-integrated-pool"
HOST = "https://worker-integrated-pool.3813518962.workers.dev"
LOCKS = ["scan_global_lock", "manual_scan_lock", "emergency_lock", "transfer_lock"]
PREFIXES = ["ratelimit:/:", "ratelimit:/status:", "ratelimit:/scan:", "ratelimit:/restart:"]
KEPT = ["other_lock", "ratelimit:/restart:10.0.0.1"]
HELD = [*LOCKS, "wallet_lock:e16", *(f"{prefix}10.0.0.1" for prefix in PREFIXES[:3])]
PASSWORD = "s3cret-of-redis"


def configuration(url: str, timeout_sec: str = "30s", **reset: Any) -> dict[str, Any]:
    """Return the worker of the document, with all that the document clears."""
    actions = [
        {
            "type": "redis",
            "url": url,
            "locks": LOCKS,
            "wallet_locks": "wallet_lock:*",
            "ratelimit_prefixes": PREFIXES,
            "timeout_sec": timeout_sec,
        }
    ]
    return {WORKER: {"command": ["sleep", "infinity"], "reset": {"actions": actions, **reset}}}


@pytest.fixture
def held(redis: RedisServer) -> RedisServer:  # noqa: F811
    """A Redis with all that the document clears, and some more."""
    redis.fill([*HELD, *KEPT])
    return redis


class Running:
    """A daemon that listens on TCP, too."""

    def __init__(self, daemon: Daemon, port: int) -> None:
        self.daemon = daemon
        self.port = port
        self.root = Path(daemon.root)

    @property
    def address(self) -> str:
        """What takes the place of the document's host."""
        return f"http://127.0.0.1:{self.port}"

    def metric(self, name: str) -> float:
        """Return the value of one line of /metrics."""
        with urlopen(f"{self.address}/metrics") as page:
            text = page.read().decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else -1.0

    def start(self) -> None:
        """Start it, and wait until it listens and knows its database."""
        self.daemon.start(environ={"CREWD_LISTEN": f"127.0.0.1:{self.port}"})
        wait_for(self.serves, 60.0, self.daemon.log)
        self.daemon.wait_serving()

    def serves(self) -> bool:
        """Return whether it listens, and knows its totals."""
        try:
            return self.metric('crewd_manual_restart_duration_seconds_bucket{le="+Inf"}') >= 0
        except OSError:
            return False

    def events(self) -> list[Any]:
        """Return the restarts that are stored."""
        with urlopen(f"{self.address}/api/v1/restart-events") as answer:
            return json.load(answer)["data"]["restart_events"]


@pytest.fixture
def daemon() -> Iterator[Running]:
    """One that is not started yet."""
    with Daemon() as made:
        yield Running(made, free_port())


def run(*command: str, text: str = "") -> str:
    """Run a program; return what it says."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def only(language: str, *, having: str, address: str) -> str:
    """Return the document's only example in a language that has these words, at another host."""
    [example] = [one for one in examples(RESTART, language) if having in one]
    assert HOST in example
    return example.replace(HOST, address)


def test_the_copies_are_the_documents() -> None:
    """Byte for byte: what is tested is what its author wrote."""
    assert {document: sha256(document.read_bytes()).hexdigest() for document in DIGESTS} == DIGESTS
    assert len(examples(RESTART, "bash")) == 3
    assert [len(examples(RESTART, language)) for language in ("javascript", "python", "json")] == [1, 1, 2]


def test_the_document_s_curl_is_answered_with_the_document_s_answer(daemon: Running, held: RedisServer) -> None:
    """Every member of the example, with its type; the same actions, and as many."""
    daemon.daemon.write(configuration(held.url, restart_process=False))
    daemon.start()
    command = only("bash", having="curl", address=daemon.address)
    documented = json.loads(examples(RESTART, "json")[1])

    answer = json.loads(run("/bin/sh", "-c", command.replace("curl", "curl -sS", 1)))

    assert list(answer) == list(documented)
    for name, value in documented.items():
        assert type(answer[name]) is type(value), name
    for name in ("success", "message", "worker_id", "worker_name", "summary"):
        assert answer[name] == documented[name]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["timestamp"])
    told = [
        {key: one[key] for key in ("action", "key", "wallet", "success") if key in one} for one in answer["actions"]
    ]
    assert all(one in told for one in documented["actions"])
    assert len(told) == documented["summary"]["total_actions"]
    assert held.keys() == sorted(KEPT)


def test_the_document_s_javascript_works(daemon: Running, held: RedisServer, tmp_path: Path) -> None:
    """By node, as it is written; twice, for a restart is idempotent."""
    daemon.daemon.write(configuration(held.url))
    daemon.start()
    program = tmp_path / "example.mjs"
    program.write_text(only("javascript", having="fetch", address=daemon.address))

    for _ in range(2):
        said = run("node", str(program))

        assert "success: true" in said
        assert f"worker_id: '{WORKER}'" in said
        assert "failed_actions: 0" in said
    assert held.keys() == sorted(KEPT)


def test_the_document_s_python_works(daemon: Running, held: RedisServer) -> None:
    """With requests, as it is written; the process is another one afterwards, and the restart is stored."""
    daemon.daemon.write(configuration(held.url))
    daemon.start()
    before = daemon.daemon.pids()

    answer = ast.literal_eval(run(sys.executable, "-", text=only("python", having="requests", address=daemon.address)))

    assert answer["success"] is True
    assert [one["action"] for one in answer["actions"]][-2:] == ["restart_process", "log_restart_event"]
    wait_for(lambda: daemon.daemon.pids().keys() == before.keys() and daemon.daemon.pids() != before, 60.0)
    [stored] = daemon.events()
    assert stored["actions"] == answer["actions"]
    assert stored["type"] == "manual_restart"


def test_what_is_counted_survives_the_daemon(daemon: Running, held: RedisServer) -> None:
    """Successes and failures by worker, and how long they took: the totals are in the database."""
    name = f'crewd_manual_restarts_total{{result="%s",worker="{WORKER}"}}'
    count = "crewd_manual_restart_duration_seconds_count"
    daemon.daemon.write(configuration(held.url))
    daemon.start()
    assert [daemon.metric(name % result) for result in ("success", "failure")] == [0, 0]

    assert crewctl(daemon.root, "reset", WORKER, "--no-wait").returncode == 0
    held.kill()
    assert crewctl(daemon.root, "reset", WORKER, "--no-wait").returncode == 1
    counted = [daemon.metric(one) for one in (name % "success", name % "failure", count)]
    daemon.daemon.stop()
    daemon.start()

    assert counted == [1, 1, 2]
    assert [daemon.metric(one) for one in (name % "success", name % "failure", count)] == counted


def test_crewctl_shows_what_was_done_and_what_was_not(daemon: Running, held: RedisServer) -> None:
    """A line for each action; JSON for programs; a secret for nobody."""
    url = held.url.replace("redis://", f"redis://:{PASSWORD}@")
    daemon.daemon.write(configuration(url))
    daemon.start()

    # this server has no password: AUTH is refused
    wrong = crewctl(daemon.root, "reset", WORKER, "--reason", "a test", "--no-wait")
    as_json = json.loads(crewctl(daemon.root, "reset", WORKER, "-o", "json", "--no-wait").stdout)
    unknown = crewctl(daemon.root, "reset", "none")

    assert wrong.returncode == 1
    assert wrong.stdout.count("✗") == 8
    assert wrong.stdout.count("✓") == 3  # what is kept needs no Redis
    assert "AUTH" in wrong.stdout
    assert wrong.stderr.startswith(f"{WORKER}: 8 of 11 failed, 3 done in ")
    assert as_json["success"] is False
    assert as_json["error"]["code"] == "RESET_001"
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "cannot find none" in unknown.stderr
    assert [one["reason"] for one in daemon.events()] == ["a test", None]
    everything = wrong.stdout + wrong.stderr + json.dumps(as_json) + daemon.daemon.log() + json.dumps(daemon.events())
    assert PASSWORD not in everything


def test_checking_and_rendering_touch_nothing_and_show_no_secret(daemon: Running, held: RedisServer) -> None:
    """``crewd check`` builds every plugin; nobody connects."""
    url = held.url.replace("redis://", f"redis://:{PASSWORD}@")
    daemon.daemon.write(configuration(url))
    before = held.client.info("stats")["total_connections_received"]
    command = [sys.executable, "-c", "from crewd.cli import main; main()"]

    said = run(*command, "check", "-c", daemon.daemon.home.config) + run(
        *command, "render", "-c", daemon.daemon.home.config
    )

    assert "1 worker, 1 instance: ok" in said
    assert PASSWORD not in said
    assert held.client.info("stats")["total_connections_received"] == before + 1  # the one that asks


def test_a_hanging_redis_is_told_in_time_and_the_worker_is_restarted_all_the_same(
    daemon: Running, held: RedisServer
) -> None:
    """502 with the reasons, within the deadline; nothing else is held up."""
    daemon.daemon.write(configuration(held.url, timeout_sec="1s"))
    daemon.start()
    before = daemon.daemon.pids()
    held.hang()

    answer = json.loads(run("curl", "-sS", "-m", "60", "-X", "POST", f"{daemon.address}/restart"))

    held.go_on()
    assert answer["success"] is False
    assert answer["summary"] == {"total_actions": 11, "successful_actions": 2, "failed_actions": 9}
    assert answer["duration"] < 8000  # nine that each waited would be later
    assert answer["actions"][0]["error"] == "cannot release scan_global_lock: Redis did not answer within 1 s"
    wait_for(lambda: daemon.daemon.pids().keys() == before.keys() and daemon.daemon.pids() != before, 60.0)


def test_the_eleventh_within_a_minute_is_refused(daemon: Running, held: RedisServer) -> None:
    """From one client, whichever process it is."""
    daemon.daemon.write(configuration(held.url, restart_process=False))
    daemon.start()
    curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %header{retry-after}", "-X", "POST"]

    answers = [run(*curl, f"{daemon.address}/restart").split() for _ in range(11)]

    assert [answer[0] for answer in answers] == ["200"] * 10 + ["429"]
    assert 0 < int(answers[-1][1]) <= 60
