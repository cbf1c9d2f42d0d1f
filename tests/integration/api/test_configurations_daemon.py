"""Workers made over the API on a real daemon: a database that is away, a file that changes, a life beside the file."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.api import Answer, UnixConnection, exchange
from harness.crewctl import COMMAND, environ
from harness.daemon import Daemon
from harness.waiting import wait_for

ROOT = os.geteuid() == 0
USERS = ["nobody", "daemon"] if ROOT else []
SLEEP = {"command": ["sleep", "1000"]}
DEFAULTS = {"start_success_sec": 0.1, "local": {"command": ["sleep", "2000"]}, "environment": {"OF": "the defaults"}}
PATH = "/worker-configs"


class Crew:
    """A daemon, asked."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def write(self, workers: Mapping[str, Any], users: list[str] = USERS) -> None:
        """Write the file."""
        self.daemon.write(workers, defaults=DEFAULTS, crewd={"api_workers": {"users": users}})

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.daemon.start()
        wait_for(self.listens, what=self.daemon.log)

    def listens(self) -> bool:
        """Return whether it answers."""
        try:
            return self.ask("GET", "/workers").status == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Ask once."""
        raw = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        connection = UnixConnection(self.daemon.home.socket, 120)
        return exchange(connection, method, f"/api/v1{path}", raw, {**kind, **headers})

    def create(self, worker_id: str, **members: Any) -> Any:
        """Make one; return it."""
        answer = self.ask("POST", PATH, {"worker_id": worker_id, **members})
        assert answer.status == 201, answer.body
        return answer.json["data"]

    def shown(self, worker_id: str) -> Any:
        """Return what is configured of one."""
        return self.ask("GET", f"{PATH}/{worker_id}").data

    def crewctl(self, *arguments: str, given: str = "", code: int = 0) -> str:
        """Run crewctl; return what it prints."""
        ended = subprocess.run(
            [*COMMAND, *arguments],
            env={**environ(Path(self.daemon.root)), "EDITOR": f"{self.daemon.root}/editor"},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ended.returncode == code, (ended.stdout, ended.stderr)
        return ended.stdout if code == 0 else ended.stderr

    def database(self) -> Path:
        """Return the database's file."""
        return Path(self.daemon.home.lib, "crewd.db")


@pytest.fixture
def crew() -> Iterator[Crew]:
    """A daemon that is up; web is of the file."""
    with Daemon({}) as daemon:
        found = Crew(daemon)
        found.write({"web": SLEEP})
        found.start()
        daemon.wait_serving()
        yield found


def test_what_changed_is_said_and_done(crew: Crew) -> None:
    """Added, restarted, changed in place, removed: the others keep their processes."""
    crew.create("a", port=4001)
    created = crew.create("b", labels={"tier": "back"})
    crew.daemon.wait_states(web_0="RUNNING", a_0="RUNNING", b_0="RUNNING")
    before = crew.daemon.pids()
    restarted = crew.ask("PATCH", f"{PATH}/a", {"port": 4002}).data["applied"]["plan"]
    in_place = crew.ask("PATCH", f"{PATH}/b", {"restart_sec": "7s"}).data["applied"]["plan"]
    selected = crew.ask("POST", "/workers/tier=back/restart?wait=20s").data["results"]
    deleted = crew.ask("DELETE", f"{PATH}/a").data["applied"]["plan"]

    assert created["applied"]["plan"] == {"added": ["b-0"], "changed": [], "restarted": [], "removed": [], "kept": 2}
    assert (restarted["restarted"], restarted["kept"]) == (["a-0"], 2)
    assert (in_place["changed"], in_place["restarted"]) == (["b-0"], [])
    assert [(one["instance"], one["ok"]) for one in selected] == [("b-0", True)]
    assert deleted["removed"] == ["a-0"]
    crew.daemon.wait_states(web_0="RUNNING", b_0="RUNNING")
    assert crew.daemon.pids()["web-0"] == before["web-0"]


def test_an_essential_one_ends_the_crew(crew: Crew) -> None:
    """As one of the file does: given up, it takes all others and crewd with it."""
    crew.create("a", essential=True, start_limit_burst=1)
    crew.daemon.wait_states(web_0="RUNNING", a_0="RUNNING")
    os.kill(crew.daemon.pids()["a-0"], signal.SIGKILL)

    assert crew.daemon.wait() == 1
    assert "cannot go on: a-0 of the essential worker a was given up: SIGKILL" in crew.daemon.log().splitlines()[-1]
    assert crew.daemon.nursery.members() == []


def test_a_daemon_whose_database_is_away_runs_the_crew(crew: Crew) -> None:
    """From the last good rendering; a reload fails loudly; when it is back, so is everything."""
    crew.create("a")
    crew.daemon.stop()
    away = crew.database().with_suffix(".away")
    for file in crew.database().parent.glob("crewd.db-*"):
        file.unlink()
    crew.database().rename(away)
    crew.database().mkdir()
    crew.start()
    crew.daemon.wait_states(web_0="RUNNING", a_0="RUNNING")
    crew.write({"web": SLEEP, "new": SLEEP})
    reload = crew.ask("POST", "/reload")
    listed = crew.ask("GET", PATH)
    state = crew.ask("GET", "/workers").data["configuration"]

    assert (reload.status, reload.code) == (500, "APPLY_001")
    assert "cannot read the workers made over the API" in reload.json["message"]
    assert (listed.status, listed.code) == (503, "STORE_001")
    assert state["in_force"] is False
    assert len(state["problems"]) == 1
    pids = crew.daemon.pids()
    assert pids.keys() == {"web-0", "a-0"}

    crew.database().rmdir()
    away.rename(crew.database())
    crew.daemon.wait_states(timeout=60, web_0="RUNNING", a_0="RUNNING", new_0="RUNNING")
    assert {name: crew.daemon.pids()[name] for name in pids} == pids
    wait_for(lambda: crew.shown("a")["in_force"], what=crew.daemon.log)


def test_a_first_start_without_a_database_runs_the_file() -> None:
    """There is nothing to lose; those made over the API follow."""
    with Daemon({}) as daemon:
        crew = Crew(daemon)
        crew.write({"web": SLEEP})
        crew.database().mkdir(parents=True)
        crew.start()
        daemon.wait_states(web_0="RUNNING")

        assert "; they follow" in daemon.log()


@pytest.mark.skipif(not ROOT, reason="only root's supervisord runs workers as another user")
def test_one_that_is_no_longer_admitted_takes_nobody_down(crew: Crew) -> None:
    """The file admits fewer: that worker is left out and shown with the reason, the others are as they were."""
    crew.create("a")
    crew.create("d", user="daemon")
    crew.daemon.wait_states(web_0="RUNNING", a_0="RUNNING", d_0="RUNNING")
    pids = crew.daemon.pids()
    crew.write({"web": SLEEP}, ["nobody"])
    assert crew.ask("POST", "/reload").data["plan"]["removed"] == ["d-0"]
    left_out = crew.shown("d")
    start = crew.ask("POST", "/workers/d/start")

    assert left_out["in_force"] is False
    assert [one["field"] for one in left_out["problems"]] == ["user"]
    assert (start.status, start.code) == (409, "WORKER_003")
    assert "a worker made over the API is left out worker=d" in crew.daemon.log()
    crew.daemon.wait_states(web_0="RUNNING", a_0="RUNNING")
    assert crew.daemon.pids() == {name: pid for name, pid in pids.items() if name != "d-0"}


def test_without_any_command_it_is_not_started(crew: Crew) -> None:
    """Until the file has one."""
    crew.daemon.write({"web": SLEEP}, crewd={"api_workers": {"users": USERS}})
    crew.ask("POST", "/reload")
    bare = crew.create("bare", port=1)
    start = crew.ask("POST", "/workers/bare/start")
    crew.write({"web": SLEEP})
    added = crew.ask("POST", "/reload").data["plan"]["added"]

    assert (bare["in_force"], bare["command"]) == (False, None)
    assert (start.status, start.code) == (422, "WORKER_004")
    assert added == ["bare-0"]


def test_a_broken_file_refuses_a_change(crew: Crew) -> None:
    """With its problems; nothing is stored."""
    crew.daemon.write_text("workers: {web: {comand: x}}\n")
    answer = crew.ask("POST", PATH, {"worker_id": "a"})

    assert (answer.status, answer.code) == (422, "RESTART_004")
    assert any("comand" in line for line in answer.json["error"]["details"]["problems"])
    assert crew.ask("GET", f"{PATH}/a").status == 404


EXPORTED: dict[str, dict[str, Any]] = {
    "plain": {},
    "odd": {
        "command": [
            "/bin/sh",
            "-c",
            'echo "it\'s" 50% ; sleep 1000 # $x\t%(here)s',
            "",
            "yes",
            "0x1",
            "null",
            "\u3000é",
        ],
        "environment": {
            "A": "b\x01\x7f\x85\u2028 ; # 'c\" \\ %(x)s",
            "N": 5,
            "E": "",
            "T": "true",
            "Y": "on",
            "F": "1e5",
        },
        "labels": {"a/b.c": "1.0", "n": 7},
        "name": "1e5",
        "umask": "022",
    },
    "aliases": {"auto_restart": True, "max_restart_attempts": 3, "restart_delay_ms": 250, "auto_start": True},
    "policy": {
        "restart": "no",
        "restart_sec": "1min 30s",
        "start_limit_interval_sec": "infinity",
        "success_exit_status": [2, "SIGTERM"],
        "stop_signal": "INT",
        "instances": 2,
        "host": "127.0.0.1",
        "port": 4001,
        "max_accounts": 0,
        "stdout_logfile": "none",
        "redirect_stderr": True,
        "deployment_type": "local",
    },
}


def test_what_is_exported_behaves_the_same(crew: Crew) -> None:
    """In a file of conf.d it is what crewd check accepts, shadows what it came from, and restarts nobody."""
    for worker_id, document in EXPORTED.items():
        crew.create(worker_id, **document)
    before = sections(crew.daemon.home.supervisord_conf), Path(crew.daemon.home.table).read_text()
    pids = wait_for(lambda: settled(crew), what=crew.daemon.log)
    text = crew.crewctl("export")
    folder = Path(crew.daemon.home.etc, "conf.d")
    folder.mkdir()
    (folder / "api.yaml").write_text(text)
    crew.crewctl("check")
    plan = crew.ask("POST", "/reload").data["plan"]
    listed = crew.ask("GET", f"{PATH}?source=api").data["configurations"]

    assert {key: plan[key] for key in ("added", "changed", "restarted", "removed")} == {
        "added": [],
        "changed": [],
        "restarted": [],
        "removed": [],
    }
    assert sections(crew.daemon.home.supervisord_conf) == before[0]
    assert entries(Path(crew.daemon.home.table).read_text()) == entries(before[1])
    assert [(one["worker_id"], one["shadowed"]) for one in listed] == [(name, True) for name in sorted(EXPORTED)]
    assert crew.daemon.pids() == pids
    crew.crewctl("configs", "delete", *EXPORTED)
    assert crew.daemon.pids() == pids
    assert yaml.safe_load(crew.crewctl("export"))["workers"] == {}


def settled(crew: Crew) -> dict[str, int]:
    """Return the pids, once all run."""
    states = crew.daemon.states()
    return crew.daemon.pids() if len(states) == 6 and set(states.values()) == {"RUNNING"} else {}


def sections(conf: str) -> dict[str, str]:
    """Return the text of each program."""
    found = Path(conf).read_text().split("\n[program:")[1:]
    return {one.partition("]")[0]: one.rstrip() for one in found}


def entries(table: str) -> Any:
    """Return what the policy table says of each instance."""
    return json.loads(table)["entries"]


def test_crewctl_makes_changes_shows_and_deletes(crew: Crew) -> None:
    """As an operator does it: words, files, an editor."""
    created = crew.crewctl("configs", "create", "mail", 'command=["sleep","77"]', "port=4001", "umask=022")
    crew.crewctl("configs", "set", "mail", "name=Mail", "--unset", "umask", "--revision", "1")
    lost = crew.crewctl("configs", "set", "mail", "port=1", "--revision", "1", code=1)
    shown = crew.crewctl("configs", "show", "mail")
    listed = crew.crewctl("configs", "list")
    editor = Path(crew.daemon.root, "editor")
    editor.write_text("#!/bin/sh\nsed -i 's/port: 4001/port: 4002/; /^name/d' \"$1\"\n")
    editor.chmod(0o755)
    crew.crewctl("configs", "edit", "mail")
    edited = json.loads(crew.crewctl("configs", "show", "mail", "-o", "json"))
    many = "workers:\n  one: {command: [sleep, '5'], restart: no}\n  two:\n    command: [sleep, '6']\n"
    crew.crewctl("configs", "create", "-f", "-", given=many)
    wrong = crew.crewctl("configs", "create", "bad", "port=0", "x=1", code=2)
    of_file = crew.crewctl("configs", "set", "web", "port=1", code=1)
    deleted = crew.crewctl("configs", "delete", "one", "two", "mail")
    gone = crew.crewctl("configs", "show", "mail", code=4)

    assert created.splitlines()[:2] == ["mail: created, revision 1", "added: mail-0"]
    assert "is revision 2 now" in lost
    assert shown.splitlines() == [
        "# mail: in force, api, revision 2",
        'command: [sleep, "77"]',
        "port: 4001",
        "name: Mail",
    ]
    assert [line.split()[:4] for line in listed.splitlines()[1:]] == [
        ["mail", "api", "2", "in"],
        ["web", "file", "-", "in"],
    ]
    assert edited["configuration"] == {"command": ["sleep", "77"], "port": 4002}
    assert edited["revision"] == 3
    assert "port: expects a whole number" in wrong
    assert "x: unknown key" in wrong
    assert f"{crew.daemon.home.config}:" in of_file
    assert deleted.count("deleted") == 3
    assert "no such worker" in gone
