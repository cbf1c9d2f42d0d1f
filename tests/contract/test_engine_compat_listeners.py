"""Event listeners, one's own and other packages', get what stock supervisord sends them."""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from crewd.model.spec import RestartMode, RestartPolicy
from harness import EDITIONS, Program, Section, Supervisord, misbehave, wait_for
from harness.workers import worker as other

AT_ONCE = RestartPolicy(RestartMode.NO, start_success_sec=0)
CAPTURED = "<!--XSUPERVISOR:BEGIN-->hello<!--XSUPERVISOR:END-->"


def listener(server: Supervisord, name: str, events: str, *wishes: str) -> Section:
    """An event listener that writes what it hears into ``<name>.events``.

    Each has a priority of its own: supervisor gives a rejected event back to every listener of the same priority.
    """
    command = other("listener.py", server.path(f"{name}.events"), *wishes)
    options = {"command": " ".join(command), "events": events, "buffer_size": "1000", "startsecs": "0"}
    options["priority"] = str(-sum(name.encode()))
    logs = {"stdout_logfile": "NONE", "stderr_logfile": server.path(f"{name}.err")}
    return Section(f"eventlistener:{name}", {**options, **logs})


def heard(server: Supervisord, name: str) -> list[dict[str, Any]]:
    """Return the events that a listener wrote down, each whole line one."""
    return [json.loads(line) for line in server.read(f"{name}.events").split("\n")[:-1]]


def states_of(server: Supervisord, name: str, process: str) -> list[str]:
    """Return the state events of one process, as words."""
    found = (event for event in heard(server, name) if event["header"].get("processname") == process)
    return [event["name"].removeprefix("PROCESS_STATE_") for event in found]


def starts_of(server: Supervisord, process: str) -> list[float]:
    """Return when supervisord says that it spawned a process, in unix seconds."""
    lines = server.log().splitlines()
    stamps = [line[:23] for line in lines if f"spawned: '{process}'" in line]
    return [datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").timestamp() for stamp in stamps]


def spawned(server: Supervisord, process: str) -> list[int]:
    """Return the pids that supervisord says that a process had: whoever asks may come after its end."""
    return [int(pid) for pid in re.findall(rf"spawned: '{process}' with pid (\d+)", server.log())]


def sections(server: Supervisord) -> list[Section]:
    """One listener for each test."""
    return [
        listener(server, "states", "PROCESS_STATE"),
        listener(server, "busy", "PROCESS_STATE", "busy=0.02"),
        listener(server, "rejecting", "PROCESS_STATE_RUNNING", "reject=2"),
        listener(server, "dying", "PROCESS_STATE_RUNNING", "die=1"),
        listener(server, "ticks", "TICK_5"),
        listener(server, "remote", "REMOTE_COMMUNICATION"),
        listener(server, "captured", "PROCESS_COMMUNICATION_STDOUT"),
        listener(server, "printed", "PROCESS_LOG_STDOUT"),
        listener(server, "groups", "PROCESS_GROUP"),
        crashmail(server),
    ]


def crashmail(server: Supervisord) -> Section:
    """superlance's listener, which writes a mail for every process that ends when it should not."""
    command = f"{sys.executable} -m superlance.crashmail -a -m crew@example.com -s 'cat >>{server.path('mails')}'"
    options = {"command": command, "events": "PROCESS_STATE_EXITED", "stdout_logfile": "NONE", "buffer_size": "1000"}
    return Section("eventlistener:crashmail", {**options, "stderr_logfile": server.path("crashmail.err")})


def programs() -> list[Program]:
    """What the listeners hear of."""
    capture = {"stdout_capture_maxbytes": "1000"}
    return [
        Program("steady-0", ("/bin/sleep", "1000"), policy=AT_ONCE),
        Program("cycled-0", ("/bin/sleep", "1000"), policy=AT_ONCE, autostart=False),
        Program("many-0", ("/bin/sleep", "1000"), policy=AT_ONCE, autostart=False),
        Program("again-0", ("/bin/sleep", "1000"), policy=AT_ONCE, autostart=False),
        Program("clean-0", misbehave("sleep=0.3", "exit=0"), policy=AT_ONCE, autostart=False),
        Program("mailed-0", misbehave("sleep=0.3", "exit=1"), policy=AT_ONCE, autostart=False),
        Program("unmailed-0", misbehave("sleep=0.3", "exit=0"), policy=AT_ONCE, autostart=False),
        Program("dirty-0", misbehave("sleep=0.3", "exit=1"), policy=AT_ONCE, autostart=False),
        Program("speaker-0", misbehave(f"print={CAPTURED}", "pause"), policy=AT_ONCE, autostart=False, options=capture),
        Program(
            "printer-0",
            misbehave("print=words", "pause"),
            policy=AT_ONCE,
            autostart=False,
            options={"stdout_events_enabled": "true"},
        ),
    ]


@pytest.fixture(scope="module", params=EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """One supervisord with a listener for each test."""
    with Supervisord(request.param, start=False) as server:
        server.boot(programs(), sections(server))
        yield server


def test_a_listener_hears_every_step_of_a_life(server: Supervisord):
    """Started and stopped by hand: the steps in order, each once."""
    server.rpc.supervisor.startProcess("cycled-0")
    server.wait_executed("cycled-0", "sleep")
    server.rpc.supervisor.stopProcess("cycled-0")
    wait_for(lambda: "STOPPED" in states_of(server, "states", "cycled-0"), what=lambda: heard(server, "states"))

    assert states_of(server, "states", "cycled-0") == ["STARTING", "RUNNING", "STOPPING", "STOPPED"]


def test_a_listener_hears_how_a_program_ended(server: Supervisord):
    """EXITED says whether it was expected, and gives the pid."""
    for name in ("clean-0", "dirty-0"):
        server.rpc.supervisor.startProcess(name)
        wait_for(lambda name=name: "EXITED" in states_of(server, "states", name), what=f"the end of {name}")
    exits = [event for event in heard(server, "states") if event["name"] == "PROCESS_STATE_EXITED"]
    ends = [event for event in exits if event["header"]["processname"] in ("clean-0", "dirty-0")]
    expected = {event["header"]["processname"]: event["header"]["expected"] for event in ends}

    assert expected == {"clean-0": "1", "dirty-0": "0"}
    assert all(int(event["header"]["pid"]) > 0 for event in ends)


def test_another_packages_listener_hears_of_crashes(server: Supervisord):
    """superlance's crashmail: each crash once, with its pid, and no clean end."""
    pids: list[int] = []
    for name in ("mailed-0", "unmailed-0", "mailed-0"):
        server.rpc.supervisor.startProcess(name, False)
        server.wait_state(name, "EXITED")
        pids.append(spawned(server, name)[-1])
    wait_for(lambda: server.read("mails").count("mailed-0 crashed") == 2, what=lambda: server.read("crashmail.err"))
    mails = server.read("mails")

    assert [f"Process mailed-0 in group mailed-0 exited unexpectedly (pid {pid})" in mails for pid in pids[::2]] == [
        True,
        True,
    ]
    assert "unmailed-0" not in mails
    assert server.state("crashmail") == "RUNNING"


def test_a_slow_listener_misses_nothing(server: Supervisord):
    """What it has no time for waits in its buffer."""
    for _ in range(5):
        server.rpc.supervisor.startProcess("many-0")
        server.wait_executed("many-0", "sleep")
        server.rpc.supervisor.stopProcess("many-0")
    life = ["STARTING", "RUNNING", "STOPPING", "STOPPED"]
    # all that the others do stands in the queue before it
    wait_for(
        lambda: len(states_of(server, "busy", "many-0")) == 20, 60, what=lambda: states_of(server, "busy", "many-0")
    )

    assert states_of(server, "busy", "many-0") == life * 5


def test_a_rejected_event_comes_again(server: Supervisord):
    """After FAIL the same event, until it is taken."""
    wait_for(lambda: len(heard(server, "rejecting")) >= 3, what=lambda: heard(server, "rejecting"))
    events = heard(server, "rejecting")
    counts = [sum(1 for event in events if event["serial"] == serial) for serial in {e["serial"] for e in events}]

    assert max(counts) > 1


def test_a_listener_that_dies_is_started_again(server: Supervisord):
    """And gets the event that it had not answered."""
    wait_for(lambda: len({event["pid"] for event in heard(server, "dying")}) >= 2, 60, lambda: heard(server, "dying"))
    serials = [event["serial"] for event in heard(server, "dying")]

    assert len(serials) > len(set(serials))


def test_a_listener_that_dies_at_once_floods_nobody(server: Supervisord):
    """It is started once a second at most; supervisor's own loop, which anything wakes, promises nothing."""
    wait_for(lambda: len({event["pid"] for event in heard(server, "dying")}) >= 3, 60, lambda: heard(server, "dying"))
    least = 0.5 if server.edition.engine else 0.0  # a line of the log may be late
    times = starts_of(server, "dying")

    assert len(times) >= 3
    assert all(later - earlier >= least for earlier, later in pairwise(times))


def test_a_listener_that_is_killed_is_started_again(server: Supervisord):
    """Its group is restarted by supervisord alone, and it hears again."""
    before = wait_for(lambda: server.pid_of("groups"))
    os.kill(before, signal.SIGKILL)

    assert server.wait_new_pid("groups", before)


def test_ticks_come(server: Supervisord):
    """TICK_5 within its five seconds, though nothing else happens."""
    wait_for(lambda: [event["name"] for event in heard(server, "ticks")], 30, "a tick")

    assert heard(server, "ticks")[0]["name"] == "TICK_5"


def test_remote_events_are_passed_on(server: Supervisord):
    """sendRemoteCommEvent."""
    server.rpc.supervisor.sendRemoteCommEvent("kind", "data")
    wait_for(lambda: heard(server, "remote"))

    assert heard(server, "remote")[0]["payload"] == "data"


def test_captured_output_is_an_event(server: Supervisord):
    """What stands between the two tokens."""
    server.rpc.supervisor.startProcess("speaker-0")
    wait_for(lambda: heard(server, "captured"))

    assert heard(server, "captured")[0]["payload"] == "hello"


def test_output_is_an_event_where_it_is_enabled(server: Supervisord):
    """stdout_events_enabled, without any log."""
    server.rpc.supervisor.startProcess("printer-0")
    wait_for(lambda: heard(server, "printed"))

    assert heard(server, "printed")[0]["payload"] == "words\n"


def test_a_listener_is_stopped_and_started_by_hand(server: Supervisord):
    """As any other program."""
    before = server.pid_of("remote")
    answer = server.supervisorctl("restart", "remote")

    assert answer.stdout == "remote: stopped\nremote: started\n"
    assert server.pid_of("remote") not in (0, before)
