"""crewd.apply: what changes is changed, and nobody else feels it."""

import os
from collections.abc import Iterator
from typing import Any
from xmlrpc.client import Fault

import pytest

from crewd.model.facts import Removed, Starting, TableApplied
from crewd.model.reasons import Cause
from crewd.model.spec import KillMode, RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Program, Supervisord, misbehave, shell, stays, wait_for
from harness.audit import audit
from harness.processes import environment_of, member

AT_ONCE = RestartPolicy(restart_sec=0.0, start_success_sec=0.0)
SLEEP = ("/bin/sleep", "1000")
EDITED = "supervisord.conf was edited by hand"
NAMES = [f"w-{slot}" for slot in range(4)]


@pytest.fixture(params=ENGINE_EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """A supervisord with four workers; at the end supervisor finds no difference to the file."""
    with Supervisord(request.param, start=False) as server:
        server.boot([Program(name, SLEEP, AT_ONCE) for name in NAMES])
        for name in NAMES:
            server.wait_executed(name, "sleep")
        yield server
        assert server.supervisorctl("reread").stdout == "No config updates to processes\n"
        audit(server.journal())


def pids(server: Supervisord, names: list[str]) -> dict[str, int]:
    """Return the pids by name."""
    return {name: server.pid_of(name) for name in names}


def test_a_worker_is_added(server: Supervisord):
    """It runs, supervisor knows it, and the neighbours keep their processes."""
    before = pids(server, NAMES)
    answer = server.apply([*server.programs.values(), Program("new-0", SLEEP, AT_ONCE)])
    server.wait_state("new-0", "RUNNING")

    assert (answer["added"], answer["changed"], answer["restarted"], answer["removed"]) == (["new-0"], [], [], [])
    assert pids(server, NAMES) == before
    assert server.standing("new-0")["standing"] == "up"


def test_an_added_worker_can_wait_for_its_start(server: Supervisord):
    """autostart: false."""
    server.apply([*server.programs.values(), Program("new-0", SLEEP, AT_ONCE, autostart=False)])

    assert server.state("new-0") == "STOPPED"
    assert server.supervisorctl("start", "new-0").stdout == "new-0: started\n"


def test_a_worker_is_removed(server: Supervisord):
    """It is stopped, then forgotten."""
    before = pids(server, NAMES)
    gone = server.pid_of("w-3")
    answer = server.apply([server.programs[name] for name in NAMES[:3]])
    wait_for(lambda: "w-3" not in [info["name"] for info in server.rpc.supervisor.getAllProcessInfo()])

    assert answer["removed"] == ["w-3"]
    assert pids(server, NAMES[:3]) == {name: before[name] for name in NAMES[:3]}
    assert gone not in [one.pid for one in server.workers_left()]
    assert [fact.instance for fact in server.facts(Removed)] == ["w-3"]


def test_a_worker_that_is_removed_and_added_is_new(server: Supervisord):
    """Also when it comes back before it has gone."""
    slow = misbehave("slow=0.5", f"stamp={server.path('slow.stamp')}", "pause")
    programs = list(server.programs.values())
    server.apply([*programs, Program("slow-0", slow, AT_ONCE)])
    wait_for(lambda: server.read("slow.stamp"))
    before = server.pid_of("slow-0")
    server.apply(programs)
    server.apply([*programs, Program("slow-0", slow, AT_ONCE)])

    assert server.wait_new_pid("slow-0", before)


RESTARTING: list[dict[str, Any]] = [
    {"argv": ("/bin/sleep", "2000")},
    {"directory": "/usr"},
    {"umask": 0o077},
    {"environment": {"NEW": "value"}},
    {"table_environment": {"NEW": "value"}},
    {"stdin_null": False},
    {"stdout": "AUTO"},
]
IN_PLACE: list[dict[str, Any]] = [
    {"priority": 5},
    {"autostart": False},
    {"stop_signal": "INT"},
    {"timeout_stop_sec": 0.7},
    {"kill_mode": KillMode.PROCESS},
    {"policy": RestartPolicy(RestartMode.ALWAYS, restart_sec=3.0)},
]


@pytest.mark.parametrize("change", RESTARTING, ids=lambda change: next(iter(change)))
def test_what_needs_a_new_process_gets_one(server: Supervisord, change: dict[str, Any]):
    """The worker itself, and nobody else."""
    before = pids(server, NAMES)
    answer = server.change("w-1", **change)
    after = server.wait_new_pid("w-1", before["w-1"])
    server.wait_state("w-1", "RUNNING")

    assert answer["restarted"] == ["w-1"]
    assert pids(server, NAMES) == {**before, "w-1": after}
    assert server.facts(Starting, "w-1")[-1].cause is Cause.CONFIG


@pytest.mark.parametrize("change", IN_PLACE, ids=lambda change: next(iter(change)))
def test_what_needs_no_new_process_gets_none(server: Supervisord, change: dict[str, Any]):
    """Everybody keeps theirs."""
    before = pids(server, NAMES)
    answer = server.change("w-1", **change)

    assert (answer["changed"], answer["restarted"]) == (["w-1"], [])
    assert stays(lambda: pids(server, NAMES) == before, 0.2)


def test_a_change_in_place_is_in_force(server: Supervisord):
    """The next stop and the next exit follow the new words."""
    deaf = misbehave("ignore=TERM", f"stamp={server.path('deaf.stamp')}", "pause")
    server.apply([*server.programs.values(), Program("deaf-0", deaf, AT_ONCE, timeout_stop_sec=60)])
    wait_for(lambda: server.read("deaf.stamp"))
    server.change("deaf-0", timeout_stop_sec=0.2, policy=RestartPolicy(RestartMode.ALWAYS, restart_sec=600.0))
    server.rpc.supervisor.signalProcess("w-0", "KILL")
    server.rpc.supervisor.stopProcess("deaf-0")

    assert server.state("deaf-0") == "STOPPED"
    assert server.crewd("why", "deaf-0")["policy"]["restart_sec"] == 600.0


def test_the_new_process_has_the_new_settings(server: Supervisord):
    """Environment from the configuration and from the table."""
    before = server.pid_of("w-1")
    server.change("w-1", environment={"ONE": "1"}, table_environment={"TWO": "a\"b'c"})
    server.wait_new_pid("w-1", before)
    found = environment_of(server.wait_executed("w-1", "sleep"))

    assert (found["ONE"], found["TWO"]) == ("1", "a\"b'c")


def test_what_was_stopped_stays_stopped_when_it_changes(server: Supervisord):
    """An operator's word outlives a new command line, which is used at the next start."""
    server.supervisorctl("stop", "w-1")
    server.change("w-1", argv=("/bin/sleep", "2000"))

    assert stays(lambda: server.state("w-1") == "STOPPED", 0.2)
    assert server.supervisorctl("start", "w-1").stdout == "w-1: started\n"
    server.wait_executed("w-1", "sleep 2000")


def test_what_was_given_up_is_started_when_it_changes(server: Supervisord):
    """Its new configuration begins a new history."""
    hopeless = RestartPolicy(restart_sec=0.0, start_success_sec=0.0, start_limit_burst=2)
    server.apply([*server.programs.values(), Program("broken-0", shell("exit 3"), hopeless)])
    server.wait_state("broken-0", "FATAL")
    server.change("broken-0", argv=SLEEP)

    assert server.wait_state("broken-0", "RUNNING")


def test_a_worker_in_its_delay_takes_the_change(server: Supervisord):
    """It does not wait for the old delay with the new command."""
    late = RestartPolicy(restart_sec=600.0, start_success_sec=0.0)
    server.apply([*server.programs.values(), Program("late-0", shell("exit 3"), late)])
    server.wait_state("late-0", "BACKOFF")
    server.change("late-0", argv=SLEEP)

    assert server.wait_state("late-0", "RUNNING")


def test_what_finished_stays_finished_while_others_change(server: Supervisord):
    """An apply that does not concern it does not start it."""
    server.apply([*server.programs.values(), Program("done-0", shell("exit 0"), AT_ONCE)])
    server.wait_state("done-0", "EXITED")
    server.change("w-1", argv=("/bin/sleep", "2000"))
    server.wait_executed("w-1", "sleep 2000")

    assert server.state("done-0") == "EXITED"
    assert len(server.facts(Starting, "done-0")) == 1


def test_the_same_again_changes_nothing(server: Supervisord):
    """An empty answer, and nobody is touched."""
    before = pids(server, NAMES)
    answer = server.apply(server.programs.values())

    assert (answer["added"], answer["changed"], answer["restarted"], answer["removed"]) == ([], [], [], [])
    assert pids(server, NAMES) == before


def test_another_table_than_the_current_one_is_refused(server: Supervisord):
    """The name must be that of what lies at ``current``."""
    before, table = pids(server, NAMES), server.crewd("version")["table"]
    with pytest.raises(Fault):
        server.crewd("apply", "no-such-table")

    assert pids(server, NAMES) == before
    assert server.crewd("version")["table"] == table


def test_many_are_added_and_removed_at_once(server: Supervisord):
    """Fifty come, fifty go, four stay."""
    before = pids(server, NAMES)
    four = list(server.programs.values())
    fifty = [Program(f"many-{slot}", SLEEP, AT_ONCE) for slot in range(50)]
    server.apply([*four, *fifty])
    for program in fifty:
        server.wait_state(program.name, "RUNNING")
    server.apply(four)
    wait_for(lambda: len(server.rpc.supervisor.getAllProcessInfo()) == 4)

    assert pids(server, NAMES) == before
    assert len(server.workers_left()) == 4


def test_an_apply_is_written_down(server: Supervisord):
    """With what it did, and the table's name."""
    answer = server.change("w-1", argv=("/bin/sleep", "2000"))
    [applied] = [fact for fact in server.facts(TableApplied) if fact.restarted]

    assert (applied.table, applied.restarted) == (answer["table"], ("w-1",))


def test_the_applied_crew_survives_a_restart(server: Supervisord):
    """SIGHUP after an apply: the file says the same."""
    server.apply([*server.programs.values(), Program("new-0", SLEEP, AT_ONCE)])
    server.wait_state("new-0", "RUNNING")
    server.reload()

    assert server.wait_state("new-0", "RUNNING")


def test_an_update_by_supervisorctl_touches_nobody(server: Supervisord):
    """There is no difference, also after changes in place."""
    server.change("w-1", timeout_stop_sec=0.5, priority=7)
    before = pids(server, NAMES)
    answer = server.supervisorctl("update")

    assert answer.stdout == ""
    assert pids(server, NAMES) == before


def rewrite(server: Supervisord, *edits: tuple[str, str], more: str = "") -> None:
    """Edit the configuration in force by hand."""
    path = os.path.realpath(server.home.supervisord_conf)
    with open(path) as file:
        text = file.read()
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    with open(path, "w") as file:
        file.write(text + more)


def drift(server: Supervisord) -> list[str]:
    """Return what crewd.version says of it."""
    return server.crewd("version")["drift"]


def test_what_supervisorctl_removes_is_noticed_and_comes_back(server: Supervisord):
    """By the next apply of the same crew, and nobody else feels it."""
    before = pids(server, NAMES[1:])
    server.supervisorctl("stop", "w-0")
    server.supervisorctl("remove", "w-0")
    assert drift(server) == ["removed behind crewd's back: w-0"]

    server.apply(list(server.programs.values()))
    server.wait_state("w-0", "RUNNING")
    assert drift(server) == []
    assert pids(server, NAMES[1:]) == before


def test_what_supervisorctl_adds_is_noticed_and_goes(server: Supervisord):
    """A section written into the file by hand, then update."""
    before = pids(server, NAMES)
    rewrite(server, more="\n[program:evil]\ncommand=/bin/sleep 1000\n")
    assert "evil: added process group" in server.supervisorctl("update").stdout
    evil = wait_for(lambda: server.rpc.supervisor.getProcessInfo("evil")["pid"])
    assert drift(server) == ["added behind crewd's back: evil", EDITED]

    server.apply(list(server.programs.values()))
    wait_for(lambda: "evil" not in [info["name"] for info in server.rpc.supervisor.getAllProcessInfo()])
    wait_for(lambda: evil not in [one.pid for one in server.workers_left()])
    assert drift(server) == []
    assert pids(server, NAMES) == before


def test_what_supervisorctl_changes_is_noticed_and_put_right(server: Supervisord):
    """Another command under the name of a worker: restarted as the table says, the others not."""
    before = pids(server, NAMES[1:])
    old = server.pid_of("w-0")
    rewrite(server, ("[program:w-0]\ncommand=/bin/sleep 1000", "[program:w-0]\ncommand=/bin/sleep 999"))
    server.supervisorctl("update")
    changed = server.wait_new_pid("w-0", old)
    server.wait_executed("w-0", "sleep")
    assert drift(server) == ["changed behind crewd's back: w-0", EDITED]

    server.apply(list(server.programs.values()))
    server.wait_new_pid("w-0", changed)
    server.wait_executed("w-0", "sleep")
    assert member(server.pid_of("w-0")).command == "/bin/sleep 1000"
    assert drift(server) == []
    assert pids(server, NAMES[1:]) == before
