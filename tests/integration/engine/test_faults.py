"""A fault in any callback of the engine: workers that are killed still restart, supervisord's pid unchanged.

One supervisord for each edition goes through most faults, so that the engine is also seen to recover.
"""

import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import pytest

from crewd.model.facts import FaultCaught, Judged
from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Mode, Program, Supervisord, shell, wait_for
from harness.sabotage import PLUGINS, saboteur

POLICY = RestartPolicy(
    restart=RestartMode.ALWAYS, restart_sec=0.05, restart_steps=0, start_limit_burst=0, start_success_sec=0.3
)
SLEEP = shell("exec sleep 1000")
SETPRIV = "/usr/bin/setpriv"
PATIENCE_SEC = 20.0

ENGINE = "crewd_supervisord.engine:Engine"
BOTH = (
    f"{ENGINE}.state_changed",
    f"{ENGINE}._starting",
    f"{ENGINE}.spawned",
    f"{ENGINE}._succeed",
    f"{ENGINE}.ending",
    f"{ENGINE}.ended",
    f"{ENGINE}.judge",
    f"{ENGINE}.begin",
    f"{ENGINE}._ring",
    f"{ENGINE}.note",
    "crewd_supervisord.plugin:wait_knowing",
    "crewd_supervisord.spawn:Spawner.spawn",
    "crewd_supervisord.journal:Journal.append",
    "crewd_supervisord.timers:Timers.set",
    "crewd_supervisord.proc:start_ticks",
    "crewd_supervisord.engine:fold",
    "crewd_supervisord.engine:decide",
    "crewd_supervisord.engine:kill_group",
)
FAST = (
    "crewd_supervisord.spawn:Spawner._spawn_fast",
    "crewd_supervisord.spawn:Spawner._start",
    "crewd_supervisord.spawn:_posix_spawn",
    "crewd_supervisord.fds:Registrations.attach",
    "crewd_supervisord.fds:Registrations.detach",
)
LOOP = (
    "crewd_supervisord.loop:Loop._turn",
    "crewd_supervisord.loop:Loop._timeout",
    "crewd_supervisord.loop:Loop._handle",
    "crewd_supervisord.loop:Loop._each_second",
    "crewd_supervisord.loop:reap",
    "crewd_supervisord.foreign:Foreign.transition",
    "crewd_supervisord.engine:Engine.work",
    "crewd_supervisord.timers:Timers.pop",
    "crewd_supervisord.engine:Engine.next_at",
    "crewd_supervisord.journal:Journal.passed",
    "crewd_supervisord.journal:Journal.tick",
)
POLLER = (
    "crewd_supervisord.poller:WakingPoller._after",
    "crewd_supervisord.poller:WakingPoller._wait",
    "crewd_supervisord.poller:reap",
    "crewd_supervisord.engine:Engine.work",
    "crewd_supervisord.timers:Timers.pop",
    "crewd_supervisord.engine:Engine.next_at",
    "crewd_supervisord.journal:Journal.passed",
    "crewd_supervisord.journal:Journal.tick",
)

FAST_EDITIONS = [one for one in ENGINE_EDITIONS if one.values[0].mode is Mode.FAST]  # type: ignore[attr-defined]
STOCK_EDITIONS = [one for one in ENGINE_EDITIONS if one.values[0].mode is Mode.STOCK]  # type: ignore[attr-defined]


def crew() -> list[Program]:
    """Two workers: one plain, one with pipes that is started through setpriv."""
    through = (SETPRIV, "--reuid=0", "--", *SLEEP)
    return [Program("plain-0", SLEEP, POLICY), Program("through-0", through, POLICY, setpriv=True, stdout="AUTO")]


@pytest.fixture(scope="module", params=ENGINE_EDITIONS)
def server(request: Any) -> Generator[Supervisord]:
    """A supervisord with something in it that can make the engine fail."""
    with Supervisord(request.param, crew(), [saboteur()], python_path=[PLUGINS]) as server:
        server.healthy = False
        yield server


def faults(server: Supervisord) -> int:
    """Return the count of faults."""
    return server.crewd("version")["faults"]


def killed_and_back(server: Supervisord) -> None:
    """Kill all workers, wait until all are back and have succeeded."""
    names = list(server.programs)
    before = {name: server.pid_of(name) for name in names}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    for name, pid in before.items():
        server.wait_new_pid(name, pid, PATIENCE_SEC)
    for name in names:
        server.wait_state(name, "RUNNING", timeout=PATIENCE_SEC)


def goes_on(server: Supervisord, target: str) -> None:
    """Assert that with ``target`` raising the workers restart under the same supervisord, and that it was said."""
    for name in server.programs:
        server.wait_state(name, "RUNNING")
    before, log = faults(server), len(server.log())
    server.rpc.saboteur.sabotage(target)
    try:
        killed_and_back(server)
        wait_for(server.rpc.saboteur.struck, PATIENCE_SEC, f"{target} to be called")
    finally:
        server.rpc.saboteur.mend()

    assert server.rpc.supervisor.getPID() == server.pid
    assert faults(server) > before
    assert "crewd: fault in" in server.log()[log:]
    if "Journal.append" not in target:
        assert server.facts(FaultCaught)[-1].error.startswith("saboteur.SabotageError")


def recovers(server: Supervisord) -> None:
    """Assert that the engine, no longer sabotaged, restarts the workers itself, without further faults."""
    before, judged = faults(server), len(server.facts(Judged))
    killed_and_back(server)

    assert faults(server) == before
    assert len(server.facts(Judged)) == judged + len(server.programs)


@pytest.mark.parametrize("target", BOTH)
def test_a_fault_leaves_restarts_to_supervisord(server: Supervisord, target: str) -> None:
    """What fails in the engine costs no worker its restart, and is over when it is over."""
    goes_on(server, target)
    recovers(server)


@pytest.mark.parametrize("target", FAST)
@pytest.mark.parametrize("server", FAST_EDITIONS, indirect=True, scope="module")
def test_a_fault_of_the_fast_spawn_is_survived(server: Supervisord, target: str) -> None:
    """Where the quick way of starting fails, supervisor's own is taken."""
    goes_on(server, target)
    recovers(server)


@pytest.mark.parametrize("target", POLLER)
@pytest.mark.parametrize("server", STOCK_EDITIONS, indirect=True, scope="module")
def test_a_fault_beside_supervisors_loop_is_survived(server: Supervisord, target: str) -> None:
    """The wrapped poller goes on without what fails."""
    goes_on(server, target)
    recovers(server)


def test_a_failed_spawn_that_the_engine_fails_over_is_tried_again(server: Supervisord) -> None:
    """A program that cannot be executed is tried again by supervisord, and runs when it can be."""
    program, away = Path(server.path("work/program")), Path(server.path("work/away"))
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o700)
    server.apply([*crew(), Program("coming-0", (str(program),), POLICY)])
    pid = server.wait_state("coming-0", "RUNNING")["pid"]
    before = faults(server)
    server.rpc.saboteur.sabotage(f"{ENGINE}.spawn_failed")
    program.rename(away)
    os.kill(pid, signal.SIGKILL)
    try:
        wait_for(lambda: faults(server) >= before + 2, PATIENCE_SEC, "two spawns that failed")
        away.rename(program)
        server.wait_new_pid("coming-0", pid, PATIENCE_SEC)
    finally:
        server.rpc.saboteur.mend()
    server.wait_state("coming-0", "RUNNING")
    server.apply(crew())

    assert server.rpc.supervisor.getPID() == server.pid
    recovers(server)


@pytest.mark.parametrize(
    ("target", "method", "arguments"),
    [
        ("crewd_supervisord.views:status", "status", ()),
        ("crewd_supervisord.views:why", "why", ("plain-0",)),
        ("crewd_supervisord.changes:apply", "apply", ("table-1",)),
        ("crewd_supervisord.journal:Journal.acknowledge", "acknowledge", ("00000001-abcdef", 1)),
        (f"{ENGINE}.command", "restart", (["plain-0"], "somebody")),
        (f"{ENGINE}.start", "start", (["stopped-0"], "somebody")),
    ],
)
def test_a_fault_in_a_method_is_its_callers_to_know(
    server: Supervisord, target: str, method: str, arguments: tuple[Any, ...]
) -> None:
    """An RPC method that fails answers FAILED, is counted, and costs no worker anything."""
    server.apply([*crew(), Program("stopped-0", SLEEP, POLICY, autostart=False)])
    arguments = tuple(server.crewd("version")["table"] if one == "table-1" else one for one in arguments)
    before, pid = faults(server), server.pid_of("plain-0")
    server.rpc.saboteur.sabotage(target)
    try:
        with pytest.raises(Fault, match="SabotageError"):
            server.crewd(method, *arguments)
    finally:
        struck = server.rpc.saboteur.mend()

    assert struck == 1
    assert faults(server) == before + 1
    assert server.facts(FaultCaught)[-1].where == f"rpc {method}"
    assert server.pid_of("plain-0") == pid
    server.apply(crew())


def test_wrong_arguments_are_no_fault(server: Supervisord) -> None:
    """What a caller does wrong is not the engine's failure."""
    before = faults(server)
    for call in (("status", 1, 2), ("why",), ("acknowledge", 1, "x"), ("start", "plain-0"), ("status", ["nobody"])):
        with pytest.raises(Fault):
            server.crewd(*call)

    assert faults(server) == before


def test_a_command_is_carried_out_though_it_cannot_be_noted(server: Supervisord) -> None:
    """supervisorctl stops and starts a worker whatever the engine makes of it."""
    before = faults(server)
    server.rpc.saboteur.sabotage(f"{ENGINE}.command")
    server.rpc.supervisor.stopProcess("plain-0")
    stopped = server.state("plain-0")
    server.rpc.supervisor.startProcess("plain-0")
    server.rpc.saboteur.mend()

    assert stopped == "STOPPED"
    assert server.state("plain-0") == "RUNNING"
    assert faults(server) == before + 2


@pytest.mark.parametrize("target", LOOP)
@pytest.mark.parametrize("edition", FAST_EDITIONS)
def test_a_fault_of_the_replaced_loop_gives_way_to_supervisors(edition: Edition, target: str) -> None:
    """When our loop fails, supervisord's own takes over in the same process, and says so."""
    with Supervisord(edition, crew(), [saboteur()], python_path=[PLUGINS]) as server:
        server.healthy = False
        goes_on(server, target)
        version = server.crewd("version")

        assert version["mode"] == "stock"
        assert "log" in version["mode_reason"]
        recovers(server)
        assert server.stop() == 0


BROKEN_TABLES = {
    "missing": None,
    "empty": b"",
    "torn": b'{"name": "table-1", "entr',
    "a directory's worth of nonsense": b"\0" * 5000,
    "of another version": b'{"version": 99}',
}


@pytest.mark.parametrize("content", BROKEN_TABLES.values(), ids=BROKEN_TABLES.keys())
@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_without_an_engine_supervisord_restarts_by_its_own_means(edition: Edition, content: bytes | None) -> None:
    """A policy table that cannot be read stops nobody: it is said loudly, and programs are restarted."""
    with Supervisord(edition, crew(), start=False) as server:
        server.healthy = False
        table = Path(server.home.current) / "policy.json"
        table.unlink() if content is None else table.write_bytes(content)
        server.start()
        before = server.wait_state("plain-0", "RUNNING")["pid"]
        os.kill(before, signal.SIGKILL)

        assert server.wait_new_pid("plain-0", before, PATIENCE_SEC)
        assert server.running
        assert "crewd: no engine" in server.log()
        assert not [name for name in server.rpc.system.listMethods() if name.startswith("crewd.")]
