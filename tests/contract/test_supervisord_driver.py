"""What crewd relies on in a supervisord with its engine: one suite for the shipped fake and for the real one."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import pytest

from crewd.errors import TargetError
from crewd.model.facts import Commanded, Event, Exited, Fact, Judged, SegmentOpened, Spawned, Starting
from crewd.model.reasons import Cause, Reason, Verdict
from crewd.model.spec import RestartPolicy
from crewd.reconcile.crew import Crew
from crewd.reconcile.port import RPC_VERSION, Batch, EngineAbsent, EngineFault
from crewd.supervisord.client import Client
from crewd.testing import FakeSupervisord, fake_table
from harness.editions import ENGINE_EDITIONS, Edition
from harness.programs import Program
from harness.server import Supervisord
from harness.waiting import wait_for
from harness.workers import shell

WHO = "contract"
QUICK = RestartPolicy(restart_sec=0.05, start_success_sec=0.2, start_limit_burst=3)
SLOW = replace(QUICK, restart_sec=30.0)
WAITS = shell("exec sleep 1000")


class Rig(Protocol):
    """What the suite needs: the driver, and a hand on the world behind it."""

    driver: Any

    def until(self, predicate: Callable[[], object]) -> None:
        """Let time pass until it is true."""

    def crash(self, instance: str) -> None:
        """Kill its process with SIGKILL."""

    def render(self, *instances: str) -> str:
        """Render another crew; return the table's name."""

    def lines(self) -> list[tuple[str, Event]]:
        """Return the whole journal."""

    def die(self) -> None:
        """Kill supervisord itself."""


class Faked:
    """The fake."""

    def __init__(self, policy: RestartPolicy) -> None:
        self.driver = FakeSupervisord(fake_table("web-0", "web-1", "job-0", policy=policy))
        self.driver.boot()
        self._policy = policy

    def until(self, predicate: Callable[[], object]) -> None:
        for _ in range(2000):
            if predicate():
                return
            self.driver.clock.advance(0.01)
        raise AssertionError("never")

    def crash(self, instance: str) -> None:
        self.driver.crash(instance, code=None, signal=9)

    def render(self, *instances: str) -> str:
        self.driver.current = fake_table(*instances, name="table-2", policy=self._policy)
        return "table-2"

    def lines(self) -> list[tuple[str, Event]]:
        return list(self.driver.lines)

    def die(self) -> None:
        self.driver.die()


class Real:
    """The real one."""

    def __init__(self, server: Supervisord, policy: RestartPolicy) -> None:
        self.server = server
        self.driver = Client(server.home.engine_socket)
        self._policy = policy

    def until(self, predicate: Callable[[], object]) -> None:
        wait_for(predicate)

    def crash(self, instance: str) -> None:
        os.kill(one(self, instance)["pid"], signal.SIGKILL)

    def render(self, *instances: str) -> str:
        return self.server.write([Program(name, WAITS, self._policy) for name in instances]).name

    def lines(self) -> list[tuple[str, Event]]:
        return [(entry.generation, entry.event) for entry in self.server.journal()]

    def die(self) -> None:
        self.server.kill()


def rigs(policy: RestartPolicy, edition: Edition | None) -> Iterator[Rig]:
    """Yield the fake for None, else a real one."""
    if edition is None:
        yield Faked(policy)
        return
    with Supervisord(edition, [Program(name, WAITS, policy) for name in ("web-0", "web-1", "job-0")]) as server:
        yield Real(server, policy)


ALL = [pytest.param(None, id="fake"), *ENGINE_EDITIONS]


@pytest.fixture(params=ALL)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A crew that is restarted quickly, up and running."""
    for found in rigs(QUICK, request.param):
        found.until(partial(all_up, found))
        yield found


@pytest.fixture(params=ALL)
def slow(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A crew that waits long for its restarts."""
    for found in rigs(SLOW, request.param):
        found.until(partial(all_up, found))
        yield found


def all_up(rig: Rig) -> bool:
    """Return whether everybody runs."""
    return set(states(rig).values()) == {"RUNNING"}


def states(rig: Rig) -> dict[str, str]:
    """Return every instance's process state."""
    return {found["instance"]: found["process_state"] for found in rig.driver.status()["instances"]}


def one(rig: Rig, instance: str) -> dict[str, Any]:
    """Return one instance's status."""
    [found] = rig.driver.status([instance])["instances"]
    return found


def history(rig: Rig, instance: str, *kinds: type) -> list[Fact]:
    """Return its facts of these kinds."""
    found = (event.fact for _, event in rig.lines())
    return [fact for fact in found if isinstance(fact, kinds) and getattr(fact, "instance", None) == instance]


def picture(rig: Rig) -> dict[str, dict[str, Any]]:
    """Return what the fold of the newest generation says."""
    crew = Crew()
    lines = rig.lines()
    generation = lines[-1][0]
    events = tuple(event for of, event in lines if of == generation)
    list(crew.observe(Batch(generation, events)))
    return {
        name: {
            "process_state": record.process_state.name,
            "standing": record.standing.value,
            "pid": record.pid,
            "restart_count": record.restart_count,
            "exits": len(record.exits),
        }
        for name, record in crew.records.items()
    }


def same_as_told(rig: Rig) -> bool:
    """Return whether the journal's fold and the engine agree on everybody."""
    folded = picture(rig)
    told = {found["instance"]: found for found in rig.driver.status()["instances"]}
    same = ("process_state", "standing", "pid", "restart_count")
    return folded.keys() == told.keys() and all(folded[n][key] == told[n][key] for n in told for key in same)


def test_it_says_who_it_is(rig: Rig) -> None:
    """The version that is spoken, the process, the generation that the journal is written under."""
    version = rig.driver.version()

    assert version.rpc == RPC_VERSION
    assert version.spoken
    assert version.pid > 0
    assert version.generation == rig.lines()[-1][0]
    assert version.sequence == rig.lines()[-1][1].sequence


def test_the_journal_begins_with_a_snapshot_and_has_no_hole(rig: Rig) -> None:
    """Sequence numbers from 1, one apart."""
    events = [event for _, event in rig.lines()]

    assert isinstance(events[0].fact, SegmentOpened)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def test_status_is_of_all_or_of_the_named(rig: Rig) -> None:
    """A name is an instance's or a worker's."""
    assert set(states(rig)) == {"web-0", "web-1", "job-0"}
    assert {found["instance"] for found in rig.driver.status(["web"])["instances"]} == {"web-0", "web-1"}
    assert one(rig, "web-1")["worker_id"] == "web"
    assert one(rig, "web-1")["slot"] == 1


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "reset_failed"])
def test_an_unknown_name_is_a_fault(rig: Rig, verb: str) -> None:
    """And nothing is done to those that are known."""
    before = states(rig)
    with pytest.raises(EngineFault) as refused:
        getattr(rig.driver, verb)(["web-0", "nobody-0"], WHO)

    assert refused.value.code == 10
    assert not refused.value.retryable
    assert states(rig) == before


def test_a_crash_is_journalled_judged_and_repaired(rig: Rig) -> None:
    """Exit, verdict, start, in this order, each once."""
    old = one(rig, "web-0")["pid"]
    rig.crash("web-0")
    rig.until(lambda: one(rig, "web-0")["pid"] not in (0, old))

    facts = history(rig, "web-0", Exited, Judged, Starting, Spawned)[2:]
    assert [type(fact).__name__ for fact in facts] == ["Exited", "Judged", "Starting", "Spawned"]
    ended, judged, starting, spawned = facts
    assert isinstance(ended, Exited)
    assert isinstance(judged, Judged)
    assert isinstance(starting, Starting)
    assert isinstance(spawned, Spawned)
    assert (ended.signal, ended.code, ended.pid, ended.reason) == (9, None, old, Reason.SIGNAL)
    assert (judged.verdict, starting.cause) == (Verdict.RESTARTED, Cause.RESTART)
    assert ended.token != starting.token == spawned.token
    assert one(rig, "web-0")["restart_count"] == 1


def test_the_fold_of_the_journal_is_what_the_engine_says(rig: Rig) -> None:
    """After a crash, a stop, a start: the daemon's picture needs no RPC."""
    rig.crash("web-0")
    rig.driver.stop(["web-1"], WHO)
    rig.until(lambda: one(rig, "web-0")["restart_count"] == 1)
    rig.until(lambda: states(rig) == {"web-0": "RUNNING", "web-1": "STOPPED", "job-0": "RUNNING"})

    rig.until(lambda: same_as_told(rig))


def test_a_stop_is_a_command_and_no_crash(rig: Rig) -> None:
    """It stays stopped, and the journal says on whose behalf."""
    answer = rig.driver.stop(["web-0"], WHO)
    rig.until(lambda: states(rig)["web-0"] == "STOPPED")

    assert set(answer) == {"web-0"}
    assert one(rig, "web-0")["standing"] == "stopped"
    assert one(rig, "web-0")["pid"] == 0
    [command] = history(rig, "web-0", Commanded)
    assert isinstance(command, Commanded)
    assert command.verb == "stop"
    [ended] = history(rig, "web-0", Exited)
    assert isinstance(ended, Exited)
    assert ended.commanded
    assert not history(rig, "web-0", Judged)


def test_a_start_brings_it_back(rig: Rig) -> None:
    """With a new history."""
    rig.driver.stop(["web-0"], WHO)
    rig.until(lambda: states(rig)["web-0"] == "STOPPED")

    rig.driver.start(["web-0"], WHO)
    rig.until(lambda: states(rig)["web-0"] == "RUNNING")
    assert one(rig, "web-0")["standing"] == "up"
    starting = history(rig, "web-0", Starting)[-1]
    assert isinstance(starting, Starting)
    assert starting.cause is Cause.COMMAND


def test_a_restart_is_another_process(rig: Rig) -> None:
    """And touches nobody else."""
    before = {found["instance"]: found["pid"] for found in rig.driver.status()["instances"]}
    rig.driver.restart(["web-0"], WHO)
    rig.until(lambda: one(rig, "web-0")["pid"] not in (0, before["web-0"]))

    after = {found["instance"]: found["pid"] for found in rig.driver.status()["instances"]}
    assert {name: pid for name, pid in after.items() if name != "web-0"} == {
        name: pid for name, pid in before.items() if name != "web-0"
    }


def test_a_stop_in_the_middle_of_a_delay_holds(slow: Rig) -> None:
    """BACKOFF is a restart that is due; it is due no more."""
    slow.crash("web-0")
    slow.until(lambda: states(slow)["web-0"] == "BACKOFF")
    assert 0 < one(slow, "web-0")["due_in_sec"] <= 30

    slow.driver.stop(["web-0"], WHO)
    slow.until(lambda: states(slow)["web-0"] == "STOPPED")
    assert one(slow, "web-0")["due_in_sec"] is None


def test_who_is_given_up_says_why_and_can_be_forgiven(rig: Rig) -> None:
    """FATAL after the burst; reset_failed makes it stopped, and starts nothing."""
    for count in range(QUICK.start_limit_burst):
        rig.until(lambda: one(rig, "web-0")["pid"])
        rig.crash("web-0")
        rig.until(lambda count=count: len(history(rig, "web-0", Judged)) == count + 1)
    rig.until(lambda: states(rig)["web-0"] == "FATAL")
    assert one(rig, "web-0")["standing"] == "given_up"
    why = rig.driver.why("web-0")
    assert [past["verdict"] for past in why["exits"]] == ["Restarted", "Restarted", "StartLimitHit"]
    assert why["policy"]["start_limit_burst"] == QUICK.start_limit_burst

    rig.driver.reset_failed(["web-0"], WHO)
    rig.until(lambda: states(rig)["web-0"] == "STOPPED")
    assert one(rig, "web-0")["budget"] == QUICK.start_limit_burst


def test_an_apply_takes_over_what_is_rendered(rig: Rig) -> None:
    """Who is added starts, who is removed stops and is forgotten, who is kept keeps its process."""
    kept = one(rig, "web-0")["pid"]
    answer = rig.driver.apply(rig.render("web-0", "new-0"))
    rig.until(lambda: states(rig).get("new-0") == "RUNNING")

    assert (list(answer["added"]), sorted(answer["removed"])) == (["new-0"], ["job-0", "web-1"])
    assert one(rig, "web-0")["pid"] == kept
    assert rig.driver.version().table == answer["table"]
    rig.until(lambda: set(states(rig)) == {"web-0", "new-0"})
    rig.until(lambda: same_as_told(rig))


def test_an_apply_under_another_name_is_refused(rig: Rig) -> None:
    """Whoever asks must mean what is rendered."""
    before = states(rig)
    with pytest.raises(EngineFault):
        rig.driver.apply("another")

    assert states(rig) == before


def test_the_journal_may_be_acknowledged(rig: Rig) -> None:
    """Whatever was said of it, the segment being written stays."""
    version = rig.driver.version()
    rig.driver.acknowledge(version.generation, version.sequence)

    assert rig.lines()


def test_one_that_is_gone_is_absent(rig: Rig) -> None:
    """An error that may pass."""
    rig.die()
    with pytest.raises(EngineAbsent) as absent:
        rig.driver.version()

    assert isinstance(absent.value, TargetError)
    assert absent.value.retryable
