"""What was decided survives: stopped stays stopped, given up stays given up, through every restart of supervisord."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from crewd.model.facts import (
    Commanded,
    GenerationBegan,
    GenerationEnded,
    Judged,
    LeftoverEnded,
    Lost,
    Spawned,
    SpawnFailed,
    Starting,
)
from crewd.model.reasons import Cause, Reason
from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Program, Supervisord, misbehave, shell, stays, wait_for
from harness.audit import audit
from harness.processes import alive

SLEEP = ("/bin/sleep", "1000")
HOWS = ["SIGHUP", "reload", "TERM", "KILL"]


def policy(restart: str = "on-failure", **keys: Any) -> RestartPolicy:
    """A policy without a waiting time for success."""
    return RestartPolicy(RestartMode(restart), **{"start_success_sec": 0.0, **keys})


PROGRAMS = [
    Program("up-0", SLEEP, policy()),
    Program("always-0", SLEEP, policy("always")),
    Program("stopped-0", SLEEP, policy("always")),
    Program("stopped-in-delay-0", shell("exit 3"), policy(restart_sec=600.0)),
    Program("given-up-0", shell("exit 3"), policy(restart_sec=0.0, start_limit_burst=2)),
    Program("finished-0", shell("exit 0"), policy()),
    Program("unwanted-0", SLEEP, policy(), autostart=False),
    Program("due-0", shell("exit 3"), policy(restart_sec=600.0)),
]


@pytest.fixture(params=ENGINE_EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """A supervisord for one test; its journal is audited."""
    with Supervisord(request.param, start=False) as server:
        yield server
        audit(server.journal())


def again(server: Supervisord, how: str) -> None:
    """Restart supervisord in one of four ways."""
    if how in ("SIGHUP", "reload"):
        server.reload(how)
        return
    if how == "TERM":
        server.stop()
    else:
        server.kill()
    server.start()


def states(server: Supervisord, names: list[str]) -> dict[str, str]:
    """Return process states by name."""
    return {name: server.state(name) for name in names}


@pytest.mark.parametrize("how", HOWS)
def test_what_was_decided_survives(server: Supervisord, how: str):
    """Twice in a row, so that what is read back is also what is written again."""
    server.boot(PROGRAMS)
    server.wait_state("given-up-0", "FATAL")
    server.wait_state("finished-0", "EXITED")
    server.wait_state("stopped-in-delay-0", "BACKOFF")
    server.wait_state("due-0", "BACKOFF")
    server.wait_executed("stopped-0", "sleep")
    server.supervisorctl("stop", "stopped-0", "stopped-in-delay-0")
    quiet = ["stopped-0", "stopped-in-delay-0", "given-up-0", "finished-0", "unwanted-0"]
    for _ in range(2):
        starts = {name: len(server.facts(Starting, name)) for name in quiet}
        standings = {name: server.standing(name)["standing"] for name in quiet}
        again(server, how)
        server.wait_state("up-0", "RUNNING")
        server.wait_state("always-0", "RUNNING")

        assert {name: server.standing(name)["standing"] for name in quiet} == standings
        assert {name: len(server.facts(Starting, name)) for name in quiet} == starts
        assert standings == {
            "stopped-0": "stopped",
            "stopped-in-delay-0": "stopped",
            "given-up-0": "given_up",
            "finished-0": "finished",
            "unwanted-0": "new",
        }
        assert not {"STARTING", "RUNNING", "BACKOFF"} & set(states(server, quiet).values())


@pytest.mark.parametrize("how", HOWS)
def test_what_was_stopped_can_be_started_again(server: Supervisord, how: str):
    """After the restart supervisorctl start works as ever, also for what was given up."""
    server.boot(PROGRAMS)
    server.wait_state("given-up-0", "FATAL")
    server.wait_executed("stopped-0", "sleep")
    server.supervisorctl("stop", "stopped-0")
    again(server, how)

    assert server.supervisorctl("start", "stopped-0").stdout == "stopped-0: started\n"
    assert server.state("stopped-0") == "RUNNING"

    before = len(server.facts(Starting, "given-up-0"))
    server.supervisorctl("start", "given-up-0")
    wait_for(lambda: len(server.facts(Starting, "given-up-0")) == before + 2, what="a new history")


@pytest.mark.parametrize("how", HOWS)
def test_a_restart_that_was_due_still_comes(server: Supervisord, how: str):
    """A worker in its delay is not forgotten."""
    flag = server.path("work/healed")
    server.boot([Program("due-0", shell(f"test -e {flag} && exec sleep 1000; exit 3"), policy(restart_sec=1.5))])
    server.wait_state("due-0", "BACKOFF")
    Path(flag).touch()
    again(server, how)

    assert server.wait_state("due-0", "RUNNING")


@pytest.mark.parametrize("how", HOWS)
def test_the_limit_counts_on(server: Supervisord, how: str):
    """Starts before the restart count in the window after it; no burst is granted twice."""
    server.boot(
        [Program("crashing-0", shell("exit 3"), policy(restart_sec=0.25, restart_steps=0, start_limit_burst=8))]
    )
    wait_for(lambda: len(server.facts(Spawned, "crashing-0")) >= 3)
    again(server, how)
    server.wait_state("crashing-0", "FATAL")

    assert len(server.facts(Spawned, "crashing-0")) == 8


@pytest.mark.parametrize("how", HOWS)
def test_a_limit_that_was_changed_counts_what_a_restart_would_count(server: Supervisord, how: str):
    """The starts under the old limit, which was none, are in the new one's window; a restart finds the same ones."""
    healed = server.path("work/healed")
    script = shell(f"test -e {healed} && exec sleep 1000; exit 3")
    server.boot([Program("crashing-0", script, policy(restart_sec=0.01, restart_steps=0, start_limit_burst=0))])
    wait_for(lambda: len(server.facts(Spawned, "crashing-0")) >= 5)
    Path(healed).touch()
    server.wait_executed("crashing-0", "sleep")
    server.change("crashing-0", policy=policy(start_limit_burst=100, start_limit_interval_sec=inf))
    before = server.standing("crashing-0")["budget"]
    starts = len(server.facts(Starting, "crashing-0"))
    again(server, how)
    server.wait_state("crashing-0", "RUNNING")

    assert before == 100 - starts
    assert server.standing("crashing-0")["budget"] == before - 1


@pytest.mark.parametrize("how", ["TERM", "KILL"])
def test_a_start_that_is_refused_during_a_stop_undoes_no_stop(server: Supervisord, how: str):
    """supervisor answers an error; what it did not do is not owed after a restart, either."""
    flag = server.path("work/end")
    slow = misbehave(f"lingers={flag}", f"stamp={server.path('slow.stamp')}", "pause")
    server.boot([Program("slow-0", slow, policy("always"), timeout_stop_sec=60), Program("up-0", SLEEP, policy())])
    wait_for(lambda: server.read("slow.stamp"))
    server.rpc.supervisor.stopProcess("slow-0", False)
    server.wait_state("slow-0", "STOPPING")
    refused = server.supervisorctl("start", "slow-0").stdout
    Path(flag).touch()
    server.wait_state("slow-0", "STOPPED")
    stays_stopped(server, "slow-0", how)

    assert refused == "slow-0: ERROR (abnormal termination)\n"
    assert [fact.verb for fact in server.facts(Commanded, "slow-0")] == ["stop"]


@pytest.mark.parametrize("how", ["TERM", "KILL"])
def test_a_start_of_a_program_that_is_missing_undoes_no_stop(server: Supervisord, how: str):
    """Refused before anything is tried. Once it is there again, it is started by hand, and that is noted."""
    program, away = Path(server.path("work/program")), Path(server.path("work/away"))
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o700)
    server.boot([Program("stopped-0", (str(program),), policy("always")), Program("up-0", SLEEP, policy())])
    server.wait_executed("stopped-0", "sleep")
    server.supervisorctl("stop", "stopped-0")
    program.rename(away)
    refused = server.supervisorctl("start", "stopped-0").stdout
    away.rename(program)
    stays_stopped(server, "stopped-0", how)
    server.supervisorctl("start", "stopped-0")

    assert refused == "stopped-0: ERROR (no such file)\n"
    assert server.standing("stopped-0")["standing"] == "up"
    assert [fact.verb for fact in server.facts(Commanded, "stopped-0")] == ["stop", "start"]


def stays_stopped(server: Supervisord, name: str, how: str) -> None:
    """Assert that an operator stopped it, now and after a restart of supervisord."""
    assert server.standing(name)["standing"] == "stopped"
    again(server, how)
    server.wait_state("up-0", "RUNNING")
    assert server.standing(name)["standing"] == "stopped"
    assert stays(lambda: server.state(name) == "STOPPED", 0.3)


def test_a_start_that_is_owed_begins_a_new_history(server: Supervisord):
    """Asked for during a stop, and done by the next supervisord: no earlier start counts any more."""
    deaf = misbehave("ignore=TERM", f"stamp={server.path('deaf.stamp')}", "pause")
    server.boot([Program("deaf-0", deaf, policy(start_limit_burst=5), timeout_stop_sec=60)])
    wait_for(lambda: server.read("deaf.stamp"))
    before = server.pid_of("deaf-0")
    server.crewd("restart", ["deaf-0"], "test")
    server.wait_state("deaf-0", "STOPPING")
    server.kill()
    server.start()
    server.wait_new_pid("deaf-0", before)

    assert server.standing("deaf-0")["budget"] == 4


def test_what_a_supervisord_left_whose_journal_is_gone_is_ended(server: Supervisord):
    """Nothing is known of its worker but what the worker's environment says."""
    server.boot([Program("up-0", SLEEP, policy())])
    before = server.wait_executed("up-0", "sleep")
    server.kill()
    shutil.rmtree(server.home.journal)
    server.start()
    after = server.wait_new_pid("up-0", before)

    assert not alive(before)
    assert alive(after)
    assert [fact.pid for fact in server.facts(LeftoverEnded, "up-0")] == [before]


def test_another_crew_on_the_machine_is_left_alone(server: Supervisord):
    """Its generations have the same numbers; a supervisord without a journal ends its own workers alone."""
    server.boot([Program("up-0", SLEEP, policy())])
    theirs = server.wait_executed("up-0", "sleep")
    with Supervisord(server.edition, [Program("up-0", SLEEP, policy())]) as other:
        ours = other.wait_executed("up-0", "sleep")
        other.kill()
        shutil.rmtree(other.home.journal)
        other.start()
        other.wait_new_pid("up-0", ours)

        assert not alive(ours)
    assert server.pid_of("up-0") == theirs
    assert alive(theirs)


def test_what_a_killed_supervisord_left_is_ended(server: Supervisord):
    """Its worker lives on until the next supervisord ends it and starts its own: never two at once."""
    server.boot([Program("up-0", misbehave("ignore=TERM", f"stamp={server.path('up.stamp')}", "pause"), policy())])
    wait_for(lambda: server.read("up.stamp"))
    before = server.pid_of("up-0")
    server.kill()

    assert alive(before)

    server.start()
    after = server.wait_new_pid("up-0", before)
    [ended], [lost] = server.facts(LeftoverEnded, "up-0"), server.facts(Lost, "up-0")

    assert not alive(before)
    assert alive(after)
    assert (ended.pid, lost.pid) == (before, before)
    assert [fact.cause for fact in server.facts(Starting, "up-0")] == [Cause.BOOT, Cause.BOOT]
    assert server.standing("up-0")["last_exit"]["reason"] == Reason.SUPERVISOR_LOST


NO_PIDFDS = """
import os
pidfd_open = os.pidfd_open

def refuse(pid):
    if os.path.exists({0!r}):
        raise OSError(24, "Too many open files")
    return pidfd_open(pid)

os.pidfd_open = refuse
"""
"""A sitecustomize.py: no process can be held by a pidfd while a file exists."""


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_what_cannot_be_ended_is_waited_for(edition: Edition, tmp_path: Path):
    """The log says so, and nothing runs beside it; once it is gone its instance starts."""
    refusing = tmp_path / "refusing"
    (tmp_path / "sitecustomize.py").write_text(NO_PIDFDS.format(str(refusing)))
    with Supervisord(edition, [Program("up-0", SLEEP, policy())], python_path=[tmp_path]) as server:
        before = server.wait_executed("up-0", "sleep")
        refusing.touch()
        server.kill()
        server.start()
        held = stays(lambda: not server.pid_of("up-0"), 0.3)
        log = server.log()
        refusing.unlink()
        lives = alive(before)
        os.kill(before, signal.SIGKILL)
        server.wait_new_pid("up-0", before, 30)

    assert held
    assert lives
    assert f"cannot end process {before}, left of up-0, which is started once that is gone: " in log


def test_the_group_of_what_was_left_is_ended_too(server: Supervisord):
    """Members of the worker's process group do not outlive it."""
    server.boot([Program("up-0", misbehave("stay=2", f"stamp={server.path('up.stamp')}", "pause"), policy())])
    wait_for(lambda: server.read("up.stamp"))
    before = server.pid_of("up-0")
    server.kill()
    server.start()
    server.wait_new_pid("up-0", before)

    wait_for(lambda: not [one for one in server.workers_left() if one.group == before])


def test_a_worker_that_is_stopped_and_left_is_ended_and_not_started(server: Supervisord):
    """Killed in the middle of a stop: the operator's word stands."""
    deaf = misbehave("ignore=TERM", f"stamp={server.path('deaf.stamp')}", "pause")
    server.boot([Program("deaf-0", deaf, policy("always"), timeout_stop_sec=60)])
    wait_for(lambda: server.read("deaf.stamp"))
    before = server.pid_of("deaf-0")
    server.rpc.supervisor.stopProcess("deaf-0", False)
    server.wait_state("deaf-0", "STOPPING")
    server.kill()
    server.start()

    wait_for(lambda: not alive(before), what="the end of the leftover")
    assert stays(lambda: server.pid_of("deaf-0") == 0, 0.3)
    assert server.state("deaf-0") == "STOPPED"


def test_a_stranger_with_the_same_pid_is_left_alone(server: Supervisord):
    """A leftover is known by pid and start time together: what never was ours is not touched."""
    server.boot([Program("up-0", SLEEP, policy())])
    before = server.wait_executed("up-0", "sleep")
    server.kill()
    stranger = server.nursery.spawn(["/bin/sleep", "1000"], {}, "/", server.path("stranger"))
    server.start()
    server.wait_new_pid("up-0", before)

    assert alive(stranger)


def test_generations_are_linked(server: Supervisord):
    """Each says which one was before it, how far it was read, and whether it ended in order."""
    server.boot([Program("up-0", SLEEP, policy())])
    for how in HOWS:
        server.wait_state("up-0", "RUNNING")
        again(server, how)
    began = server.facts(GenerationBegan)
    ends = [fact.how for fact in server.facts(GenerationEnded)]

    assert ends == ["reload", "reload", "shutdown"]
    assert [fact.clean for fact in began] == [True, True, True, True, False]
    assert [fact.previous for fact in began] == [None, *(fact.generation for fact in began[:-1])]


def test_a_shutdown_is_no_verdict(server: Supervisord):
    """Nobody is judged for ending when told to, nor for waiting."""
    server.boot(
        [Program("up-0", SLEEP, policy("always")), Program("due-0", shell("exit 3"), policy(restart_sec=600.0))]
    )
    server.wait_state("due-0", "BACKOFF")
    server.wait_executed("up-0", "sleep")
    server.stop()

    assert server.facts(Judged, "up-0") == []
    assert len(server.facts(Judged, "due-0")) == 1
    assert server.workers_left() == []


def test_nothing_is_started_during_a_shutdown(server: Supervisord):
    """A worker that dies and one that is due while a slow one is waited for: no new process."""
    slow = misbehave("slow=1", f"stamp={server.path('slow.stamp')}", "pause")
    dying = misbehave("ignore=TERM", f"until={server.path('work/die')}", "exit=3")
    server.boot(
        [
            Program("slow-0", slow, policy(), priority=900),
            Program("dying-0", dying, policy(restart_sec=0.0), priority=100),
            Program("due-0", shell("exit 3"), policy(restart_sec=0.4, start_limit_burst=0), priority=100),
        ]
    )
    wait_for(lambda: server.read("slow.stamp"))
    server.wait_state("due-0", "BACKOFF")
    server.signal(signal.SIGTERM)
    wait_for(lambda: "SIGTERM" in server.log())
    time.sleep(0.1)  # the shutdown is under way
    starts = len(server.facts(Starting))
    Path(server.path("work/die")).touch()
    server.nursery.wait(server.pid)

    assert len(server.facts(Starting)) == starts
    assert server.workers_left() == []


def test_a_failed_spawn_survives_too(server: Supervisord):
    """Given up without ever having run: it is not tried again by a restart of supervisord."""
    server.boot([Program("missing-0", ("/nonexistent/program",), policy(restart_sec=0.0, start_limit_burst=2))])
    server.wait_state("missing-0", "FATAL")
    again(server, "KILL")
    time.sleep(0.2)  # time enough to try

    assert len(server.facts(SpawnFailed, "missing-0")) == 2
    assert server.standing("missing-0")["standing"] == "given_up"
