"""Every field that a worker made over the API may have is seen to do something, on a real supervisord.

One daemon for all: the workers lie in its database when it starts, each with the one field that it is there for.
"""

import grp
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crewd.config.keys import OFFERED
from crewd.reconcile.configurations import Configuration
from crewd.store import store_of
from crewd.store.configurations import SqlConfigurations
from harness.api import UnixConnection, exchange
from harness.daemon import Daemon
from harness.waiting import wait_for

ROOT = os.geteuid() == 0
OWN = pwd.getpwuid(os.geteuid()).pw_name
OTHER = "nobody" if ROOT else OWN
OWN_GROUPS = {user.pw_name: user.pw_gid for user in pwd.getpwall() if user.pw_name != OWN}
MEMBERSHIPS = [
    (user, group.gr_name)
    for group in grp.getgrall()
    for user in group.gr_mem
    if OWN_GROUPS.get(user, group.gr_gid) != group.gr_gid
]
MEMBER, JOINED = MEMBERSHIPS[0] if ROOT and MEMBERSHIPS else (OTHER, grp.getgrgid(pwd.getpwnam(OTHER).pw_gid).gr_name)
"""A user, and a group that is not its own, which alone is seen to be another; its own where nobody is in any other."""

PROBE = """f="$PROBES/$CREWD_INSTANCE"
(env; echo cwd=$(pwd -P); echo umask=$(umask); echo uid=$(id -u); echo gid=$(id -g)) > "$f.new"
mv "$f.new" "$f"; exec sleep 1000""".replace("\n", "; ")
TRAP = 'f=$PROBES/$CREWD_INSTANCE; trap "echo told > $f; exit 0" USR1; echo up > $f; while :; do sleep 0.05; done'
DEAF = 'trap "" TERM; echo > $PROBES/$CREWD_INSTANCE; while :; do sleep 0.05; done'
PARENT = "sleep 900 & echo $! > $PROBES/$CREWD_INSTANCE; wait"
SHOUT = "i=0; while [ $i -lt 300 ]; do echo 0123456789 0123456789; i=$((i+1)); done; exec sleep 1000"
SHOUT_ERR = f"exec >&2; {SHOUT}"
STOP_SEC = 30
GIVEN_UP = {"start_limit_interval_sec": "infinity", "restart_sec": 0}


def sh(script: str) -> list[str]:
    """Return the command that runs it."""
    return ["/bin/sh", "-c", script]


@dataclass(frozen=True)
class World:
    """The daemon with all workers, and where they leave what they found."""

    daemon: Daemon
    probes: Path
    files: Path

    def get(self, target: str) -> Any:
        """Return the data of an answer."""
        return exchange(UnixConnection(self.daemon.home.socket), "GET", f"/api/v1{target}", None, {}).data

    def post(self, target: str) -> Any:
        """Ask for something."""
        return exchange(UnixConnection(self.daemon.home.socket), "POST", f"/api/v1{target}", None, {}).data

    def probe(self, worker: str) -> dict[str, str]:
        """Return what the worker's first instance found: its variables, and where and who it is."""
        file = self.probes / f"{worker}-0"
        wait_for(file.exists, what=lambda: f"{file}\n{self.daemon.log()}")
        return dict(line.partition("=")[::2] for line in file.read_text().splitlines() if "=" in line)

    def instance(self, worker: str) -> Any:
        """Return the first instance as it is."""
        return self.get(f"/workers/{worker}/status")["instances"][0]

    def comes_to(self, worker: str, state: str, restarts: int | None = None) -> Any:
        """Wait until the first instance is in this state, and was restarted so often; return it."""

        def there() -> Any:
            one = self.instance(worker)
            fits = one["process_state"] == state and (restarts is None or one["restart_count"] == restarts)
            return one if fits else None

        return wait_for(there, what=lambda: f"{worker} {state}: {self.instance(worker)}")


def equals(key: str, value: str) -> Callable[[World, str], bool]:
    """Return what sees that the worker found this."""
    return lambda world, worker: world.probe(worker).get(key) == value


def due_in(least: float, most: float, restarts: int = 0) -> Callable[[World, str], bool]:
    """Return what sees that the worker waits for its restart that long."""

    def waits(world: World, worker: str) -> bool:
        waiting = world.comes_to(worker, "BACKOFF", restarts)
        ended = world.get(f"/events?instance={worker}-0&type=judged&limit=1")["events"]
        return bool(ended) and least < ended[0]["delay_sec"] <= most and waiting["due_in_sec"] <= most

    return lambda world, worker: bool(wait_for(lambda: waits(world, worker), what=lambda: worker))


def ends(state: str, restarts: int) -> Callable[[World, str], bool]:
    """Return what sees that the worker comes to this, and stays there."""

    def stays(world: World, worker: str) -> bool:
        world.comes_to(worker, state, restarts)
        return world.comes_to(worker, state)["restart_count"] == restarts

    return stays


def goes_on(world: World, worker: str) -> bool:
    """See that the worker is restarted again and again."""
    return bool(wait_for(lambda: world.instance(worker)["restart_count"] >= 3, what=lambda: worker))


def answers(key: str, value: object) -> Callable[[World, str], bool]:
    """Return what sees that the answer has it."""
    return lambda world, worker: world.get(f"/worker-configs/{worker}")[key] == value


def both(*checks: Callable[[World, str], bool]) -> Callable[[World, str], bool]:
    """Return what sees all of it."""
    return lambda world, worker: all(check(world, worker) for check in checks)


def is_stopped_in_time(world: World, worker: str) -> bool:
    """A stop that nobody listens to ends with the kill, long before ``defaults`` would have it."""
    wait_for((world.probes / f"{worker}-0").exists, what="the worker")
    begun = time.monotonic()
    [result] = world.post(f"/workers/{worker}/stop?wait=20s")["results"]
    return result["process_state"] == "STOPPED" and time.monotonic() - begun < STOP_SEC / 2


def hears_its_signal(world: World, worker: str) -> bool:
    """The trap wrote it down."""
    file = world.probes / f"{worker}-0"
    wait_for(lambda: file.exists() and file.read_text() == "up\n", what="the worker")
    world.post(f"/workers/{worker}/stop?wait=20s")
    return file.read_text() == "told\n"


def leaves_its_child(world: World, worker: str) -> bool:
    """The main process alone was concerned."""
    file = world.probes / f"{worker}-0"
    child = int(wait_for(lambda: file.exists() and file.read_text().strip(), what="the child"))
    world.post(f"/workers/{worker}/stop?wait=20s")
    alive = os.path.exists(f"/proc/{child}")
    os.kill(child, 9)
    return alive


def reads_a_pipe(world: World, worker: str) -> bool:
    """Its standard input."""
    pid = world.comes_to(worker, "RUNNING")["pid"]
    return wait_for(lambda: os.readlink(f"/proc/{pid}/fd/0").startswith("pipe:"), what="its own standard input")


def begins_first(world: World, worker: str) -> bool:
    """Before all that have the usual priority."""
    order = [
        fact.instance for _, event in world.daemon.journal() if (fact := event.fact).__class__.__name__ == "Starting"
    ]
    return order[0] == f"{worker}-0"


def is_selected(world: World, worker: str) -> bool:
    """By its label."""
    return [one["worker_id"] for one in world.get("/workers?worker=tier=front")["workers"]] == [worker]


def has_two(world: World, worker: str) -> bool:
    """Instances."""
    return [one["instance"] for one in world.get(f"/workers/{worker}/status")["instances"]] == [
        f"{worker}-0",
        f"{worker}-1",
    ]


def logs(*names: str, absent: tuple[str, ...] = ()) -> Callable[[World, str], bool]:
    """Return what sees these files among the worker's own."""

    def there(world: World, worker: str) -> bool:
        def all_of_them() -> bool:
            found = {path.name.removeprefix(f"{worker}-0.") for path in world.files.glob(f"{worker}-0.*")}
            return found >= set(names) and not found & set(absent)

        return bool(wait_for(all_of_them, what=lambda: str(list(world.files.iterdir()))))

    return there


def shouts_into(stream: str) -> Callable[[World, str], bool]:
    """Return what sees it in the log that the API reads."""

    def there(world: World, worker: str) -> bool:
        def heard() -> bool:
            target = f"/api/v1/workers/{worker}/logs?stream={stream}"
            found = exchange(UnixConnection(world.daemon.home.socket), "GET", target, None, {})
            return b"0123456789" in found.body

        return bool(wait_for(heard, what=lambda: worker))

    return there


def is_missed(world: World, worker: str) -> bool:
    """Nothing was heard of it for so long."""
    return bool(
        wait_for(lambda: world.get(f"/workers/{worker}/status")["heartbeat_stale"] is True, what=lambda: worker)
    )


ROTATED = {"stdout_logfile": "FILES/{instance}.o", "stderr_logfile": "FILES/{instance}.e"}
CASES: dict[str, tuple[Mapping[str, Any], Callable[[World, str], bool]]] = {
    "command": (
        {"command": sh("echo own=1 > $PROBES/$CREWD_INSTANCE; exec sleep 1000")},
        both(equals("own", "1"), answers("user", OWN)),
    ),
    "directory": ({"directory": "FILES/work"}, lambda world, worker: world.probe(worker)["cwd"].endswith("/work")),
    "cwd": ({"cwd": "FILES/work"}, lambda world, worker: world.probe(worker)["cwd"].endswith("/work")),
    "environment": (
        {"environment": {"A": "b %(x)s ; 'c\"", "N": 5}},
        both(equals("A", "b %(x)s ; 'c\""), equals("N", "5")),
    ),
    "environment_file": ({"environment_file": "FILES/env"}, equals("FROM_FILE", "yes")),
    "user": ({"user": OTHER}, both(equals("uid", str(pwd.getpwnam(OTHER).pw_uid)), equals("USER", OTHER))),
    "group": (
        {"user": MEMBER, "group": JOINED},
        equals("gid", str(grp.getgrnam(JOINED).gr_gid)),
    ),
    "umask": ({"umask": "027"}, equals("umask", "0027")),
    "stdin": ({"stdin": "pipe"}, reads_a_pipe),
    "instances": ({"instances": 2}, has_two),
    "autostart": ({"autostart": False}, ends("STOPPED", 0)),
    "auto_start": ({"auto_start": False}, both(ends("STOPPED", 0), answers("auto_start", False))),
    "essential": ({"essential": True}, answers("essential", True)),
    "priority": ({"priority": 1}, begins_first),
    "stop_signal": ({"command": sh(TRAP), "stop_signal": "USR1", "timeout_stop_sec": 60}, hears_its_signal),
    "timeout_stop_sec": ({"command": sh(DEAF), "timeout_stop_sec": 0.3}, is_stopped_in_time),
    "kill_mode": ({"command": sh(PARENT), "kill_mode": "process"}, leaves_its_child),
    "restart": ({"command": ["true"], "restart": "always", "restart_sec": 0.2, "restart_steps": 0}, goes_on),
    "auto_restart": ({"command": ["true"], "auto_restart": True, "restart_steps": 0}, goes_on),
    "restart_sec": ({"command": ["false"], "restart_sec": "5min"}, due_in(299, 300)),
    "restart_delay_ms": ({"command": ["false"], "restart_delay_ms": 300_000}, due_in(299, 300)),
    "restart_steps": (
        {"command": ["false"], "restart_sec": 0.2, "restart_steps": 1, "restart_max_delay_sec": 400},
        due_in(399, 400, 1),
    ),
    "restart_max_delay_sec": (
        {"command": ["false"], "restart_sec": 0.2, "restart_steps": 1, "restart_max_delay_sec": 500},
        due_in(499, 500, 1),
    ),
    "restart_randomized_delay_sec": (
        {"command": ["false"], "restart_sec": 100, "restart_randomized_delay_sec": 100},
        due_in(100, 200),
    ),
    "start_limit_burst": ({"command": ["false"], "start_limit_burst": 2, **GIVEN_UP}, ends("FATAL", 1)),
    "max_restart_attempts": ({"command": ["false"], "max_restart_attempts": 1, "restart_sec": 0}, ends("FATAL", 1)),
    "start_limit_interval_sec": (
        {"command": ["false"], "start_limit_burst": 1, "start_limit_interval_sec": 0, "restart_steps": 0},
        goes_on,
    ),
    "restart_reset_sec": (
        {"command": sh("sleep 0.5; exit 1"), "start_limit_burst": 2, "restart_reset_sec": 0.2, **GIVEN_UP},
        goes_on,
    ),
    "start_success_sec": ({"start_success_sec": 3600}, lambda world, worker: bool(world.comes_to(worker, "STARTING"))),
    "success_exit_status": ({"command": sh("exit 3"), "success_exit_status": [3]}, ends("EXITED", 0)),
    "restart_prevent_exit_status": (
        {"command": sh("exit 3"), "restart": "always", "restart_prevent_exit_status": [3]},
        ends("EXITED", 0),
    ),
    "restart_force_exit_status": (
        {"command": sh("exit 0"), "restart": "on-failure", "restart_force_exit_status": [0], "restart_steps": 0},
        goes_on,
    ),
    "stdout_logfile": ({"command": sh(SHOUT), "stdout_logfile": "FILES/{instance}.out"}, logs("out")),
    "stdout_logfile_maxbytes": ({"command": sh(SHOUT), **ROTATED, "stdout_logfile_maxbytes": 2000}, logs("o", "o.1")),
    "stdout_logfile_backups": (
        {"command": sh(SHOUT), **ROTATED, "stdout_logfile_maxbytes": 2000, "stdout_logfile_backups": 1},
        logs("o", "o.1", absent=("o.2",)),
    ),
    "stderr_logfile": ({"command": sh(SHOUT_ERR), "stderr_logfile": "FILES/{instance}.err"}, logs("err")),
    "stderr_logfile_maxbytes": (
        {"command": sh(SHOUT_ERR), **ROTATED, "stderr_logfile_maxbytes": 2000},
        logs("e", "e.1"),
    ),
    "stderr_logfile_backups": (
        {"command": sh(SHOUT_ERR), **ROTATED, "stderr_logfile_maxbytes": 2000, "stderr_logfile_backups": 1},
        logs("e", "e.1", absent=("e.2",)),
    ),
    "redirect_stderr": ({"command": sh(SHOUT_ERR), "redirect_stderr": True}, shouts_into("stdout")),
    "name": ({"name": "主 Worker"}, both(equals("WORKER_NAME", "主 Worker"), answers("name", "主 Worker"))),
    "labels": ({"labels": {"tier": "front"}}, is_selected),
    "host": ({"host": "localhost"}, both(equals("HOST", "localhost"), answers("host", "localhost"))),
    "port": ({"port": 4001}, both(equals("PORT", "4001"), answers("port", 4001))),
    "max_accounts": ({"max_accounts": 10}, both(equals("MAX_ACCOUNTS", "10"), answers("max_accounts", 10))),
    "heartbeat_stale_sec": ({"heartbeat_stale_sec": "200ms"}, is_missed),
    "deployment_type": (
        {"deployment_type": "local"},
        both(equals("uid", str(os.geteuid())), answers("deployment_type", "local")),
    ),
}


def worker_of(field: str) -> str:
    """Return the id of the worker that a field is tried with."""
    return f"f-{field.replace('_', '.')}"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The daemon, up; every worker is in force."""
    probes = Path(tempfile.mkdtemp(prefix="crewd-probes-"))
    probes.chmod(0o1777)
    own = {"users": list(dict.fromkeys((OWN, OTHER, MEMBER)))}
    defaults = {
        "local": {"command": sh(PROBE)},
        "environment": {"PROBES": str(probes)},
        "start_success_sec": 0.1,
        "timeout_stop_sec": STOP_SEC,
    }
    with Daemon({}, defaults=defaults, crewd={"api_workers": own}) as daemon:
        files = Path(daemon.root, "files")
        (files / "work").mkdir(parents=True)
        (files / "env").write_text("FROM_FILE=yes\n")
        daemon.write({}, defaults=defaults, crewd={"api_workers": {**own, "roots": [str(files)]}})
        store_all(daemon, files)
        daemon.start()
        daemon.wait_serving()
        yield World(daemon, probes, files)
    shutil.rmtree(probes)


def store_all(daemon: Daemon, files: Path) -> None:
    """Put a worker for each field into the database."""
    import asyncio  # noqa: PLC0415 - of this function alone
    import json  # noqa: PLC0415 - as above

    async def put() -> None:
        store = store_of("sqlite", daemon.home)
        await store.open()
        for field, (document, _) in CASES.items():
            text = json.dumps(document).replace("FILES", str(files))
            assert await SqlConfigurations(store).add(Configuration(worker_of(field), text))
        await store.close()

    asyncio.run(put())


def test_each_field_that_is_accepted_is_tried() -> None:
    """A new key comes with its case."""
    accepted = {key.name for key in OFFERED.keys} | {alias.name for alias in OFFERED.aliases}

    assert set(CASES) == accepted
    assert all(field in document for field, (document, _) in CASES.items())


def test_all_of_them_are_in_force(world: World) -> None:
    """And listed so, without a problem."""
    listed = world.get("/worker-configs?source=api")["configurations"]

    assert {one["worker_id"]: one["problems"] for one in listed if not one["in_force"]} == {}
    assert len(listed) == len(CASES)


@pytest.mark.parametrize("field", CASES)
def test_the_field_does_what_it_says(world: World, field: str) -> None:
    """Seen from outside."""
    assert CASES[field][1](world, worker_of(field))
