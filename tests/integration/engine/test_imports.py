"""An engine that runs needs no file of its own code any more: a package's upgrade may replace them under it."""

import base64
import contextlib
import http.client
import os
import shlex
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.client import Fault, ProtocolError, ServerProxy

import pytest

from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Program, Section, Supervisord, misbehave, shell, wait_for
from harness.ports import free_port
from harness.sabotage import PLUGINS, saboteur
from harness.workers import WORKERS, worker

AT_ONCE = RestartPolicy(RestartMode.ALWAYS, restart_sec=0.05, start_success_sec=0, start_limit_burst=0)
NEVER = RestartPolicy(RestartMode.NO, start_success_sec=0)
NOBODY = ("/usr/bin/setpriv", "--reuid=nobody", "--regid=nogroup", "--init-groups", "--")
SLEEP = ("/bin/sleep", "1000")
PASSWORD = base64.b64encode(b"operator:secret").decode()


@pytest.fixture(params=ENGINE_EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Supervisord, int]]:
    """A supervisord with a worker of each kind, that writes down what it imports; and its TCP port."""
    port = free_port()
    inet = Section("inet_http_server", {"port": f"127.0.0.1:{port}", "username": "operator", "password": "secret"})
    with Supervisord(request.param, start=False, python_path=[WORKERS, PLUGINS]) as server:
        listener = {"command": shlex.join(worker("listener.py", server.path("heard"))), "events": "EVENT"}
        beside = {"supervisor.rpcinterface_factory": "beside:make_rpc", "imports": server.path("imports")}
        sections = [saboteur(), inet, Section("eventlistener:hears", listener), Section("rpcinterface:beside", beside)]
        server.boot(_programs(server), sections)
        server.wait_state("steady-0", "RUNNING")
        server.healthy = False  # faults are made in it on purpose
        yield server, port


def _programs(server: Supervisord) -> list[Program]:
    return [
        Program("steady-0", SLEEP, AT_ONCE, stdout=server.path("steady.log"), stdin_null=False),
        Program("crashing-0", misbehave("sleep=0.1", "exit=3"), AT_ONCE, stdout=server.path("crashing.log")),
        Program(
            "talking-0", shell("while echo 'größer \\377'; do sleep 0.05; done"), NEVER, stdout=server.path("talk")
        ),
        Program("elsewhere-0", SLEEP, NEVER, directory="/", umask=0o27),
        Program("nobody-0", (*NOBODY, "/nonexistent/program"), NEVER, setpriv=True),
        Program("missing-0", ("/nonexistent/program",), NEVER),
        Program("user-0", SLEEP, NEVER, options={"user": "nobody"}),
    ]


@pytest.mark.smoke
def test_nothing_is_imported_any_more_once_it_is_ready(server: tuple[Supervisord, int]):
    """Whatever is asked of it, whatever its workers do, through a reload and to its end."""
    one, port = server
    _be_called(one)
    _be_asked_over_tcp(port)
    _be_read(one)
    _supervise(one)
    _change(one)
    _fail(one)
    one.reload()
    _be_called(one)
    _supervise(one)
    one.stop()

    assert sorted(set(one.read("imports").split())) == []


def _be_called(one: Supervisord) -> None:
    """Each method that there is, wrongly and as meant."""
    for name in one.rpc.system.listMethods():
        if name not in {"supervisor.shutdown", "supervisor.restart"} and not name.startswith(("beside", "saboteur")):
            for arguments in ((), ("steady-0",), (["steady-0"],), ("steady-0", 0, 100), ("none", 1, 2, 3)):
                with contextlib.suppress(Fault, ProtocolError):
                    getattr(one.rpc, name)(*arguments)
    one.apply(one.programs.values())  # some of that stopped or removed it
    one.crewd("start", list(one.programs))
    one.wait_state("steady-0", "RUNNING")
    one.rpc.system.multicall([{"methodName": "crewd.version", "params": []}, {"methodName": "nothing", "params": []}])
    one.rpc.supervisor.sendProcessStdin("steady-0", "grüße\n")
    one.rpc.supervisor.sendRemoteCommEvent("kind", "größer")
    one.rpc.crewd.acknowledge(one.crewd("version")["generation"], 1)


def _be_asked_over_tcp(port: int) -> None:
    """The web page with each of its actions; what is forbidden; what is no request."""
    for path in ("/", "/index.html?action=refresh", "/tail.html?processname=talking-0", "/stylesheets/supervisor.css"):
        for method in ("GET", "HEAD", "PUT"):
            for headers in ({}, {"Authorization": f"Basic {PASSWORD}"}, {"Authorization": "Basic ?"}):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request(
                    method, path, headers=headers | {"If-Modified-Since": "Thu, 26 Nov 2026 10:00:00 GMT"}
                )
                connection.getresponse().read()
    for text in (
        b"nonsense\r\n\r\n",
        b"POST /RPC2 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /%ff HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(text)
            client.settimeout(0.3)
            with contextlib.suppress(TimeoutError, ConnectionError):
                client.recv(1000)
    ServerProxy(f"http://operator:secret@127.0.0.1:{port}").supervisor.getAllProcessInfo()


def _be_read(one: Supervisord) -> None:
    """By supervisorctl: every verb that shows something, and a tail that is followed."""
    for verb in ("status", "version", "pid", "avail", "why steady-0", "history all", "restarts", "maintail", "reread"):
        one.supervisorctl(*verb.split())
    following = one.open_supervisorctl("followed", "tail", "-f", "talking-0")
    try:
        wait_for(lambda: "\\xff" in one.read("followed"), what="the tail")
    finally:
        following.kill()
        following.communicate()


def _supervise(one: Supervisord) -> None:
    """Crashes and restarts, stops by force, a worker killed, logs opened anew."""
    wait_for(lambda: one.standing("crashing-0")["restart_count"] > 2, what="restarts")
    before = one.wait_state("steady-0", "RUNNING")["pid"]
    os.kill(before, signal.SIGKILL)
    one.wait_new_pid("steady-0", before)
    one.crewd("restart", ["elsewhere"], "somebody", True)
    one.crewd("start", ["nobody", "missing"])
    one.crewd("stop", ["talking"])
    one.wait_state("talking-0", "STOPPED")
    one.crewd("start", ["talking"])
    one.signal(signal.SIGUSR2)
    wait_for(lambda: "reopened" in one.log() or "logreopen" in one.log(), what="logs opened anew")


def _change(one: Supervisord) -> None:
    """By an apply, by hand, by supervisorctl behind crewd's back."""
    one.change("elsewhere-0", directory="/tmp")
    one.apply([*one.programs.values(), Program("added-0", SLEEP, AT_ONCE, stdout=one.path("added.log"))])
    with contextlib.suppress(Fault):
        one.crewd("apply", "nothing")
    conf = Path(one.home.supervisord_conf)
    edited = conf.read_text().replace(
        "[program:added-0]\ncommand=/bin/sleep 1000", "[program:added-0]\ncommand=/bin/cat"
    )
    conf.write_text(f"{edited}\n[program:behind]\ncommand=/bin/sleep 1000\n")
    one.supervisorctl("update")
    assert one.crewd("version")["drift"]


def _fail(one: Supervisord) -> None:
    """A fault in the engine, which is noted with its traceback."""
    one.rpc.saboteur.sabotage("crewd_supervisord.engine:Engine.judge", 0, 1)
    wait_for(lambda: one.crewd("version")["faults"], what="a fault")
    one.rpc.saboteur.mend()
