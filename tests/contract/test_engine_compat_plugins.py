"""Somebody else's plugin in the same supervisord gets all that stock supervisord would give it."""

import os
import signal
from collections.abc import Iterator

import pytest

from crewd.model.spec import RestartMode, RestartPolicy
from harness import EDITIONS, Program, Section, Supervisord, misbehave, wait_for
from harness.workers import WORKERS

AT_ONCE = RestartPolicy(RestartMode.NO, start_success_sec=0)
SLEEP = ("/bin/sleep", "1000")
BESIDE = [
    Section("rpcinterface:beside", {"supervisor.rpcinterface_factory": "beside:make_rpc"}),
    Section("ctlplugin:beside", {"supervisor.ctl_factory": "beside:make_verbs"}),
]


@pytest.fixture(scope="module", params=EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """A supervisord with the other plugin, loaded after the engine where there is one."""
    with Supervisord(request.param, start=False, python_path=[WORKERS]) as server:
        server.boot(
            [
                Program("cycled-0", SLEEP, policy=AT_ONCE, autostart=False),
                Program("dirty-0", misbehave("sleep=0.3", "exit=1"), policy=AT_ONCE, autostart=False),
                Program("host-0", SLEEP, policy=AT_ONCE),
            ],
            BESIDE,
        )
        server.wait_state("host-0", "RUNNING")
        yield server


def test_it_answers(server: Supervisord):
    """Beside supervisor's own methods."""
    assert server.rpc.beside.ping() == "pong"


def test_its_verb_works(server: Supervisord):
    """In supervisorctl, beside ours."""
    assert server.supervisorctl("beside", "hello").stdout == "beside says pong hello\n"


def test_it_may_answer_late(server: Supervisord):
    """NOT_DONE_YET: the answer comes soon after it is due, though nothing else happens."""
    assert server.rpc.beside.late(300) == "late"


def test_it_hears_every_state(server: Supervisord):
    """In the process, each step once and in order."""
    server.rpc.supervisor.startProcess("cycled-0")
    server.wait_executed("cycled-0", "sleep")
    server.rpc.supervisor.stopProcess("cycled-0")
    states = [word.removeprefix("PROCESS_STATE_") for word in server.rpc.beside.states("cycled-0")]

    assert states == ["STARTING", "RUNNING", "STOPPING", "STOPPED"]


def test_it_hears_a_final_end(server: Supervisord):
    """A program that is not to be restarted ends in EXITED, once."""
    server.rpc.supervisor.startProcess("dirty-0")
    wait_for(lambda: "PROCESS_STATE_EXITED" in server.rpc.beside.states("dirty-0"))
    states = [word.removeprefix("PROCESS_STATE_") for word in server.rpc.beside.states("dirty-0")]

    assert states == ["STARTING", "RUNNING", "EXITED"]


def test_what_it_adds_to_a_group_is_supervised(server: Supervisord):
    """A process added behind everybody's back is started, restarted by its own autorestart, and stopped."""
    server.rpc.beside.twiddle("host-0", "added", "/bin/sleep 1000")
    before = server.wait_state("host-0:added", "RUNNING")["pid"]
    os.kill(before, signal.SIGKILL)
    after = server.wait_new_pid("host-0:added", before)
    server.wait_executed("host-0:added", "sleep")
    stopped = server.supervisorctl("stop", "host-0:added")

    assert after != before
    assert stopped.stdout == "host-0:added: stopped\n"
