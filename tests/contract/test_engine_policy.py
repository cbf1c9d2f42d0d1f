"""The engine's verdicts on real processes: every kind of exit, delays, limits, and what is written down of them."""

import errno
import os
import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import pytest

from crewd.model.facts import Exited, Judged, Spawned, SpawnFailed, Starting, StateChanged, Succeeded
from crewd.model.reasons import Cause, Reason, Verdict
from crewd.model.spec import ExitStatusSet, RestartMode, RestartPolicy
from crewd.model.states import ProcessState
from crewd.policy.restart import FLOOR_SEC, delay
from harness import ENGINE_EDITIONS, Mode, Program, Supervisord, misbehave, shell, stays, wait_for
from harness.audit import audit

LONG_SEC = 600.0
SLEEP = ("/bin/sleep", "1000")


def policy(restart: str = "on-failure", **keys: Any) -> RestartPolicy:
    """A policy whose restarts are so late that a test can look at the verdict."""
    return RestartPolicy(RestartMode(restart), **{"restart_sec": LONG_SEC, "start_success_sec": 0.0, **keys})


def statuses(*codes: int, signals: tuple[int, ...] = ()) -> ExitStatusSet:
    """A set of exit statuses."""
    return ExitStatusSet(frozenset(codes), frozenset(signals))


@dataclass(frozen=True)
class Case:
    """A worker that ends, and what is to be said of it."""

    name: str
    argv: tuple[str, ...]
    policy: RestartPolicy
    reason: Reason
    verdict: Verdict
    code: int | None = None
    signal: int | None = None
    core: bool = False


def died(number: int) -> tuple[str, ...]:
    """A worker that dies by a signal."""
    return shell(f"kill -{number} $$")


def exits(code: int) -> tuple[str, ...]:
    """A worker that exits at once."""
    return shell(f"exit {code}")


CASES = [
    Case("clean", exits(0), policy(), Reason.CLEAN_EXIT, Verdict.NOT_WANTED, 0),
    Case("failed", exits(3), policy(), Reason.EXIT_CODE, Verdict.RESTARTED, 3),
    Case("largest", exits(255), policy(), Reason.EXIT_CODE, Verdict.RESTARTED, 255),
    Case("never", exits(3), policy("no"), Reason.EXIT_CODE, Verdict.NOT_WANTED, 3),
    Case("always", exits(0), policy("always"), Reason.CLEAN_EXIT, Verdict.RESTARTED, 0),
    Case("success", exits(0), policy("on-success"), Reason.CLEAN_EXIT, Verdict.RESTARTED, 0),
    Case("no-success", exits(1), policy("on-success"), Reason.EXIT_CODE, Verdict.NOT_WANTED, 1),
    Case("segv", died(11), policy(), Reason.SIGNAL, Verdict.RESTARTED, signal=11),
    Case("killed", died(9), policy("on-abnormal"), Reason.SIGNAL, Verdict.RESTARTED, signal=9),
    Case("normal", exits(1), policy("on-abnormal"), Reason.EXIT_CODE, Verdict.NOT_WANTED, 1),
    Case("abort", died(10), policy("on-abort"), Reason.SIGNAL, Verdict.RESTARTED, signal=10),
    Case("no-abort", exits(1), policy("on-abort"), Reason.EXIT_CODE, Verdict.NOT_WANTED, 1),
    Case("term", died(15), policy(), Reason.CLEAN_EXIT, Verdict.NOT_WANTED, signal=15),
    Case("hup", died(1), policy(), Reason.CLEAN_EXIT, Verdict.NOT_WANTED, signal=1),
    Case(
        "my-success",
        exits(7),
        policy(success_exit_status=statuses(0, 7, signals=(15,))),
        Reason.CLEAN_EXIT,
        Verdict.NOT_WANTED,
        7,
    ),
    Case(
        "my-signal",
        died(12),
        policy(success_exit_status=statuses(0, signals=(12,))),
        Reason.CLEAN_EXIT,
        Verdict.NOT_WANTED,
        signal=12,
    ),
    Case(
        "prevented",
        exits(5),
        policy("always", restart_prevent_exit_status=statuses(5)),
        Reason.EXIT_CODE,
        Verdict.PREVENTED,
        5,
    ),
    Case(
        "prevented-signal",
        died(9),
        policy("always", restart_prevent_exit_status=statuses(signals=(9,))),
        Reason.SIGNAL,
        Verdict.PREVENTED,
        signal=9,
    ),
    Case(
        "forced", exits(0), policy("no", restart_force_exit_status=statuses(0)), Reason.CLEAN_EXIT, Verdict.RESTARTED, 0
    ),
    Case(
        "both",
        exits(5),
        policy("always", restart_prevent_exit_status=statuses(5), restart_force_exit_status=statuses(5)),
        Reason.EXIT_CODE,
        Verdict.PREVENTED,
        5,
    ),
    Case(
        "hopeless",
        exits(3),
        policy(start_limit_burst=1, start_limit_interval_sec=inf),
        Reason.EXIT_CODE,
        Verdict.START_LIMIT_HIT,
        3,
    ),
    Case("early", exits(3), policy(start_success_sec=5.0), Reason.EXIT_CODE, Verdict.RESTARTED, 3),
    Case("early-clean", exits(0), policy(start_success_sec=5.0), Reason.CLEAN_EXIT, Verdict.NOT_WANTED, 0),
    Case("early-never", exits(3), policy("no", start_success_sec=5.0), Reason.EXIT_CODE, Verdict.NOT_WANTED, 3),
]
FINAL = {
    Verdict.RESTARTED: "BACKOFF",
    Verdict.NOT_WANTED: "EXITED",
    Verdict.PREVENTED: "EXITED",
    Verdict.START_LIMIT_HIT: "FATAL",
}
GROWING = RestartPolicy(
    restart_sec=0.05, restart_steps=3, restart_max_delay_sec=0.4, start_success_sec=0.0, start_limit_burst=7
)


def programs(server: Supervisord) -> list[Program]:
    """One program for each test."""
    work = server.path("work")
    script = Path(server.path("bad-interpreter"))
    script.write_text("#!/nonexistent/interpreter\n")
    script.chmod(0o755)
    quick = {"start_success_sec": 0.0, "start_limit_burst": 0}
    found = [Program(f"{case.name}-0", case.argv, case.policy) for case in CASES]
    found += [
        Program("core-0", misbehave(f"core={work}"), policy("on-abort")),
        Program("timed-0", misbehave("sleep=0.3", "exit=3"), policy()),
        Program("missing-0", ("/nonexistent/program",), policy()),
        Program("interpreter-0", (str(script),), policy()),
        Program("unstarted-0", (str(script),), policy("on-abnormal")),
        Program("nowhere-0", SLEEP, policy(), directory="/nonexistent/directory"),
        Program(
            "delayed-0",
            shell("exit 3"),
            RestartPolicy(restart_sec=0.3, restart_steps=0, start_limit_burst=6, start_success_sec=0.0),
        ),
        Program("growing-0", exits(3), GROWING),
        Program("jittery-0", exits(3), policy(restart_sec=1.0, restart_randomized_delay_sec=100.0)),
        Program("floor-0", exits(3), RestartPolicy(restart_sec=0.0, start_limit_burst=3, start_success_sec=1.0)),
        Program("at-once-0", SLEEP, RestartPolicy(restart_sec=0.0, start_success_sec=0.05)),
        Program(
            "mayfly-0",
            ("/bin/true",),
            RestartPolicy(RestartMode.ALWAYS, restart_sec=0.0, start_success_sec=0.0, start_limit_burst=40),
        ),
        Program("twice-0", exits(3), RestartPolicy(restart_sec=0.0, start_limit_burst=2, start_success_sec=0.0)),
        Program("reset-failed-0", exits(3), policy("no")),
        Program("reset-clean-0", exits(0), policy()),
        Program("reset-0", exits(3), RestartPolicy(restart_sec=0.0, start_limit_burst=2, start_success_sec=0.0)),
        Program(
            "window-0",
            SLEEP,
            RestartPolicy(restart_sec=0.0, start_limit_burst=2, start_limit_interval_sec=0.5, start_success_sec=0.0),
        ),
        Program(
            "forgiven-0",
            SLEEP,
            RestartPolicy(restart_sec=0.0, start_limit_burst=2, restart_reset_sec=0.3, start_success_sec=0.0),
        ),
        Program("succeeds-0", SLEEP, RestartPolicy(start_success_sec=0.2)),
        Program("due-0", exits(3), policy()),
        Program("due-1", exits(3), policy()),
        Program("due-2", exits(3), policy()),
        Program("soon-0", misbehave(f"until={work}/soon", "exit=3"), policy(restart_sec=0.5, start_limit_burst=0)),
        Program("patient-0", shell(f"test -e {work}/healed && exec sleep 1000; exit 3"), policy()),
        Program("endless-0", SLEEP, RestartPolicy(restart_sec=0.0, **quick)),
        Program("eternal-0", exits(3), policy(restart_sec=0.0, start_limit_burst=3, start_limit_interval_sec=inf)),
    ]
    return found


@pytest.fixture(scope="module", params=ENGINE_EDITIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Supervisord]:
    """One supervisord for all tests here; at the end its whole journal is audited."""
    with Supervisord(request.param, start=False) as server:
        server.boot(programs(server))
        yield server
        audit(server.journal())


def judged(server: Supervisord, name: str, count: int = 1) -> list[Judged]:
    """Wait until that many verdicts fell on an instance; return them."""
    wait_for(lambda: len(server.facts(Judged, name)) >= count, what=lambda: server.history(name))
    return server.facts(Judged, name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_kind_of_exit_gets_its_verdict(server: Supervisord, case: Case):
    """The truth of the wait status, its reason, the verdict, and the process state that shows it."""
    name = f"{case.name}-0"
    verdicts = judged(server, name)
    [ended] = server.facts(Exited, name)

    assert (ended.code, ended.signal, ended.core) == (case.code, case.signal, case.core)
    assert ended.reason is case.reason
    assert [(verdict.reason, verdict.verdict) for verdict in verdicts] == [(case.reason, case.verdict)]
    assert not ended.commanded
    assert server.wait_state(name, FINAL[case.verdict])["pid"] == 0


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="core dumps are forbidden here")
def test_a_core_dump_is_told_from_a_signal(server: Supervisord):
    """The flag of the wait status."""
    [verdict] = judged(server, "core-0")
    [ended] = server.facts(Exited, "core-0")

    assert (ended.signal, ended.core, ended.reason) == (signal.SIGABRT, True, Reason.CORE_DUMP)
    assert verdict.verdict is Verdict.RESTARTED


def test_a_run_is_measured(server: Supervisord):
    """ran_sec, from the spawn to the end."""
    judged(server, "timed-0")
    [ended] = server.facts(Exited, "timed-0")

    assert 0.3 <= ended.ran_sec < 30.0


@pytest.mark.parametrize(("name", "step"), [("missing-0", "exec"), ("interpreter-0", "exec"), ("nowhere-0", "chdir")])
def test_a_spawn_that_fails_is_written_down(server: Supervisord, name: str, step: str):
    """Which step, and the error number; its verdict is like any other. By stock's spawn it may be an exit with 127."""
    [verdict] = judged(server, name)
    failures = server.facts(SpawnFailed, name)
    ends = server.facts(Exited, name)

    assert verdict.verdict is Verdict.RESTARTED
    assert server.state(name) == "BACKOFF"
    if server.edition.mode is Mode.FAST or failures:
        assert verdict.reason is Reason.SPAWN_FAILED
        assert ends == []
    else:
        assert [end.code for end in ends] == [127]
    if server.edition.mode is Mode.FAST:
        assert [(failure.step, failure.errno) for failure in failures] == [(step, errno.ENOENT)]


def test_a_failed_spawn_is_not_abnormal(server: Supervisord):
    """on-abnormal does not restart it, as in systemd, neither by its own reason nor as an exit with 127."""
    [verdict] = judged(server, "unstarted-0")

    assert verdict.verdict is Verdict.NOT_WANTED
    assert server.state("unstarted-0") == "EXITED"


def test_the_status_tells_the_last_exit(server: Supervisord):
    """crewd.status and crewd.why say what the journal says."""
    judged(server, "failed-0")
    status, why = server.standing("failed-0"), server.crewd("why", "failed-0")
    last = status["last_exit"]

    assert (last["reason"], last["code"], last["signal"], last["verdict"]) == ("ExitCode", 3, None, "Restarted")
    assert status["process_state"] == "BACKOFF"
    assert LONG_SEC - 400 < status["due_in_sec"] <= LONG_SEC
    assert (why["exits"][-1]["code"], why["policy"]["restart"]) == (3, "on-failure")


def test_a_signal_is_not_minus_one(server: Supervisord):
    """supervisor's own exitstatus tells the signal too, as crewd's."""
    judged(server, "segv-0")

    assert server.standing("segv-0")["last_exit"]["signal"] == 11
    assert server.info("segv-0")["exitstatus"] == -11


def test_a_restart_waits_for_its_delay(server: Supervisord):
    """The spawn comes when it is due: not before, and hardly after, but where the machine stood still meanwhile."""
    verdicts = judged(server, "delayed-0", 6)
    events = [entry.event for entry in server.journal() if getattr(entry.event.fact, "instance", "") == "delayed-0"]
    ends = [event.boottime for event in events if isinstance(event.fact, Judged)]
    starts = [event.boottime for event in events if isinstance(event.fact, Spawned)]
    gaps = [start - end for end, start in zip(ends, starts[1:], strict=False)]

    assert [verdict.delay_sec for verdict in verdicts[:5]] == [0.3] * 5
    assert min(gaps) >= 0.299, gaps
    assert sorted(gaps)[2] < 0.8, gaps
    assert sorted(fact.lag_sec for fact in server.facts(Spawned, "delayed-0")[1:])[2] < 0.3


def test_delays_grow_by_systemds_formula(server: Supervisord):
    """Step by step, to the largest; then the limit is hit."""
    verdicts = judged(server, "growing-0", 7)

    assert [verdict.verdict for verdict in verdicts] == [Verdict.RESTARTED] * 6 + [Verdict.START_LIMIT_HIT]
    assert [verdict.delay_sec for verdict in verdicts[:6]] == [
        pytest.approx(delay(GROWING, attempt, 0.0), abs=1e-5) for attempt in range(1, 7)
    ]


def test_a_random_part_is_added(server: Supervisord):
    """The delay as drawn is written down."""
    verdict, *_ = judged(server, "jittery-0")

    assert verdict.delay_sec is not None
    assert 1.0 <= verdict.delay_sec <= 101.0


def test_a_worker_that_never_succeeds_has_a_floor(server: Supervisord):
    """restart_sec 0 and a death before start_success_sec: a tenth of a second all the same."""
    verdicts = judged(server, "floor-0", 3)

    assert [verdict.delay_sec for verdict in verdicts[:2]] == [FLOOR_SEC, FLOOR_SEC]


def test_a_worker_that_succeeded_comes_back_at_once(server: Supervisord):
    """restart_sec 0: the new process is there as fast as it can be, most times at least."""
    for count in range(1, 6):
        before = server.wait_state("at-once-0", "RUNNING")["pid"]
        os.kill(before, signal.SIGKILL)
        verdict = judged(server, "at-once-0", count)[-1]
        server.wait_new_pid("at-once-0", before)

        assert verdict.delay_sec == 0.0
    assert sorted(fact.lag_sec for fact in server.facts(Spawned, "at-once-0")[1:])[2] < 0.2


def test_workers_that_die_within_a_millisecond_are_counted_one_by_one(server: Supervisord):
    """Forty starts, forty exits, each with a token of its own; then it is given up."""
    verdicts = judged(server, "mayfly-0", 40)
    tokens = [fact.token for fact in server.facts(Spawned, "mayfly-0")]

    assert verdicts[-1].verdict is Verdict.START_LIMIT_HIT
    assert len(set(tokens)) == len(tokens) == 40
    assert [fact.token for fact in server.facts(Exited, "mayfly-0")] == tokens
    assert server.state("mayfly-0") == "FATAL"
    assert server.standing("mayfly-0")["restart_count"] == 39


def test_what_was_given_up_is_started_by_hand(server: Supervisord):
    """With a new history: as many tries as the first time."""
    judged(server, "twice-0", 2)
    server.wait_state("twice-0", "FATAL")
    server.supervisorctl("start", "twice-0")
    verdicts = judged(server, "twice-0", 4)

    assert [verdict.verdict for verdict in verdicts] == [Verdict.RESTARTED, Verdict.START_LIMIT_HIT] * 2


def test_reset_failed_forgets_the_starts(server: Supervisord):
    """The worker is STOPPED, not started; its budget is whole."""
    judged(server, "reset-0", 2)
    server.wait_state("reset-0", "FATAL")
    server.crewd("reset_failed", ["reset-0"], "test")

    assert server.wait_state("reset-0", "STOPPED")
    assert server.standing("reset-0")["budget"] == 2
    assert server.standing("reset-0")["standing"] == "stopped"
    assert len(server.facts(Starting, "reset-0")) == 2


def test_reset_failed_stops_what_failed_and_is_not_restarted(server: Supervisord):
    """What ended well stays as it ended."""
    for name in ("reset-failed-0", "reset-clean-0"):
        server.wait_state(name, "EXITED")

    done = server.crewd("reset_failed", ["reset-failed-0", "reset-clean-0"], "test")

    assert done == {"reset-failed-0": "reset", "reset-clean-0": "history forgotten"}
    assert server.wait_state("reset-failed-0", "STOPPED")
    assert server.standing("reset-failed-0")["standing"] == "stopped"
    assert server.wait_state("reset-clean-0", "EXITED")
    assert server.standing("reset-clean-0")["standing"] == "finished"


def test_old_starts_leave_the_window(server: Supervisord):
    """Two in half a second are the limit; deaths further apart go on for ever."""
    for _ in range(4):
        before = server.wait_state("window-0", "RUNNING")["pid"]
        time.sleep(0.55)  # the window itself
        os.kill(before, signal.SIGKILL)
        server.wait_new_pid("window-0", before)

    assert {fact.verdict for fact in server.facts(Judged, "window-0")} == {Verdict.RESTARTED}


def test_a_good_run_begins_a_new_history(server: Supervisord):
    """restart_reset_sec: what was before does not count."""
    for _ in range(4):
        before = server.wait_state("forgiven-0", "RUNNING")["pid"]
        time.sleep(0.35)  # a good run
        os.kill(before, signal.SIGKILL)
        server.wait_new_pid("forgiven-0", before)

    assert [fact.fresh for fact in server.facts(Judged, "forgiven-0")] == [True] * 4


def test_an_infinite_window_counts_for_ever(server: Supervisord):
    """As max_restart_attempts wants it."""
    verdicts = judged(server, "eternal-0", 3)

    assert verdicts[-1].verdict is Verdict.START_LIMIT_HIT


def test_a_start_succeeds_after_a_fraction_of_a_second(server: Supervisord):
    """start_success_sec 0.2, though the file can only say 1: most times at least, for a machine may stand still."""
    for count in range(1, 6):
        wait_for(lambda count=count: len(server.facts(Succeeded, "succeeds-0")) == count, what=f"success {count}")
        server.crewd("restart", ["succeeds-0"], "test")
        wait_for(lambda count=count: len(server.facts(Spawned, "succeeds-0")) == count + 1, what=f"start {count + 1}")
    events = [entry.event for entry in server.journal() if getattr(entry.event.fact, "instance", "") == "succeeds-0"]
    started = [event.boottime for event in events if isinstance(event.fact, Starting)]
    succeeded = [event.boottime for event in events if isinstance(event.fact, Succeeded)]
    took = [end - begin for begin, end in zip(started, succeeded, strict=False)]

    assert min(took) >= 0.199, took
    assert sorted(took)[2] < 0.7, took


def test_a_stop_in_the_delay_is_a_stop(server: Supervisord):
    """supervisorctl stop in BACKOFF: STOPPED, and the restart never comes."""
    server.wait_state("soon-0", "RUNNING")
    Path(server.path("work/soon")).touch()
    server.wait_state("soon-0", "BACKOFF")
    answer = server.supervisorctl("stop", "soon-0")
    starts = len(server.facts(Starting, "soon-0"))

    assert answer.stdout == "soon-0: stopped\n"
    assert server.state("soon-0") == "STOPPED"
    assert server.standing("soon-0")["standing"] == "stopped"
    assert stays(lambda: len(server.facts(Starting, "soon-0")) == starts, 0.7)


def test_a_start_in_the_delay_is_a_start(server: Supervisord):
    """supervisorctl start in BACKOFF does not wait for the delay, and begins a new history."""
    server.wait_state("patient-0", "BACKOFF")
    Path(server.path("work/healed")).touch()
    answer = server.supervisorctl("start", "patient-0")
    last = server.facts(Starting, "patient-0")[-1]

    assert answer.stdout == "patient-0: started\n"
    assert server.state("patient-0") == "RUNNING"
    assert last.cause is Cause.COMMAND
    assert len(server.facts(Starting, "patient-0")) == 2


def test_a_start_that_is_refused_in_the_delay_leaves_it(server: Supervisord):
    """There is nothing to start: supervisorctl is told so, and the delay goes on."""
    server.wait_state("missing-0", "BACKOFF")
    answer = server.supervisorctl("start", "missing-0")

    assert answer.stdout == "missing-0: ERROR (no such file)\n"
    assert server.state("missing-0") == "BACKOFF"


def test_a_restart_in_the_delay_is_both(server: Supervisord):
    """supervisorctl restart: stopped, started - and, here, dead again."""
    server.wait_state("due-0", "BACKOFF")
    answer = server.supervisorctl("restart", "due-0")

    assert answer.stdout.startswith("due-0: stopped\ndue-0: ")
    judged(server, "due-0", 2)


def test_crewds_own_verbs_work_in_the_delay(server: Supervisord):
    """stop and start over crewd.*, with who asked for it."""
    server.wait_state("due-1", "BACKOFF")

    assert server.crewd("stop", ["due-1"], "somebody")["due-1"]
    assert server.wait_state("due-1", "STOPPED")
    assert server.crewd("start", ["due-1"], "somebody")["due-1"]

    judged(server, "due-1", 2)


def test_the_delay_is_shown_by_stock_means(server: Supervisord):
    """BACKOFF in supervisorctl status."""
    server.wait_state("due-2", "BACKOFF")

    assert server.supervisorctl("status", "due-2").stdout.split()[:2] == ["due-2", "BACKOFF"]


def test_states_are_noted_step_by_step(server: Supervisord):
    """Each from where the last one went."""
    judged(server, "growing-0", 7)
    steps = [(fact.from_state, fact.to_state) for fact in server.facts(StateChanged, "growing-0")]

    assert all(one[1] is two[0] for one, two in pairwise(steps)), steps
    assert steps[-1][1] is ProcessState.FATAL


def test_a_hundred_crashes_are_a_hundred_restarts(server: Supervisord):
    """Killed as soon as it is there, again and again: none lost, none doubled."""
    pid = server.wait_state("endless-0", "RUNNING")["pid"]
    for _ in range(100):
        os.kill(pid, signal.SIGKILL)
        pid = server.wait_new_pid("endless-0", pid)

    assert len(server.facts(Spawned, "endless-0")) == 101
    assert len(server.facts(Exited, "endless-0")) == 100
