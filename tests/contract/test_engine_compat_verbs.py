"""supervisorctl's own verbs answer as in stock supervisord, with the engine's loop and with its fallback."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from crewd.model.spec import RestartMode, RestartPolicy
from harness import EDITIONS, Program, Section, Supervisord, misbehave, wait_for

AT_ONCE = RestartPolicy(RestartMode.NO, start_success_sec=0)
SLEEP = ("/bin/sleep", "1000")


def names_of(server: Supervisord) -> list[str]:
    """Return all process names."""
    return [info["name"] for info in server.rpc.supervisor.getAllProcessInfo()]


def programs(server: Supervisord) -> list[Program]:
    """One program for each test, so that no test disturbs another."""
    script = Path(server.path("not-executable"))
    script.write_text("#!/bin/sh\n")

    def program(name: str, argv: tuple[str, ...] = SLEEP, **settings: object) -> Program:
        return Program(name, argv, **{"policy": AT_ONCE, **settings})  # type: ignore[arg-type]

    return [
        program("steady-0"),
        program("idle-0", autostart=False),
        program("cycle-0"),
        program("again-0"),
        program("patient-0", policy=RestartPolicy(), autostart=False),
        program("signalled-0", misbehave("tell=USR1", "print=up", "pause"), stdout=server.path("signalled.log")),
        program("talker-0", misbehave("print=one", "error=two", "pause"), **_logs(server, "talker")),
        program("cleared-0", misbehave("print=one", "error=two", "pause"), **_logs(server, "cleared")),
        program("brief-0", ("/bin/false",), autostart=False, policy=RestartPolicy(RestartMode.NO, start_limit_burst=1)),
        program("missing-0", ("/nonexistent/program",), autostart=False),
        program("unexecutable-0", (str(script),), autostart=False),
        program("silent-0"),
    ]


def _logs(server: Supervisord, name: str) -> dict[str, str]:
    return {"stdout": server.path(f"{name}.out"), "stderr": server.path(f"{name}.err")}


MANY = Section(
    "program:many",
    {
        "command": "/bin/sleep 1000",
        "numprocs": "2",
        "process_name": "%(program_name)s_%(process_num)s",
        "startsecs": "0",
        "stdout_logfile": "NONE",
        "stderr_logfile": "NONE",
    },
)


@pytest.fixture(scope="module", params=EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """One supervisord for all tests here; each test has programs of its own."""
    with Supervisord(request.param, start=False) as server:
        server.boot(programs(server), [MANY])
        for name in ("steady-0", "cycle-0", "again-0", "silent-0", "many:many_0", "many:many_1"):
            server.wait_state(name, "RUNNING")
        yield server


def test_status_shows_a_running_program(server: Supervisord):
    """The line is stock's, and the exit status is 0."""
    shown = server.supervisorctl("status", "steady-0")

    assert shown.stdout.split()[:4] == ["steady-0", "RUNNING", "pid", f"{server.pid_of('steady-0')},"]
    assert shown.returncode == 0


def test_status_shows_a_program_that_was_never_started(server: Supervisord):
    """The exit status is 3: something is not running."""
    shown = server.supervisorctl("status", "idle-0")

    assert shown.stdout.split() == ["idle-0", "STOPPED", "Not", "started"]
    assert shown.returncode == 3


def test_status_lists_everything(server: Supervisord):
    """One line for each process, sorted as supervisord sorts them."""
    shown = server.supervisorctl("status").stdout.splitlines()

    assert sorted(line.split()[0].split(":")[-1] for line in shown) == sorted(names_of(server))


def test_status_of_nobody_is_an_error(server: Supervisord):
    """The exit status is 4."""
    shown = server.supervisorctl("status", "nobody")

    assert (shown.stdout, shown.returncode) == ("nobody: ERROR (no such process)\n", 4)


def test_a_program_is_stopped_and_started(server: Supervisord):
    """stop, stop again, start, start again: stock's words and exit statuses."""
    answers = [server.supervisorctl(verb, "cycle-0") for verb in ("stop", "stop", "start", "start")]

    assert [answer.stdout for answer in answers] == [
        "cycle-0: stopped\n",
        "cycle-0: ERROR (not running)\n",
        "cycle-0: started\n",
        "cycle-0: ERROR (already started)\n",
    ]
    assert [answer.returncode for answer in answers] == [0, 0, 0, 0]


def test_a_program_is_restarted(server: Supervisord):
    """Another process, and both halves are told."""
    before = server.wait_state("again-0", "RUNNING")["pid"]
    answer = server.supervisorctl("restart", "again-0")

    assert answer.stdout == "again-0: stopped\nagain-0: started\n"
    assert server.pid_of("again-0") not in (0, before)


def test_start_waits_until_the_start_has_succeeded(server: Supervisord):
    """With startsecs the answer comes when the program is RUNNING."""
    answer = server.supervisorctl("start", "patient-0")

    assert answer.stdout == "patient-0: started\n"
    assert server.state("patient-0") == "RUNNING"


def test_a_program_that_dies_at_once_is_a_spawn_error(server: Supervisord):
    """start waits for the success, and says that there was none."""
    answer = server.supervisorctl("start", "brief-0")

    assert (answer.stdout, answer.returncode) == ("brief-0: ERROR (spawn error)\n", 7)


def test_a_missing_program_is_no_such_file(server: Supervisord):
    """Nothing is spawned, and the state stays."""
    answer = server.supervisorctl("start", "missing-0")

    assert (answer.stdout, answer.returncode) == ("missing-0: ERROR (no such file)\n", 1)
    assert server.state("missing-0") == "STOPPED"


def test_a_file_that_is_not_executable_is_told(server: Supervisord):
    """Nothing is spawned, and the state stays."""
    answer = server.supervisorctl("start", "unexecutable-0")

    assert (answer.stdout, answer.returncode) == ("unexecutable-0: ERROR (file is not executable)\n", 1)
    assert server.state("unexecutable-0") == "STOPPED"


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_nobody_cannot_be_commanded(server: Supervisord, verb: str):
    """The name is checked first."""
    answer = server.supervisorctl(verb, "nobody")

    assert answer.stdout == "nobody: ERROR (no such process)\n"
    assert answer.returncode != 0


def test_a_signal_reaches_the_program(server: Supervisord):
    """signal USR1: the program itself says that it came."""
    wait_for(lambda: server.read("signalled.log") == "up\n")
    answer = server.supervisorctl("signal", "USR1", "signalled-0")
    wait_for(lambda: "got USR1" in server.read("signalled.log"))
    bad = server.supervisorctl("signal", "NOSUCH", "signalled-0")

    assert answer.stdout == "signalled-0: signalled\n"
    assert bad.stdout == "signalled-0: ERROR (bad signal name)\n"


def test_tail_shows_the_end_of_either_log(server: Supervisord):
    """stdout by default, stderr by name, and a number of bytes."""
    wait_for(lambda: (server.read("talker.out"), server.read("talker.err")) == ("one\n", "two\n"))

    assert server.supervisorctl("tail", "talker-0").stdout == "one\n\n"
    assert server.supervisorctl("tail", "talker-0", "stderr").stdout == "two\n\n"
    assert server.supervisorctl("tail", "-2", "talker-0").stdout == "e\n\n"
    assert server.supervisorctl("tail", "silent-0").stdout == "silent-0: ERROR (no log file)\n"


def test_clear_empties_both_logs(server: Supervisord):
    """The program is not touched."""
    wait_for(lambda: (server.read("cleared.out"), server.read("cleared.err")) == ("one\n", "two\n"))
    before = server.pid_of("cleared-0")
    answer = server.supervisorctl("clear", "cleared-0")

    assert answer.stdout == "cleared-0: cleared\n"
    assert server.read("cleared.out") == server.read("cleared.err") == ""
    assert server.pid_of("cleared-0") == before


def test_pid_names_supervisord_and_its_programs(server: Supervisord):
    """With no name, supervisord's; for a stopped program 0 and exit status 3."""
    stopped = server.supervisorctl("pid", "idle-0")

    assert server.supervisorctl("pid").stdout == f"{server.pid}\n"
    assert server.supervisorctl("pid", "steady-0").stdout == f"{server.pid_of('steady-0')}\n"
    assert (stopped.stdout, stopped.returncode) == ("0\n", 7)


def test_version_is_supervisors(server: Supervisord):
    """Not ours."""
    assert server.supervisorctl("version").stdout == f"{server.edition.version}\n"


def test_avail_lists_every_program(server: Supervisord):
    """In use, with its autostart and priorities."""
    lines = {line.split()[0]: line.split()[1:] for line in server.supervisorctl("avail").stdout.splitlines()}

    assert lines["steady-0"] == ["in", "use", "auto", "999:999"]
    assert lines["idle-0"] == ["in", "use", "manual", "999:999"]


def test_reread_finds_nothing_new(server: Supervisord):
    """What runs is what the file says."""
    assert server.supervisorctl("reread").stdout == "No config updates to processes\n"


def test_maintail_shows_supervisords_own_log(server: Supervisord):
    """Its last bytes."""
    assert server.supervisorctl("maintail", "-20").stdout.strip() != ""
    assert server.supervisorctl("maintail", "-100000").stdout.strip() in server.log()


def test_a_group_is_stopped_and_started_as_one(server: Supervisord):
    """A program of several processes, which the engine knows nothing of."""
    stopped = sorted(server.supervisorctl("stop", "many:*").stdout.splitlines())
    states = [server.state(f"many:many_{number}") for number in range(2)]
    started = sorted(server.supervisorctl("start", "many:*").stdout.splitlines())

    assert stopped == ["many:many_0: stopped", "many:many_1: stopped"]
    assert states == ["STOPPED", "STOPPED"]
    assert started == ["many:many_0: started", "many:many_1: started"]


def test_a_program_outside_the_policy_table_is_restarted_by_supervisord(server: Supervisord):
    """autorestart means what it always meant (here: unexpected)."""
    before = server.wait_state("many:many_0", "RUNNING")["pid"]
    server.rpc.supervisor.signalProcess("many:many_0", "KILL")

    assert server.wait_new_pid("many:many_0", before) != before


def test_help_lists_stocks_verbs(server: Supervisord):
    """Ours are beside them."""
    shown = server.supervisorctl("help").stdout.split()

    assert {"add", "avail", "clear", "fg", "maintail", "pid", "reload", "remove", "reread"} <= set(shown)
    assert {"restart", "shutdown", "signal", "start", "status", "stop", "tail", "update", "version"} <= set(shown)


@pytest.fixture(params=EDITIONS)
def lone(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """A supervisord for one test that changes all of it."""
    with Supervisord(request.param, start=False) as server:
        yield server


def guest(name: str, **options: str) -> Section:
    """A program outside the policy table."""
    defaults = {"command": "/bin/sleep 1000", "startsecs": "0", "stdout_logfile": "NONE", "stderr_logfile": "NONE"}
    return Section(f"program:{name}", {**defaults, **options})


def test_everything_is_stopped_and_started(lone: Supervisord):
    """stop all, start all: one line for each; a second stop has nothing to say."""
    names = [f"w{number}-0" for number in range(5)]
    lone.boot([Program(name, SLEEP, policy=AT_ONCE) for name in names])
    for name in names:
        lone.wait_executed(name, "sleep")
    stopped = lone.supervisorctl("stop", "all")
    again = lone.supervisorctl("stop", "all")
    states = {lone.state(name) for name in names}
    started = lone.supervisorctl("start", "all")

    assert sorted(stopped.stdout.splitlines()) == [f"{name}: stopped" for name in names]
    assert again.stdout == ""
    assert states == {"STOPPED"}
    assert sorted(started.stdout.splitlines()) == [f"{name}: started" for name in names]
    assert {lone.state(name) for name in names} == {"RUNNING"}


def test_guests_come_change_and_go_by_update(lone: Supervisord):
    """reread tells, update does, and the neighbours keep their processes."""
    worker = Program("worker-0", SLEEP, policy=AT_ONCE)
    lone.boot([worker], [guest("stays"), guest("changes"), guest("goes")])
    before = {name: lone.wait_state(name, "RUNNING")["pid"] for name in ("worker-0", "stays", "changes", "goes")}
    lone.sections = (guest("stays"), guest("changes", stopwaitsecs="3"), guest("comes"))
    lone.write()
    told = lone.supervisorctl("reread").stdout
    done = lone.supervisorctl("update").stdout
    now = {name: lone.wait_state(name, "RUNNING")["pid"] for name in ("worker-0", "stays", "changes", "comes")}

    assert told == "changes: changed\ncomes: available\ngoes: disappeared\n"
    assert sorted(done.splitlines()) == [
        "changes: stopped",
        "changes: updated process group",
        "comes: added process group",
        "goes: removed process group",
        "goes: stopped",
    ]
    assert (now["worker-0"], now["stays"]) == (before["worker-0"], before["stays"])
    assert now["changes"] != before["changes"]
    assert "goes" not in names_of(lone)


def test_a_guest_is_added_and_removed_by_name(lone: Supervisord):
    """add after reread; remove refuses while it runs."""
    lone.boot([], [])
    lone.sections = (guest("comes"),)
    lone.write()
    lone.supervisorctl("reread")

    assert lone.supervisorctl("add", "comes").stdout == "comes: added process group\n"

    lone.wait_state("comes", "RUNNING")

    assert lone.supervisorctl("add", "comes").stdout == "ERROR: process group already active\n"
    assert lone.supervisorctl("remove", "comes").stdout == "ERROR: process/group still running: comes\n"

    lone.supervisorctl("stop", "comes")

    assert lone.supervisorctl("remove", "comes").stdout == "comes: removed process group\n"
    assert names_of(lone) == []


def test_shutdown_ends_everything(lone: Supervisord):
    """supervisord exits with 0 and leaves no process, no socket and no pid file."""
    lone.boot([Program(f"w{number}-0", SLEEP, policy=AT_ONCE) for number in range(3)])
    for number in range(3):
        lone.wait_executed(f"w{number}-0", "sleep")
    answer = lone.supervisorctl("shutdown")
    status = lone.nursery.wait(lone.pid)

    assert answer.stdout == "Shut down\n"
    assert status == 0
    assert lone.workers_left() == []
    assert not Path(lone.home.engine_socket).exists()
    assert not Path(lone.home.supervisord_pid).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_shuts_down(lone: Supervisord, number: signal.Signals):
    """TERM, INT and QUIT end supervisord in order."""
    lone.boot([Program("w-0", SLEEP, policy=AT_ONCE)])
    lone.wait_executed("w-0", "sleep")
    lone.signal(number)

    assert lone.nursery.wait(lone.pid) == 0
    assert lone.workers_left() == []


@pytest.mark.parametrize("how", ["SIGHUP", "reload"])
def test_a_reload_starts_everything_anew(lone: Supervisord, how: str):
    """supervisord keeps its pid, the program is another process, a change of the file is taken over."""
    lone.boot([Program("w-0", SLEEP, policy=AT_ONCE)], [guest("first")])
    before = lone.wait_executed("w-0", "sleep")
    lone.wait_executed("first", "sleep")
    lone.sections = (guest("second"),)
    lone.write()
    lone.reload(how)

    assert lone.wait_state("w-0", "RUNNING")["pid"] not in (0, before)
    assert lone.wait_state("second", "RUNNING")
    assert "first" not in names_of(lone)
    assert len(lone.workers_left()) == 2


def test_an_unreadable_file_changes_nothing(lone: Supervisord):
    """reread says what is wrong."""
    lone.boot([Program("w-0", SLEEP, policy=AT_ONCE)])
    lone.sections = (Section("program:broken", {"autostart": "true"}),)
    lone.write()
    answer = lone.supervisorctl("reread")

    assert answer.stdout.startswith("ERROR: CANT_REREAD: program section program:broken does not specify a command")
    assert names_of(lone) == ["w-0"]
