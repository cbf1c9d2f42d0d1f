"""What a worker finds when it wakes: descriptors, signals, environment, directory, umask; and how spawns fail."""

import json
import os
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crewd.model.spec import RestartMode, RestartPolicy
from harness import EDITIONS, Mode, Program, Section, Supervisord, misbehave, shell, wait_for
from harness.workers import worker as other

AT_ONCE = RestartPolicy(RestartMode.NO, start_success_sec=0)
WATCHED = RestartPolicy(RestartMode.NO, start_limit_burst=1)
BROKEN_PIPE_AND_FILE_SIZE = 1 << 12 | 1 << 24
"""SIGPIPE and SIGXFSZ, which Python itself ignores and stock supervisord hands on."""
GLIBC_INTERNAL = 1 << 31 | 1 << 32
"""Signals 32 and 33, which posix_spawn leaves ignored; nobody else can use them."""

VARIANTS: dict[str, dict[str, Any]] = {
    "bare": {},
    "directory": {"directory": "/usr"},
    "umask": {"umask": 0o077},
    "stdin": {"stdin_null": False},
    "logged": {"stdout": "AUTO", "stderr": "AUTO"},
    "merged": {"stdout": "AUTO", "options": {"redirect_stderr": "true"}},
    "everything": {"directory": "/usr", "umask": 0o027, "stdin_null": False, "stdout": "AUTO", "stderr": "AUTO"},
}


def programs(server: Supervisord) -> list[Program]:
    """For each way to be spawned, one that reports and one that shows its signals."""
    found: list[Program] = []
    for name, settings in VARIANTS.items():
        report = misbehave(f"report={server.path(name)}", "pause")
        found.append(Program(f"{name}-0", report, policy=AT_ONCE, **settings))
        status = {**settings, "stdout": server.path(f"{name}.status")}
        found.append(Program(f"{name}-1", ("/bin/cat", "/proc/self/status"), policy=AT_ONCE, **status))
    script = Path(server.path("bad-interpreter"))
    script.write_text("#!/nonexistent/interpreter\n")
    script.chmod(0o755)
    spoken = {"PLAIN": "words", "EMPTY": "", "SIGNS": "a=b:c;d,e", "PATH": "/usr/bin:/bin"}
    later = {"policy": WATCHED, "autostart": False}
    return [
        *found,
        Program("spoken-0", misbehave(f"report={server.path('spoken')}", "pause"), policy=AT_ONCE, environment=spoken),
        Program(
            "huge-0",
            misbehave(f"report={server.path('huge')}", "pause"),
            policy=AT_ONCE,
            environment={f"HUGE_{number}": "x" * 100_000 for number in range(5)},
        ),
        Program("too-big-0", ("/bin/true",), environment={"HUGE": "x" * 200_000}, **later),
        Program("arguments-0", misbehave(f"report={server.path('arguments')}", "print= a  b ", "print=100%", "pause")),
        Program("nowhere-0", ("/bin/sleep", "1000"), directory="/nonexistent/directory", **later),
        Program("bad-interpreter-0", (str(script),), **later),
        Program("by-path-0", ("sleep", "1000"), policy=AT_ONCE),
    ]


@pytest.fixture(scope="module", params=EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """One supervisord for all tests here; descriptors of its own wait to be inherited by mistake."""
    with Supervisord(request.param, start=False) as server:
        server.boot(programs(server))
        yield server


def report(server: Supervisord, name: str) -> dict[str, Any]:
    """Return what the worker found."""
    wait_for(lambda: server.read(name), what=f"the report of {name}")
    return json.loads(server.read(name))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_worker_has_three_descriptors(server: Supervisord, name: str):
    """0, 1 and 2, and nothing of supervisord's."""
    assert sorted(report(server, name)["fds"]) == ["0", "1", "2"]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_worker_is_free_of_supervisords_signals(server: Supervisord, name: str):
    """Nothing blocked, nothing caught; and ignored no more than stock supervisord lets through."""
    shown = wait_for(lambda: server.read(f"{name}.status"))
    masks = dict(line.split(":\t") for line in shown.splitlines() if line.startswith("Sig") and "Q" not in line)
    blocked, ignored, caught = (int(masks[key], 16) for key in ("SigBlk", "SigIgn", "SigCgt"))

    assert (blocked, caught) == (0, 0)
    assert ignored & ~GLIBC_INTERNAL in {0, BROKEN_PIPE_AND_FILE_SIZE}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_worker_leads_its_own_group(server: Supervisord, name: str):
    """It is a child of supervisord, alone in a process group, in supervisord's session."""
    found = report(server, name)

    assert found["ppid"] == server.pid
    assert found["pgid"] == found["pid"] == server.pid_of(f"{name}-0")
    assert found["sid"] == os.getsid(server.pid)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_worker_starts_where_it_is_told(server: Supervisord, name: str):
    """Its directory and umask, or supervisord's."""
    found = report(server, name)
    settings = VARIANTS[name]

    assert found["cwd"] == settings.get("directory", os.readlink(f"/proc/{server.pid}/cwd"))
    assert found["umask"] == settings.get("umask", 0o022)


def test_standard_input_is_what_it_is_told(server: Supervisord):
    """A pipe; without the engine's own spawn always, though at its end where it is to be null."""
    assert report(server, "stdin")["fds"]["0"].startswith("pipe:")
    if server.edition.mode is Mode.FAST:
        assert report(server, "bare")["fds"]["0"] == "/dev/null"


def test_a_worker_gets_its_environment(server: Supervisord):
    """Its own variables over supervisord's, and supervisor's own four."""
    found = report(server, "spoken")["environ"]
    markers = {"SUPERVISOR_ENABLED", "SUPERVISOR_PROCESS_NAME", "SUPERVISOR_GROUP_NAME", "SUPERVISOR_SERVER_URL"}

    assert {key: found[key] for key in ("PLAIN", "EMPTY", "SIGNS", "PATH")} == {
        "PLAIN": "words",
        "EMPTY": "",
        "SIGNS": "a=b:c;d,e",
        "PATH": "/usr/bin:/bin",
    }
    assert found["LANG"] == "C.UTF-8"
    assert found["SUPERVISOR_PROCESS_NAME"] == found["SUPERVISOR_GROUP_NAME"] == "spoken-0"
    assert markers <= found.keys()


def test_a_huge_environment_arrives(server: Supervisord):
    """Half a megabyte."""
    found = report(server, "huge")["environ"]

    assert [len(found[f"HUGE_{number}"]) for number in range(5)] == [100_000] * 5


def test_an_environment_that_is_too_big_is_a_failed_start(server: Supervisord):
    """The kernel refuses it; start says so, and supervisord goes on."""
    answer = server.supervisorctl("start", "too-big-0")

    assert answer.stdout == "too-big-0: ERROR (spawn error)\n"
    assert server.wait_state("too-big-0", "FATAL", "EXITED")


def test_arguments_arrive_as_written(server: Supervisord):
    """Spaces and percent signs included."""
    assert report(server, "arguments")["argv"][2:4] == ["print= a  b ", "print=100%"]


@pytest.mark.parametrize("name", ["nowhere-0", "bad-interpreter-0"])
def test_what_cannot_be_executed_is_a_failed_start(server: Supervisord, name: str):
    """A directory or an interpreter that is not there: start says so, and nothing runs."""
    answer = server.supervisorctl("start", name)

    assert answer.stdout == f"{name}: ERROR (spawn error)\n"
    assert server.wait_state(name, "FATAL", "EXITED")["pid"] == 0


def test_a_command_without_a_path_is_searched(server: Supervisord):
    """In supervisord's PATH."""
    assert server.wait_state("by-path-0", "RUNNING")


def fastcgi(server: Supervisord, count: int) -> Section:
    """A FastCGI program of several processes on one socket."""
    return Section(
        "fcgi-program:cgi",
        {
            "command": shlex.join(other("fastcgi.py")),
            "socket": f"unix://{server.path('cgi.sock')}",
            "socket_mode": "0700",
            "process_name": "%(program_name)s_%(process_num)s",
            "numprocs": str(count),
            "startsecs": "0",
            "autorestart": "true",
            "stdout_logfile": "NONE",
            "stderr_logfile": "NONE",
        },
    )


def ask(server: Supervisord) -> int:
    """Return the pid of whoever answers on the FastCGI socket."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(10)
        caller.connect(server.path("cgi.sock"))
        return int(caller.recv(100))


@pytest.mark.parametrize("edition", EDITIONS)
def test_fastcgi_programs_share_a_socket(edition: Any):
    """It is their descriptor 0; who is killed is replaced; the socket goes with the last of them."""
    with Supervisord(edition, start=False) as server:
        server.boot([Program("worker-0", ("/bin/sleep", "1000"), policy=AT_ONCE)], [fastcgi(server, 2)])
        pids = {server.wait_state(f"cgi:cgi_{number}", "RUNNING")["pid"] for number in range(2)}

        assert ask(server) in pids

        for number in range(2):
            before = server.pid_of(f"cgi:cgi_{number}")
            os.kill(before, 9)
            server.wait_new_pid(f"cgi:cgi_{number}", before)

        assert ask(server) in {server.pid_of(f"cgi:cgi_{number}") for number in range(2)}

        server.supervisorctl("stop", "cgi:*")

        with pytest.raises(ConnectionRefusedError):
            ask(server)

        server.supervisorctl("start", "cgi:*")

        assert ask(server) in {server.pid_of(f"cgi:cgi_{number}") for number in range(2)}


@pytest.mark.parametrize("edition", EDITIONS)
def test_programs_start_by_priority(edition: Any):
    """Low numbers first."""
    order = [("late-0", 30), ("early-0", 10), ("middle-0", 20)]
    with Supervisord(edition, start=False) as server:
        server.boot([Program(name, ("/bin/sleep", "1000"), policy=AT_ONCE, priority=at) for name, at in order])
        for name, _ in order:
            server.wait_state(name, "RUNNING")
        spawned = [line.split("'")[1] for line in server.log().splitlines() if "spawned: '" in line]

    assert spawned == ["early-0", "middle-0", "late-0"]


@pytest.mark.parametrize("level", ["debug", "blather"])
@pytest.mark.parametrize("edition", EDITIONS)
def test_a_talkative_log_works(edition: Any, level: str):
    """What a worker prints is in supervisord's log too, and workers are restarted all the same."""
    with Supervisord(edition, start=False, settings={"loglevel": level}) as server:
        talker = Program(
            "talker-0", shell("echo words; exec sleep 1000"), policy=AT_ONCE, stdout=server.path("talker.log")
        )
        server.boot([talker])
        wait_for(lambda: server.read("talker.log") == "words\n")
        before = server.pid_of("talker-0")
        server.supervisorctl("restart", "talker-0")

        assert server.pid_of("talker-0") not in (0, before)
        assert "words" in server.log()
