"""Traps for an engine inside supervisord: stale descriptors, spinning, leaks over reloads, lost wake-ups."""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from xmlrpc.client import dumps, loads

import pytest

from crewd.model.facts import Exited, GenerationBegan, Spawned, Starting
from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Mode, Program, Section, Supervisord, misbehave, shell, wait_for
from harness.audit import audit
from harness.sabotage import PLUGINS, saboteur
from harness.workers import WORKERS

AT_ONCE = RestartPolicy(restart_sec=0.0, start_success_sec=0.0, start_limit_burst=0)
NEVER = RestartPolicy(RestartMode.NO, start_success_sec=0.0)
SLEEP = ("/bin/sleep", "1000")
BESIDE = Section("rpcinterface:beside", {"supervisor.rpcinterface_factory": "beside:make_rpc"})


@pytest.fixture(params=ENGINE_EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """A supervisord for one test; its journal is audited, and no registration may be stale at the end."""
    with Supervisord(request.param, start=False, python_path=[WORKERS, PLUGINS]) as server:
        yield server
        audit(server.journal())


def descriptors(server: Supervisord) -> int:
    """Return how many descriptors supervisord holds."""
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def spent(server: Supervisord, for_sec: float) -> float:
    """Return the share of a core that supervisord uses while nothing happens."""
    before = server.cpu_sec()
    time.sleep(for_sec)  # the measurement itself
    return (server.cpu_sec() - before) / for_sec


def quick_sec(server: Supervisord) -> float:
    """Return what may lie between a death and the next start: far less than until the next tick, by our own loop."""
    return 0.2 if server.edition.mode is Mode.FAST else 1.5


def test_descriptors_are_reused_without_harm(server: Supervisord):
    """Rounds of deaths, with pipes, among clients that come and go: every line arrives, every descriptor comes back."""
    names = [f"w-{slot}" for slot in range(15)]
    talker = shell("echo up; echo down >&2; exec sleep 1000")
    logs = {name: {"stdout": server.path(f"{name}.out"), "stderr": server.path(f"{name}.err")} for name in names}
    server.boot([Program(name, talker, AT_ONCE, **logs[name]) for name in names])
    rounds = 6
    for number in range(1, rounds + 1):
        for name in names:
            wait_for(
                lambda name=name, n=number: server.read(f"{name}.out") == "up\n" * n, what=f"line {number} of {name}"
            )
            wait_for(lambda name=name, n=number: server.read(f"{name}.err") == "down\n" * n)
        if number == 1:
            server.rpc.supervisor.getState()
            held = descriptors(server)
        for name in names[::2] if number < rounds else ():
            os.kill(server.pid_of(name), signal.SIGKILL)
            server.connect().supervisor.getPID()
        for name in names[1::2] if number < rounds else ():
            server.rpc.supervisor.stopProcess(name)
            server.rpc.supervisor.startProcess(name)
    wait_for(lambda: descriptors(server) <= held, what="the descriptors to come back")
    server.check_health()


def test_a_start_that_reaps_leaves_nothing_stale(server: Supervisord):
    """supervisor.startProcess reaps by itself, in the middle of a pass: fifty workers with pipes that die at once."""
    programs = [Program(f"w-{slot}", ("/bin/true",), NEVER, autostart=False, stdout="AUTO") for slot in range(50)]
    server.boot(programs)
    for program in programs:
        server.rpc.supervisor.startProcess(program.name, False)
    for program in programs:
        server.wait_state(program.name, "EXITED")
    server.check_health()


def test_a_storm_is_followed_by_silence(server: Supervisord):
    """A hundred killed at once come back, and then supervisord rests."""
    names = [f"w-{slot}" for slot in range(100)]
    server.boot([Program(name, SLEEP, AT_ONCE) for name in names])
    wait_for(lambda: len(server.facts(Spawned)) == 100, 60, "all to be up")
    for name in names:
        server.wait_executed(name, "sleep")
    for pid in [server.pid_of(name) for name in names]:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(server.facts(Spawned)) == 200, 60, "all to be back")
    for name in names:
        server.wait_state(name, "RUNNING")

    assert spent(server, 1.0) < 0.05


def request(server: Supervisord, method: str) -> "socket.socket":
    """Send a request that waits in supervisord's socket, whatever supervisord is doing."""
    body = dumps((), method)
    head = f"POST /RPC2 HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(server.home.engine_socket)
    connection.sendall((head + body).encode())
    return connection


def answer(connection: "socket.socket") -> Any:
    """Return what was answered."""
    response = HTTPResponse(connection)
    response.begin()
    [value], _ = loads(response.read())
    return value


def test_an_rpc_is_answered_in_the_middle_of_a_storm(server: Supervisord):
    """Not behind it: all workers are dead before supervisord sees the first, and most come back after the answer."""
    names = [f"w-{slot}" for slot in range(300)]
    server.boot([Program(name, SLEEP, AT_ONCE) for name in names])
    wait_for(lambda: len(server.facts(Spawned)) == 300, 60, "all to be up")
    pids = [one["pid"] for one in server.crewd("status")["instances"]]
    server.signal(signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    with request(server, "crewd.status") as connection:
        server.signal(signal.SIGCONT)
        sequence = json.loads(answer(connection))["sequence"]
    wait_for(lambda: len(server.facts(Spawned)) == 600, 60, "all to be back")
    ended = [one.event.sequence < sequence for one in server.journal() if isinstance(one.event.fact, Exited)]
    spawned = [one.event.sequence > sequence for one in server.journal() if isinstance(one.event.fact, Spawned)]

    assert any(ended), "the storm had not begun"
    assert sum(spawned) > 100


def test_a_long_answer_leaves_in_large_pieces(server: Supervisord):
    """In supervisor's own 4096 bytes it costs its square: each piece copies all that is left."""
    log = Path(server.path("large.log"))
    log.write_text("x" * 1_000_000)
    program = Program("w-0", SLEEP, NEVER, stdout=str(log), options={"stdout_logfile_maxbytes": "0"})
    server.boot([program], [saboteur()])
    server.wait_state("w-0", "RUNNING")
    server.rpc.saboteur.watch("supervisor.medusa.asyncore_25:dispatcher.send")
    found = server.rpc.supervisor.readProcessStdoutLog("w-0", 0, 1_000_000)
    sent = server.rpc.saboteur.calls()

    assert found == "x" * 1_000_000
    assert 0 < sent < 20


@pytest.mark.parametrize("seconds", [0.6])
def test_a_worker_in_its_delay_costs_nothing(server: Supervisord, seconds: float):
    """Waiting for a restart, for a success and for a stop timeout is not polling."""
    late = RestartPolicy(restart_sec=600.0, start_success_sec=0.0)
    server.boot(
        [
            *(Program(f"late-{slot}", shell("exit 3"), late) for slot in range(10)),
            Program("early-0", SLEEP, RestartPolicy(start_success_sec=600.0)),
            Program("deaf-0", misbehave("ignore=TERM", "print=up", "pause"), NEVER, stdout=server.path("deaf.log")),
        ]
    )
    wait_for(lambda: server.read("deaf.log") == "up\n")
    server.rpc.supervisor.stopProcess("deaf-0", False)
    server.wait_state("late-9", "BACKOFF")
    share = spent(server, seconds)

    assert share < 0.15
    server.change("deaf-0", timeout_stop_sec=0.1)


def test_reloads_leak_nothing(server: Supervisord):
    """After five SIGHUPs supervisord holds what it held after the first, and one engine is at work."""
    server.boot([Program("w-0", SLEEP, AT_ONCE, stdout="AUTO")])
    held: list[int] = []
    for _ in range(5):
        server.wait_state("w-0", "RUNNING")
        server.reload()
        server.wait_executed("w-0", "sleep")
        held.append(descriptors(server))
        # what was asked before may have to be hung up yet
        wait_for(lambda: descriptors(server) <= held[0], what=lambda: f"{descriptors(server)}: {held}")

    assert len(server.facts(GenerationBegan)) == 6


def test_a_reload_keeps_the_wake_up(server: Supervisord):
    """A death after a SIGHUP is noticed at once, not at the next tick: most times at least, on a busy machine."""
    server.boot([Program("w-0", SLEEP, AT_ONCE)])
    server.wait_state("w-0", "RUNNING")
    server.reload()
    took: list[float] = []
    for _ in range(9):
        before = server.wait_executed("w-0", "sleep")
        began = time.monotonic()
        os.kill(before, signal.SIGKILL)
        server.wait_new_pid("w-0", before)
        took.append(time.monotonic() - began)

    assert sorted(took)[5] < quick_sec(server), took


def test_signals_that_come_together_are_all_heard(server: Supervisord):
    """Deaths, SIGUSR2 and then TERM in one moment."""
    names = [f"w-{slot}" for slot in range(10)]
    server.boot([Program(name, SLEEP, AT_ONCE) for name in names])
    pids = [server.wait_executed(name, "sleep") for name in names]
    os.rename(server.home.supervisord_log, server.path("old.log"))
    server.signal(signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    server.signal(signal.SIGUSR2)
    server.signal(signal.SIGCONT)
    wait_for(lambda: len(server.facts(Spawned)) == 20, what="all to be back")
    wait_for(lambda: os.path.exists(server.home.supervisord_log), what="the new log")
    status = server.stop()

    assert status == 0
    assert server.workers_left() == []


def test_a_start_of_many_answers_at_once(server: Supervisord):
    """crewd.start queues: the answer does not wait for a hundred spawns, and others are answered meanwhile."""
    names = [f"w-{slot}" for slot in range(100)]
    server.boot([Program(name, SLEEP, NEVER, autostart=False) for name in names])
    longest: list[float] = []
    for count in (100, 200, 300):  # once at least: a machine may stand still at any time
        began = time.monotonic()
        answer = server.crewd("start", names, "test")
        longest.append(time.monotonic() - began)
        while len(server.facts(Spawned)) < count:
            began = time.monotonic()
            server.rpc.supervisor.getState()
            longest[-1] = max(longest[-1], time.monotonic() - began)

        assert set(answer) == set(names)
        server.crewd("stop", names, "test")
        wait_for(lambda: {one["process_state"] for one in server.crewd("status")["instances"]} == {"STOPPED"})
    assert min(longest) < 0.5, longest


def test_a_shutdown_is_swift(server: Supervisord):
    """Twenty priorities, nobody slow: no second is waited for."""
    server.boot([Program(f"w-{slot}", SLEEP, AT_ONCE, priority=slot) for slot in range(20)])
    for slot in range(20):
        server.wait_executed(f"w-{slot}", "sleep")
    began = time.monotonic()
    server.stop(90)
    took = time.monotonic() - began

    assert took < (15.0 if server.edition.mode is Mode.FAST else 50.0)


def test_a_spawn_is_announced_before_it_is_done(server: Supervisord):
    """Starting comes before the pid is known, Spawned after: for every token, in this order."""
    server.boot([Program("w-0", shell("exit 3"), RestartPolicy(restart_sec=0.0, start_success_sec=0.0))])
    server.wait_state("w-0", "FATAL")
    words = [(type(fact), fact.token) for fact in server.history("w-0") if isinstance(fact, Starting | Spawned)]
    tokens = [token for kind, token in words if kind is Starting]

    assert words == [pair for token in tokens for pair in ((Starting, token), (Spawned, token))]


def test_garbage_is_collected_again(server: Supervisord):
    """It is not while the configuration is parsed."""
    server.boot([Program("w-0", SLEEP, NEVER)], [BESIDE])
    server.wait_state("w-0", "RUNNING")

    assert server.rpc.beside.collects() is True


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
@pytest.mark.parametrize(
    "launch",
    [["-c", "from supervisor.supervisord import main; main()"], ["-m", "supervisor.supervisord"]],
    ids=["script", "module"],
)
def test_the_engine_needs_no_entry_of_its_own(edition: Edition, launch: list[str]):
    """Plain supervisord with the plugin in its configuration: the same, though slower to start."""
    with Supervisord(edition, start=False, launch=[sys.executable, *launch]) as server:
        server.boot([Program("w-0", SLEEP, AT_ONCE)])
        before = server.wait_executed("w-0", "sleep")
        os.kill(before, signal.SIGKILL)

        assert server.wait_new_pid("w-0", before)
        audit(server.journal())
