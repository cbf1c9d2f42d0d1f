"""The examples of the document on the life cycle of workers, as they stand there: only the host is another."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from harness.daemon import Daemon
from harness.documents import LIFECYCLE, examples
from harness.ports import free_port
from harness.waiting import wait_for

HOST = "http://localhost:3000"
CREATE, START, STATUS, LOGS, BATCH = examples(LIFECYCLE, "bash")
COMMAND = ["sh", "-c", "echo $WORKER_NAME on $HOST:$PORT for $MAX_ACCOUNTS; exec sleep 1000"]
USERS = ["nobody"] if os.geteuid() == 0 else []
SECTIONS: dict[str, Any] = {
    "crewd": {"api_workers": {"users": USERS}},
    "defaults": {"local": {"command": COMMAND}, "start_success_sec": 0.1},
}


class Listening(Daemon):
    """One that can be reached over TCP, where the document's reader reaches it."""

    def __init__(self, *given: Any, **sections: Any) -> None:
        super().__init__(*given, **sections)
        self.address = f"127.0.0.1:{free_port()}"

    def listen(self) -> None:
        """Start it, and wait until it can be reached."""
        listens = f"listening on={self.address}"
        before = self.log().count(listens)
        self.start(environ={"CREWD_LISTEN": self.address})
        wait_for(lambda: self.log().count(listens) > before, what=self.log)
        self.wait_serving()


@pytest.fixture
def daemon() -> Iterator[Listening]:
    """A daemon with a worker of the file, worker-2, and a command for those that have none."""
    with Listening({"worker-2": {"command": ["sleep", "1000"]}}, **SECTIONS) as running:
        running.listen()
        yield running


def run(daemon: Listening, example: str) -> str:
    """Run an example in a shell, as its reader does; return what it prints."""
    assert HOST in example
    ended = subprocess.run(
        ["bash", "-euc", example.replace(HOST, f"http://{daemon.address}")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def data(daemon: Listening, example: str) -> Any:
    """Return the data of what it prints."""
    answer = json.loads(run(daemon, example))
    assert answer["success"] is True, answer
    return answer["data"]


def test_a_worker_lives_as_the_document_says(daemon: Listening) -> None:
    """Created, started by itself, looked at, read, restarted with another; each field has come through."""
    created = data(daemon, CREATE)
    given = json.loads(CREATE.partition("-d '")[2].rpartition("'")[0])
    daemon.wait_states(worker_1_0="RUNNING", worker_2_0="RUNNING")
    started = data(daemon, START)
    status = wait_for(lambda: (told := data(daemon, STATUS))["status"] == "running" and told, what=daemon.log)
    before = daemon.pids()
    wait_for(lambda: "4001" in run(daemon, LOGS), what=daemon.log)

    assert {key: created[key] for key in given} == given
    assert created["applied"]["plan"]["added"] == ["worker-1-0"]
    assert [one["changed"] for one in started["results"]] == [False]
    assert (status["worker_id"], status["status"], status["name"]) == ("worker-1", "running", given["name"])
    assert f"{given['name']} on localhost:4001 for 10" in run(daemon, LOGS)
    assert all(one["ok"] and one["changed"] for one in data(daemon, BATCH)["results"])
    wait_for(lambda: _all_are_others(daemon.pids(), before), what=daemon.log)


def _all_are_others(now: Mapping[str, int], before: Mapping[str, int]) -> bool:
    """Return whether both run, and are other processes than before."""
    return now.keys() == before.keys() and not set(now.values()) & set(before.values())


def test_it_is_there_after_a_restart_of_everything(daemon: Listening) -> None:
    """auto_start: a new daemon, a new supervisord, and nobody has to ask for it."""
    data(daemon, CREATE)
    daemon.wait_states(worker_1_0="RUNNING", worker_2_0="RUNNING")
    assert daemon.stop() == 0
    daemon.listen()

    daemon.wait_states(worker_1_0="RUNNING", worker_2_0="RUNNING")
    running = daemon.pids()["worker-1-0"]
    wait_for(lambda: data(daemon, STATUS)["instances"][0]["pid"] == running, what=daemon.log)
