"""Stops that hold, others' callbacks that raise, starts that are owed: interleavings that are met in a storm alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crewd.model.facts import Exited, Judged, Spawned, Starting
from crewd.model.reasons import Verdict
from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Program, Section, Supervisord, misbehave, shell, stays, wait_for

SLEEP = ("/bin/sleep", "1000")
NEVER = RestartPolicy(RestartMode.NO, start_success_sec=0.05)
PATIENT = RestartPolicy(restart_sec=60.0, start_limit_burst=0)

RAISER = """
from supervisor import events

def make(supervisord):
    raised = []

    def callback(event):
        if event.process.config.name == "a-0" and not raised:
            raised.append(True)
            raise RuntimeError("somebody else's mistake")

    events.subscribe(events.ProcessStateExitedEvent, callback)
    return object()
"""


@pytest.fixture(params=ENGINE_EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """A supervisord that was not started yet."""
    edition: Edition = request.param
    with Supervisord(edition, start=False) as server:
        yield server


def at_once(server: Supervisord, *calls: tuple[Any, ...]) -> None:
    """Send several calls in one request: nothing is done between them."""
    server.rpc.system.multicall([{"methodName": name, "params": list(values)} for name, *values in calls])


def test_a_stop_takes_back_a_start_that_is_queued(server: Supervisord):
    """Asked for in the middle of a restart delay, and stopped before the queue got there."""
    server.boot([Program("a-0", shell("exit 1"), PATIENT)])
    server.wait_state("a-0", "BACKOFF")
    before = len(server.facts(Starting, "a-0"))
    at_once(server, ("crewd.start", ["a-0"]), ("crewd.stop", ["a-0"]))

    server.wait_state("a-0", "STOPPED")
    assert stays(lambda: len(server.facts(Starting, "a-0")) == before, 0.5)


def test_asked_for_twice_it_is_started_once(server: Supervisord):
    """A oneshot does not run twice."""
    server.boot([Program("a-0", shell("exit 0"), NEVER, autostart=False)])
    at_once(server, ("crewd.start", ["a-0"]), ("crewd.start", ["a-0"]))
    wait_for(lambda: server.facts(Exited, "a-0"))

    assert stays(lambda: len(server.facts(Spawned, "a-0")) == 1, 0.5)


@pytest.mark.parametrize("command", [("stop", "a-0"), ("stop", "all")], ids=["by-name", "all"])
def test_a_stop_during_an_apply_holds(server: Supervisord, command: tuple[str, str]):
    """The stop that a change began is the operator's from then on: nothing starts it again."""
    end = server.path("work/end")
    lingers = misbehave(f"lingers={end}", f"stamp={server.path('stamp')}", "pause")
    server.boot([Program("a-0", lingers, NEVER, timeout_stop_sec=60)])
    wait_for(lambda: server.read("stamp"), what="a-0 to be up")
    server.change("a-0", environment={"CHANGED": "1"})
    server.wait_state("a-0", "STOPPING")
    with server.open_supervisorctl("said", *command):  # it waits for the end
        wait_for(lambda: server.standing("a-0")["standing"] == "stopped", what="the stop to be the operator's")
        Path(end).touch()
    server.wait_state("a-0", "STOPPED")

    assert stays(lambda: server.state("a-0") == "STOPPED", 0.5)
    assert server.standing("a-0")["standing"] == "stopped"


def test_stop_all_reaches_starts_that_are_queued(server: Supervisord):
    """supervisor's own verb asks who runs; those that are about to are meant, too."""
    names = [f"a-{slot}" for slot in range(20)]
    server.boot([Program(name, SLEEP, NEVER, autostart=False) for name in names])
    at_once(server, ("crewd.start", ["a"]), ("supervisor.stopAllProcesses",))

    assert stays(lambda: not any(server.pid_of(name) for name in names), 0.7)


def test_a_callback_that_raises_loses_no_worker(server: Supervisord):
    """Another plugin fails while supervisor tells of the end: the worker comes back, and it is counted."""
    server.healthy = False
    folder = Path(server.path("others"))
    folder.mkdir()
    (folder / "raiser.py").write_text(RAISER)
    server._environment["PYTHONPATH"] = f"{folder}:{server._environment.get('PYTHONPATH', '')}"
    raiser = Section("rpcinterface:raiser", {"supervisor.rpcinterface_factory": "raiser:make"})
    always = RestartPolicy(RestartMode.ALWAYS, restart_sec=0.0, start_success_sec=0.05, start_limit_burst=0)
    server.boot([Program("a-0", shell("sleep 1.3; exit 3"), always)], [raiser])
    first = server.wait_state("a-0", "RUNNING")["pid"]

    assert server.wait_new_pid("a-0", first)
    assert server.crewd("version")["faults"] >= 1


def test_an_end_without_a_verdict_is_judged_at_the_next_boot(server: Supervisord):
    """supervisord was killed between ``exited`` and ``judged``: the delay holds, and the state is told."""
    server.boot([Program("a-0", shell("exit 1"), PATIENT)])
    server.wait_state("a-0", "BACKOFF")
    server.kill()
    [segment] = Path(server.home.journal).glob("*/*.jsonl")
    lines = segment.read_text().splitlines(keepends=True)
    cut = next(number for number, line in enumerate(lines) if json.loads(line)["type"] == "judged")
    segment.write_text("".join(lines[:cut]))
    before = len(server.facts(Starting, "a-0"))
    server.start()

    assert [fact.verdict for fact in server.facts(Judged, "a-0")] == [Verdict.RESTARTED]
    assert server.standing("a-0")["process_state"] == "BACKOFF"
    assert stays(lambda: len(server.facts(Starting, "a-0")) == before, 1.5)
