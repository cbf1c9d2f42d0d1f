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

from crewd.model.facts import FaultCaught, GenerationEnded, Judged
from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Mode, Program, Supervisord, misbehave, shell, wait_for
from harness.sabotage import PLUGINS, saboteur

POLICY = RestartPolicy(
    restart=RestartMode.ALWAYS, restart_sec=0.05, restart_steps=0, start_limit_burst=0, start_success_sec=0.3
)
SLEEP = shell("exec sleep 1000")
SETPRIV = "/usr/bin/setpriv"
PATIENCE_SEC = 60.0

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
)
LOOP = (
    "crewd_supervisord.loop:Loop._turn",
    "crewd_supervisord.loop:Loop._timeout",
    "crewd_supervisord.loop:Loop._handle",
    "crewd_supervisord.loop:Loop._each_second",
    "crewd_supervisord.loop:reap",
    "crewd_supervisord.fds:Registrations.attach",
    "crewd_supervisord.fds:Registrations.detach",
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

COMMANDS = (
    f"{ENGINE}.command",
    f"{ENGINE}.refrain",
    f"{ENGINE}.clear_of_leftovers",
    f"{ENGINE}.succeed_if_due",
    "crewd_supervisord.caller:Caller.who",
    "crewd_supervisord.hooks:_named",
    "crewd_supervisord.hooks:_note_start",
)
VERBS = (
    ("stopProcess", "plain-0"),
    ("startProcess", "plain-0"),
    ("stopProcessGroup", "plain-0"),
    ("startProcessGroup", "plain-0"),
    ("stopAllProcesses",),
    ("startAllProcesses",),
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
    before = {name: wait_for(lambda name=name: server.pid_of(name), what=f"{name} to live") for name in names}
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
    before, log, told = faults(server), len(server.log()), len(server.facts(FaultCaught))
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
        assert server.facts(FaultCaught)[told].error.startswith("saboteur.SabotageError")


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


@pytest.mark.parametrize("target", COMMANDS)
def test_a_command_is_carried_out_whatever_the_engine_makes_of_it(server: Supervisord, target: str) -> None:
    """By supervisor's own verbs workers stop and start, by name, by group, and all; each fault is counted."""
    before = faults(server)
    server.rpc.saboteur.sabotage(target)
    states: list[str] = []
    try:
        for verb, *names in VERBS:
            getattr(server.rpc.supervisor, verb)(*names)
            states.append(server.state("plain-0"))
    finally:
        struck = server.rpc.saboteur.mend()

    assert states == ["STOPPED", "RUNNING"] * 3
    assert faults(server) == before + struck
    assert struck >= 2
    assert server.rpc.supervisor.getPID() == server.pid
    recovers(server)


def test_a_stop_holds_though_the_engine_failed_over_it(server: Supervisord) -> None:
    """What is queued could not be taken back; that somebody stopped it is noted all the same."""
    server.rpc.saboteur.sabotage(f"{ENGINE}.refrain")
    server.rpc.supervisor.stopProcess("plain-0")
    server.rpc.saboteur.mend()
    standing = server.standing("plain-0")["standing"]
    server.rpc.supervisor.startProcess("plain-0")

    assert standing == "stopped"
    recovers(server)


@pytest.mark.parametrize("target", ["crewd_supervisord.boot:_group_added", "crewd_supervisord.boot:settle"])
def test_a_worker_that_cannot_be_taken_in_is_supervisords(server: Supervisord, target: str) -> None:
    """It starts and restarts by supervisord's own means, until the next apply takes it in."""
    more = [*crew(), Program("coming-0", SLEEP, POLICY)]
    before = faults(server)
    server.rpc.saboteur.sabotage(target)
    try:
        server.apply(more)
        server.wait_state("coming-0", "RUNNING", timeout=PATIENCE_SEC)
        killed_and_back(server)
    finally:
        struck = server.rpc.saboteur.mend()
    failed = faults(server)
    server.apply(more)
    server.wait_state("coming-0", "RUNNING")

    assert (struck, failed) == (1, before + 1)
    assert server.facts(FaultCaught)[-1].where == "group added"
    recovers(server)
    server.apply(crew())


def test_a_worker_that_cannot_be_let_go_is_gone_all_the_same(server: Supervisord) -> None:
    """Its group is no longer supervisord's; it can be added again."""
    more = [*crew(), Program("going-0", SLEEP, POLICY)]
    server.apply(more)
    server.wait_state("going-0", "RUNNING")
    before = faults(server)
    server.rpc.saboteur.sabotage("crewd_supervisord.boot:_group_removed")
    try:
        server.apply(crew())
        wait_for(server.rpc.saboteur.struck)
    finally:
        server.rpc.saboteur.mend()
    left = {one["instance"] for one in server.crewd("status")["instances"]}
    server.apply(more)
    server.wait_state("going-0", "RUNNING")
    recovers(server)
    server.apply(crew())

    assert left == {program.name for program in crew()}
    assert faults(server) == before + 1


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_a_fault_at_boot_leaves_the_start_to_supervisord(edition: Edition) -> None:
    """Who was up is started, and restarted by the engine again; who was stopped stays so."""
    programs = [*crew(), Program("stopped-0", SLEEP, POLICY)]
    with Supervisord(edition, programs, [saboteur()], python_path=[PLUGINS]) as server:
        server.healthy = False
        server.wait_state("stopped-0", "RUNNING")
        server.rpc.supervisor.stopProcess("stopped-0")
        server.rpc.saboteur.sabotage("crewd_supervisord.boot:_settle_recalled", 0, len(programs))
        server.reload()
        for program in crew():
            server.wait_state(program.name, "RUNNING", timeout=PATIENCE_SEC)

        assert server.rpc.saboteur.mend() == faults(server) == len(programs)
        assert {fact.where for fact in server.facts(FaultCaught)} == {"boot"}
        server.programs.pop("stopped-0")
        recovers(server)
        assert server.state("stopped-0") == "STOPPED"
        assert server.standing("stopped-0")["standing"] == "stopped"


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_input_that_the_loop_does_not_hear_of_arrives(edition: Edition) -> None:
    """Where what waits for a worker cannot be registered, supervisor's own loop takes over and writes it."""
    echo = Program("echo-0", misbehave("echo", "pause"), POLICY, stdin_null=False, stdout="AUTO")
    with Supervisord(edition, [*crew(), echo], [saboteur()], python_path=[PLUGINS]) as server:
        server.healthy = False
        server.wait_state("echo-0", "RUNNING")
        server.rpc.saboteur.sabotage("crewd_supervisord.runner:Runner.ask")
        server.rpc.supervisor.sendProcessStdin("echo-0", "hello\n")
        wait_for(lambda: "hello" in server.rpc.supervisor.readProcessStdoutLog("echo-0", 0, 0), what="the echo")
        assert server.rpc.saboteur.mend() == 1

        assert server.crewd("version")["mode"] == "stock"
        assert faults(server) == 1 + (edition.mode is Mode.FAST)
        recovers(server)


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_a_connection_that_cannot_be_forgotten_costs_no_later_one(edition: Edition) -> None:
    """Its number is used again; supervisor's own loop, which registers nothing for long, takes over."""
    with Supervisord(edition, crew(), [saboteur()], python_path=[PLUGINS]) as server:
        server.healthy = False
        server.wait_state("plain-0", "RUNNING")
        server.rpc.saboteur.sabotage("crewd_supervisord.runner:Runner.forget_channel")
        for _ in range(5):
            assert server.supervisorctl("pid", timeout=PATIENCE_SEC).stdout == f"{server.pid}\n"
        killed_and_back(server)
        wait_for(server.rpc.saboteur.struck, what="a connection to be closed")
        server.rpc.saboteur.mend()

        assert server.crewd("version")["mode"] == "stock"
        recovers(server)


@pytest.mark.parametrize("edition", FAST_EDITIONS)
def test_a_fault_at_the_end_leaves_the_stopping_to_supervisord(edition: Edition) -> None:
    """All workers are stopped, and supervisord ends in order."""
    with Supervisord(edition, crew(), [saboteur()], python_path=[PLUGINS]) as server:
        server.healthy = False
        server.wait_state("plain-0", "RUNNING")
        server.rpc.saboteur.sabotage("crewd_supervisord.stopping:Stopping.step")

        assert server.stop() == 0
        assert "fault in loop" in server.log()
        assert server.workers_left() == []
        assert [fact.how for fact in server.facts(GenerationEnded)] == ["shutdown"]


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
