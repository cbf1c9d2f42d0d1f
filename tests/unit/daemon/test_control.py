"""What is done for whoever comes through the API, with every port faked."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from crewd.errors import TargetError
from crewd.model.spec import OnShutdown
from crewd.model.states import ProcessState
from crewd.reconcile.control import Control, Done, Progress
from crewd.reconcile.port import ApplyFailed, ApplyRefused, Verb
from crewd.reconcile.selecting import SeveralInstances, UnknownNames, matcher, select, select_one
from crewd.reconcile.wanted import Wanted
from crewd.testing import FakeEngine
from harness.api import Crewd, running

WHO = "uid 0 pid 1"
ENOUGH_SEC = 5.0
LABELS = {"web": {"tier": "front"}, "mail": {"tier": "back"}}


class Deaf(FakeEngine):
    """It does not hear that it is to end."""

    async def shutdown(self) -> None:
        """Give no answer."""
        raise TargetError("cannot call shutdown: no answer", retryable=True)


async def carried_out(crewd: Crewd, verb: Verb, *names: str, wait: float | None = ENOUGH_SEC) -> list[Progress | Done]:
    """Carry it out, the clock moving whenever something is waited for."""
    steps: list[Progress | Done] = []
    async with aclosing(crewd.ports.control.carry_out(verb, names, WHO, wait)) as carrying:
        async for step in carrying:
            steps.append(step)
            await crewd.advance(2)
    return steps


@pytest.fixture
def crewd(tmp_path: Path) -> Crewd:
    """web-0, web-1 and mail-0."""
    return Crewd(tmp_path, labels=LABELS)


async def test_names_select_instances(crewd: Crewd) -> None:
    """A worker, an instance, worker:*, a label, all: each instance once, in the order in which they are named."""
    async with running(crewd, serving=False):
        view = crewd.view

        assert select(view, ["web"]) == ("web-0", "web-1")
        assert select(view, ["web:*"]) == ("web-0", "web-1")
        assert select(view, ["web-1", "web"]) == ("web-1", "web-0")
        assert select(view, ["tier=back"]) == ("mail-0",)
        assert select(view, ["*"]) == ("mail-0", "web-0", "web-1")
        with pytest.raises(UnknownNames) as error:
            select(view, ["web", "wbe", "tier=side"])
        assert error.value.names == ("wbe", "tier=side")


async def test_one_instance_is_the_worker_s_only_one(crewd: Crewd) -> None:
    """Where there are several, nothing is guessed."""
    async with running(crewd, serving=False):
        assert select_one(crewd.view, "mail") == "mail-0"
        assert select_one(crewd.view, "web-1") == "web-1"
        with pytest.raises(SeveralInstances, match="web-0, web-1"):
            select_one(crewd.view, "web")
        with pytest.raises(UnknownNames):
            select_one(crewd.view, "web:*")


async def test_a_matcher_knows_those_to_come(crewd: Crewd) -> None:
    """A stream of a worker's events goes on when the worker is scaled."""
    async with running(crewd, serving=False):
        assert matcher(crewd.view, ["web"])("web-7")
        assert matcher(crewd.view, ["tier=back"])("mail-3")
        assert matcher(crewd.view, [])("anything-0")
        assert not matcher(crewd.view, ["web", "mail-0"])("mail-1")


async def test_without_waiting_the_engine_s_words_are_the_answer(crewd: Crewd) -> None:
    """What was done, and whether there was anything to do."""
    async with running(crewd, serving=False):
        [done] = await carried_out(crewd, Verb.START, "web-0", "mail", wait=None)

        assert isinstance(done, Done)
        assert [(one.instance, one.done, one.changed) for one in done.results] == [
            ("web-0", "already running", False),
            ("mail-0", "already running", False),
        ]
        assert not done.waited


async def test_a_restart_is_waited_for_until_the_new_processes_run(crewd: Crewd) -> None:
    """Progress comes as they get there, and not one RPC is made for it."""
    async with running(crewd, serving=False):
        pids = {name: record.pid for name, record in crewd.view.crew.records.items()}
        calls = crewd.engine.calls
        steps = await carried_out(crewd, Verb.RESTART, "web")

        assert steps[0] == Progress(0, 2)
        done = steps[-1]
        assert isinstance(done, Done)
        assert done.waited
        assert not done.timed_out
        assert all(one.outcome.ok for one in done.results)
        assert crewd.view.crew.records["web-0"].process_state is ProcessState.RUNNING
        assert crewd.view.crew.records["web-0"].pid != pids["web-0"]
        assert crewd.engine.calls == calls + 1


async def test_time_that_is_up_is_said(crewd: Crewd) -> None:
    """What did not get there in time is not ok."""
    async with running(crewd, serving=False):
        control = crewd.ports.control.carry_out(Verb.RESTART, ["web-0"], WHO, 0.02)
        steps = [step async for step in control]

        done = steps[-1]
        assert isinstance(done, Done)
        assert done.timed_out
        assert done.results[0].outcome.message == "not in time"


async def test_one_unknown_name_and_nothing_is_done(crewd: Crewd) -> None:
    """Not even for the names that are known."""
    async with running(crewd, serving=False):
        calls = crewd.engine.calls
        with pytest.raises(UnknownNames):
            await carried_out(crewd, Verb.STOP, "web", "wbe")

        assert crewd.engine.calls == calls


async def test_an_engine_of_another_version_is_told_nothing(crewd: Crewd) -> None:
    """Status only, as everywhere."""
    crewd.supervisord.rpc = 99
    crewd.supervisord.boot()
    async with running(crewd, serving=False):
        with pytest.raises(TargetError, match="RPC version 99"):
            await carried_out(crewd, Verb.STOP, "*")
        assert await crewd.ports.control.reload() == ApplyFailed(
            "cannot reload: the engine in supervisord speaks another version"
        )


async def test_a_reload_brings_back_what_came_of_it(crewd: Crewd) -> None:
    """Also a refusal, line by line."""
    async with running(crewd, serving=False):
        assert await crewd.ports.control.reload() == crewd.applier.result

        crewd.applier.result = ApplyRefused(("crew.yaml:1:1: workers: no",))
        assert await crewd.ports.control.reload() == crewd.applier.result


async def test_a_reload_is_answered_by_an_apply_that_began_later(crewd: Crewd) -> None:
    """One that is under way may have read the old file."""
    async with running(crewd, serving=False):
        crewd.applier.hold.clear()
        crewd.loop.hangup()
        await crewd.settle()
        begun = crewd.applier.calls
        reload = asyncio.create_task(crewd.ports.control.reload())
        await crewd.settle()
        crewd.applier.hold.set()
        await reload

        assert crewd.applier.calls == begun + 1


async def test_a_reload_is_answered_when_the_daemon_ends(crewd: Crewd) -> None:
    """Nobody is left waiting."""
    async with running(crewd, serving=False):
        crewd.applier.hold.clear()
        reload = asyncio.create_task(crewd.ports.control.reload())
        await crewd.settle()
        crewd.loop.terminate("SIGTERM")

        assert await asyncio.wait_for(reload, 5) == ApplyFailed("cannot reload: the daemon ends")
        await crewd.task
        assert await crewd.ports.control.reload() == ApplyFailed("cannot reload: the daemon ends")


async def test_a_shutdown_ends_what_is_ours(crewd: Crewd) -> None:
    """As SIGTERM does."""
    async with running(crewd, serving=False):
        await crewd.ports.control.shutdown()
        await crewd.task

        assert not crewd.supervisord.alive


@pytest.mark.parametrize("keep", [False, True])
async def test_a_shutdown_ends_one_that_is_kept_or_taken_over(crewd: Crewd, keep: bool) -> None:
    """Unless it is to be kept."""
    crewd.supervisord.boot()
    async with running(crewd, serving=False):
        assert not crewd.view.supervision.ours
        await crewd.ports.control.shutdown(keep=keep)
        await crewd.task

        assert crewd.supervisord.alive is keep
        assert crewd.launcher.starts == 0


async def test_a_shutdown_that_supervisord_does_not_hear_ends_nothing(crewd: Crewd) -> None:
    """The daemon goes on: half of what was asked for would be worse."""
    crewd.wanted = Wanted(OnShutdown.KEEP, spec=crewd.wanted.spec)
    async with running(crewd, serving=False):
        with pytest.raises(TargetError):
            await Control(crewd.loop, crewd.view, Deaf(crewd.supervisord)).shutdown()
        await crewd.settle()

        assert not crewd.task.done()
