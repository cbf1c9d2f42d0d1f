"""Stops and starts by the engine: finer than seconds, never lost, and with an eye on what the worker leaves behind."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.client import Fault

import pytest

from crewd.model.facts import Commanded, Exited, Judged, Spawned, SpawnFailed, Starting
from crewd.model.reasons import Cause, Reason
from crewd.model.spec import KillMode, RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Mode, Program, Supervisord, misbehave, shell, stays, wait_for
from harness.audit import audit
from harness.processes import alive, environment_of, member

AT_ONCE = RestartPolicy(restart_sec=0.0, start_success_sec=0.0, start_limit_burst=0)
NEVER = RestartPolicy(RestartMode.NO, start_success_sec=0.0)
SLEEP = ("/bin/sleep", "1000")
NOBODY = ("/usr/bin/setpriv", "--reuid=nobody", "--regid=nogroup", "--init-groups", "--")
# the one that runs the tests may lie where nobody may not look
SYSTEM_PYTHON = "/usr/bin/python3"


def programs(server: Supervisord) -> list[Program]:
    """One program for each test."""

    def up(name: str, *actions: str) -> tuple[str, ...]:
        return misbehave(*actions, f"stamp={server.path(name)}.stamp", "pause")

    work = server.path("work")
    os.chmod(server.root, 0o755)  # so that nobody can write its report
    os.chmod(work, 0o777)
    hostile = {"QUOTES": "a\"b'c", "SPACES": " ;x #y ", "SIGNS": "100% %(here)s \\", "UMLAUT": "ä", "LINES": "a\tb"}
    return [
        Program("deaf-0", up("deaf", "ignore=TERM"), NEVER, timeout_stop_sec=0.3),
        Program("forced-0", up("forced", "ignore=TERM", "stay=1"), NEVER, timeout_stop_sec=3600.0),
        Program("cycled-0", SLEEP, NEVER, timeout_stop_sec=60.0, autostart=False),
        Program("commanded-0", SLEEP, AT_ONCE),
        Program("outside-0", SLEEP, NEVER),
        Program("mixed-0", up("mixed", "stay=2"), AT_ONCE),
        Program("mixed-1", up("mixed-1", "stay=2"), AT_ONCE),
        Program("process-0", up("process", "stay=2"), AT_ONCE, kill_mode=KillMode.PROCESS),
        Program("escaped-0", up("escaped", "escape=1"), AT_ONCE),
        Program("holding-0", misbehave("hold=600", f"stamp={server.path('holding')}.stamp", "pause"), AT_ONCE),
        Program(
            "held-0",
            misbehave("hold=600", f"stamp={server.path('held')}.stamp", "pause"),
            AT_ONCE,
            kill_mode=KillMode.PROCESS,
            stdout=server.path("held.log"),
        ),
        Program("slow-0", up("slow", f"lingers={work}/slow-0"), NEVER, timeout_stop_sec=60.0),
        Program("slow-1", up("slow-1", f"lingers={work}/slow-1"), NEVER, timeout_stop_sec=60.0),
        Program("slow-2", up("slow-2", f"lingers={work}/slow-2"), NEVER, timeout_stop_sec=60.0),
        Program("null-0", SLEEP, NEVER),
        Program("eof-0", misbehave("eof", "exit=5"), NEVER),
        Program("token-0", SLEEP, AT_ONCE),
        Program("environment-0", misbehave(f"report={work}/environment", "pause"), NEVER, table_environment=hostile),
        Program(
            "nobody-0",
            (*NOBODY, SYSTEM_PYTHON, *misbehave(f"report={work}/nobody", "pause")[1:]),
            NEVER,
            setpriv=True,
        ),
        Program("unable-0", (*NOBODY, "/nonexistent/program"), NEVER, setpriv=True),
        Program("own-127-0", (*NOBODY, "/bin/sh", "-c", "exit 127"), NEVER, setpriv=True),
        Program(
            "flooding-0",
            shell("yes | head -c 3000000; exit 3"),
            AT_ONCE,
            autostart=False,
            stdout=f"{work}/flood",
            options={"stdout_logfile_maxbytes": "0"},
        ),
        Program("forking-0", misbehave("fork", "fork", f"stamp={server.path('forking')}.stamp", "pause"), NEVER),
        Program("daemon-0", misbehave("daemonize", "pause"), NEVER, autostart=False),
    ]


@pytest.fixture(scope="module", params=ENGINE_EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """One supervisord for all tests here; at the end its whole journal is audited."""
    with Supervisord(request.param, start=False) as server:
        server.boot(programs(server))
        yield server
        audit(server.journal())


def up(server: Supervisord, name: str) -> None:
    """Wait until a worker has stamped its start."""
    wait_for(lambda: server.read(f"{name}.stamp"), what=f"{name} to be up")


def group_of(server: Supervisord, pid: int) -> list[int]:
    """Return the live members of a process group."""
    return sorted(one.pid for one in server.workers_left() if one.group == pid)


def test_a_stop_timeout_has_fractions(server: Supervisord):
    """0.3 s to the KILL, though the file can only say 1."""
    took: list[float] = []
    for _ in range(5):  # most times at least: the machine may stand still meanwhile
        up(server, "deaf")
        began = time.monotonic()
        server.rpc.supervisor.stopProcess("deaf-0")
        took.append(time.monotonic() - began)
        os.unlink(server.path("deaf.stamp"))
        server.rpc.supervisor.startProcess("deaf-0")
    ends = server.facts(Exited, "deaf-0")

    assert min(took) > 0.29, took
    assert sorted(took)[2] < 0.9, took
    assert {(ended.signal, ended.commanded) for ended in ends} == {(9, True)}


def test_force_kills_at_once(server: Supervisord):
    """A restart, and a stop that is under way; it is written down how it was asked for."""
    up(server, "forced")
    os.unlink(server.path("forced.stamp"))
    began = time.monotonic()
    server.crewd("restart", ["forced-0"], "somebody", True)
    wait_for(lambda: len(server.facts(Spawned, "forced-0")) == 2, what="the next one")
    up(server, "forced")
    server.crewd("stop", ["forced-0"], "somebody")
    server.wait_state("forced-0", "STOPPING")
    again = server.crewd("stop", ["forced-0"], "somebody", True)
    server.wait_state("forced-0", "STOPPED")

    assert time.monotonic() - began < 60
    assert again == {"forced-0": "already stopping"}
    assert [ended.signal for ended in server.facts(Exited, "forced-0")] == [9, 9]
    through = [one.through for one in server.facts(Commanded, "forced-0")]
    assert through == ["crewd, by force", "crewd", "crewd, by force"]
    with pytest.raises(Fault, match="INCORRECT_PARAMETERS"):
        server.crewd("stop", ["forced-0"], "somebody", "yes")


def test_no_term_is_lost(server: Supervisord):
    """A worker stopped right after its spawn hears it: none of two hundred waits for the KILL."""
    cycles = 200 if server.edition.mode is Mode.FAST else 60
    slow: list[float] = []
    for _ in range(cycles):
        server.rpc.supervisor.startProcess("cycled-0")
        began = time.monotonic()
        server.rpc.supervisor.stopProcess("cycled-0")
        took = time.monotonic() - began
        slow += [took] if took > 30 else []
    ends = server.facts(Exited, "cycled-0")

    assert slow == []
    assert len(ends) == cycles
    assert {end.signal for end in ends} == {signal.SIGTERM}


def test_a_commanded_stop_gets_no_verdict(server: Supervisord):
    """It is written down who asked, and nothing is judged."""
    server.wait_executed("commanded-0", "sleep")
    server.crewd("stop", ["commanded-0"], "somebody")
    server.wait_state("commanded-0", "STOPPED")
    [commanded] = server.facts(Commanded, "commanded-0")

    assert commanded.verb == "stop"
    assert commanded.who == f"uid:{os.getuid()} pid:{os.getpid()} for somebody"
    assert server.facts(Judged, "commanded-0") == []
    assert server.standing("commanded-0")["standing"] == "stopped"


def test_supervisorctls_commands_are_written_down(server: Supervisord):
    """stop and start by supervisor.*, whoever called it."""
    server.supervisorctl("restart", "outside-0")

    assert [fact.verb for fact in server.facts(Commanded, "outside-0")] == ["stop", "start"]
    assert server.facts(Starting, "outside-0")[-1].cause is Cause.COMMAND


def test_what_is_left_of_the_group_is_killed_before_the_respawn(server: Supervisord):
    """kill_mode mixed: the members end with the main process, before the next one is there."""
    up(server, "mixed")
    before = server.pid_of("mixed-0")
    members = group_of(server, before)
    os.kill(before, signal.SIGKILL)
    server.wait_new_pid("mixed-0", before)

    assert len(members) == 3
    wait_for(lambda: group_of(server, before) == [])  # it is killed by then, but may not have died yet


def test_a_stop_ends_the_group_too(server: Supervisord):
    """kill_mode mixed: TERM to the main process, KILL to what is left."""
    up(server, "mixed-1")
    before = server.pid_of("mixed-1")
    server.rpc.supervisor.stopProcess("mixed-1")

    wait_for(lambda: group_of(server, before) == [])


def test_kill_mode_process_leaves_the_group(server: Supervisord):
    """Only the main process is crewd's."""
    up(server, "process")
    before = server.pid_of("process-0")
    os.kill(before, signal.SIGKILL)
    server.wait_new_pid("process-0", before)

    assert len(group_of(server, before)) == 2


def test_what_left_the_group_is_left(server: Supervisord):
    """A session of its own is out of reach, and no hindrance."""
    up(server, "escaped")
    before = server.pid_of("escaped-0")
    children = [one.pid for one in server.workers_left() if one.parent == before]
    os.kill(before, signal.SIGKILL)
    server.wait_new_pid("escaped-0", before)

    assert [alive(child) for child in children] == [True]


def test_held_pipes_do_not_delay_the_respawn(server: Supervisord):
    """A grandchild still holds the worker's stdout; the next worker writes to a pipe of its own."""
    up(server, "held")
    before = server.pid_of("held-0")
    os.kill(before, signal.SIGKILL)
    after = server.wait_new_pid("held-0", before)

    assert len(group_of(server, before)) == 1
    assert after != before


def test_a_flood_before_the_end_is_read_to_its_end(server: Supervisord):
    """Three megabytes, then death, and at once again: nothing of it is lost."""
    server.rpc.supervisor.startProcess("flooding-0", False)
    wait_for(lambda: len(server.facts(Exited, "flooding-0")) >= 2)
    server.rpc.supervisor.stopProcess("flooding-0")
    written = Path(server.path("work/flood")).stat().st_size
    whole = sum(fact.code == 3 for fact in server.facts(Exited, "flooding-0"))

    assert written >= whole * 3_000_000


def test_a_start_during_a_stop_starts_nothing_by_supervisorctl(server: Supervisord):
    """As in stock: an error, and the stop goes on."""
    up(server, "slow")
    stopping = server.open_supervisorctl("stop.out", "stop", "slow-0")
    server.wait_state("slow-0", "STOPPING")
    answer = server.supervisorctl("start", "slow-0")
    Path(server.path("work/slow-0")).touch()
    stopping.wait(60)

    assert answer.stdout == "slow-0: ERROR (abnormal termination)\n"
    assert server.wait_state("slow-0", "STOPPED")


def test_a_start_during_a_stop_waits_by_crewds_own_verb(server: Supervisord):
    """It is queued: the worker comes back when it has stopped."""
    up(server, "slow-1")
    before = server.pid_of("slow-1")
    server.crewd("stop", ["slow-1"], "test")
    server.crewd("start", ["slow-1"], "test")

    assert server.state("slow-1") == "STOPPING"

    Path(server.path("work/slow-1")).touch()

    assert server.wait_new_pid("slow-1", before)
    assert server.standing("slow-1")["standing"] == "up"


def test_a_stop_during_a_restart_wins(server: Supervisord):
    """restart, then stop before it has come back: it stays stopped."""
    up(server, "slow-2")
    server.crewd("restart", ["slow-2"], "test")
    server.crewd("stop", ["slow-2"], "test")
    Path(server.path("work/slow-2")).touch()
    server.wait_state("slow-2", "STOPPED")

    assert stays(lambda: server.state("slow-2") == "STOPPED", 0.4)
    assert len(server.facts(Starting, "slow-2")) == 1


def test_null_stdin_takes_no_input(server: Supervisord):
    """sendProcessStdin answers NO_FILE (20), and fg says so."""
    server.wait_state("null-0", "RUNNING")
    server.wait_state("null-0", "RUNNING")
    with pytest.raises(Fault) as refused:
        server.rpc.supervisor.sendProcessStdin("null-0", "hello\n")
    terminal = server.supervisorctl("fg", "null-0", stdin="hello\n", timeout=60)

    assert refused.value.faultCode == 20
    assert "NO_FILE" in terminal.stdout


def test_null_stdin_ends_at_once(server: Supervisord):
    """A worker that reads it gets the end of it."""
    wait_for(lambda: server.facts(Exited, "eof-0"))

    assert server.facts(Exited, "eof-0")[0].code == 5


def test_a_worker_knows_its_token(server: Supervisord):
    """CREWD_SPAWN in its environment is the token of its Starting and Spawned lines."""
    pid = server.wait_executed("token-0", "sleep")
    [started], [spawned] = server.facts(Starting, "token-0"), server.facts(Spawned, "token-0")
    found = member(pid)

    assert environment_of(pid)["CREWD_SPAWN"] == started.token == spawned.token
    assert (spawned.pid, found is not None) == (pid, True)


def test_the_tables_environment_reaches_the_worker(server: Supervisord):
    """Values that the configuration's format cannot carry."""
    wait_for(lambda: server.read("work/environment"))
    found = environment_of(server.pid_of("environment-0"))
    meant = server.programs["environment-0"].table_environment

    assert {key: found[key] for key in meant} == meant


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_worker_runs_as_somebody_else(server: Supervisord):
    """By setpriv: one process, no shell, and the report is its own."""
    report = wait_for(lambda: server.read("work/nobody"))

    assert '"uid": 65534' in report
    assert environment_of(server.pid_of("nobody-0"))["SUPERVISOR_PROCESS_NAME"] == "nobody-0"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_setprivs_own_failure_is_a_failed_spawn(server: Supervisord):
    """Not an exit of the program; and a program's own 127 is its own."""
    wait_for(lambda: server.facts(Judged, "unable-0"))
    wait_for(lambda: server.facts(Judged, "own-127-0"))
    [ended] = server.facts(Exited, "own-127-0")

    assert [fact.step for fact in server.facts(SpawnFailed, "unable-0")] == ["exec"]
    assert server.facts(Judged, "unable-0")[0].reason is Reason.SPAWN_FAILED
    assert (ended.code, ended.reason) == (127, Reason.EXIT_CODE)


def test_a_worker_that_forks_is_one_worker(server: Supervisord):
    """Its children are not counted, and end with it."""
    wait_for(lambda: server.read("forking.stamp").count("start") == 4)
    before = server.pid_of("forking-0")
    server.rpc.supervisor.stopProcess("forking-0")

    wait_for(lambda: group_of(server, before) == [])
    assert len(server.facts(Exited, "forking-0")) == 1


def test_a_worker_that_daemonizes_is_over(server: Supervisord):
    """The parent's clean exit is the end of it, as far as supervision goes."""
    server.rpc.supervisor.startProcess("daemon-0", False)
    server.wait_state("daemon-0", "EXITED")

    assert server.facts(Exited, "daemon-0")[0].reason is Reason.CLEAN_EXIT


def test_nobody_is_refused(server: Supervisord):
    """crewd.* names no such instance: BAD_NAME (10)."""
    for method in ("start", "stop", "restart", "reset_failed"):
        with pytest.raises(Fault) as refused:
            server.crewd(method, ["nobody-9"], "test")
        assert refused.value.faultCode == 10
