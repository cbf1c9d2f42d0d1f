"""A change of a configuration is checked, stored and put in force, or leaves everything as it was."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from crewd.config.offered import faults, superseded
from crewd.errors import StoreError
from crewd.model.offer import Complaint, Fate, Ruling
from crewd.reconcile.configurations import Configuration
from crewd.reconcile.configuring import (
    ChangedMeanwhile,
    ConfigurationExists,
    Configuring,
    NoConfiguration,
    NotApplied,
    OfTheFile,
    WrongConfiguration,
)
from crewd.reconcile.offering import Offering
from crewd.reconcile.port import ApplyFailed, ApplyRefused
from crewd.reconcile.wanted import Place
from crewd.testing import FakeClock, FakeConfigurations, FakeRenderer

REFUSED = Ruling(Fate.REFUSED, (Complaint("user", '"root" is not admitted'),))
FILE = Place("/etc/crewd/crewd.yaml", 7)
WHO = "uid 0 pid 42"


class World:
    """It among fakes; a reload is an apply."""

    def __init__(self) -> None:
        self.stored = FakeConfigurations()
        self.renderer = FakeRenderer()
        self.clock = FakeClock()
        self.places: dict[str, Place] = {"of-file": FILE}
        offering = Offering(self.stored, self.renderer, lambda: True, self.clock)
        self.configuring = Configuring(
            self.stored, self.renderer, offering.apply, faults, superseded, lambda: self.places, self.clock
        )

    async def create(self, worker_id: str = "w", **members: Any) -> Configuration:
        """Make one."""
        return (await self.configuring.create(worker_id, members, WHO)).configuration

    async def change(self, patch: Mapping[str, Any], seen: frozenset[int] | None = None) -> Configuration:
        """Change ``w``."""
        return (await self.configuring.change("w", patch, "token 7f3a", seen)).configuration

    @property
    def documents(self) -> dict[str, Any]:
        """What is stored."""
        return {name: json.loads(one.document) for name, one in self.stored.stored.items()}

    @property
    def in_force(self) -> list[str]:
        """Who was offered in the last apply."""
        return [one.worker_id for one in self.renderer.applied[-1]] if self.renderer.applied else []


@pytest.fixture
def world() -> World:
    """An empty one."""
    return World()


async def test_one_that_is_made_was_checked_and_is_in_force(world: World) -> None:
    """With who made it, and when."""
    made = await world.create(port=1)

    assert (made.revision, made.created_by, made.updated_by) == (1, WHO, WHO)
    assert made.created_at == made.updated_at == world.clock.time()
    assert [one.worker_id for one in world.renderer.checked[0]] == ["w"]
    assert world.in_force == ["w"]
    assert world.documents == {"w": {"port": 1}}


async def test_a_change_grows_the_revision(world: World) -> None:
    """And keeps who made it."""
    await world.create(port=1, name="a")
    world.clock.advance(60)
    changed = await world.change({"port": 2, "name": None})

    assert (changed.revision, changed.created_by, changed.updated_by) == (2, WHO, "token 7f3a")
    assert changed.updated_at == changed.created_at + 60
    assert world.documents == {"w": {"port": 2}}


async def test_a_change_of_nothing_does_nothing(world: World) -> None:
    """Neither a revision, nor an apply."""
    await world.create(port=1)
    before = len(world.renderer.applied)
    change = await world.configuring.change("w", {"port": 1}, WHO, None)

    assert change.applied is None
    assert change.configuration.revision == 1
    assert len(world.renderer.applied) == before


async def test_one_that_is_removed_is_out_of_force(world: World) -> None:
    """And its name is free."""
    await world.create()
    await world.configuring.remove("w", None)

    assert world.in_force == []
    assert world.documents == {}
    await world.create()


@pytest.mark.parametrize("verb", ["change", "remove"])
async def test_only_what_was_seen_is_changed(world: World, verb: str) -> None:
    """If-Match."""
    await world.create(port=1)
    await world.change({"port": 2}, frozenset({1, 7}))
    with pytest.raises(ChangedMeanwhile, match="is revision 2 now") as told:
        if verb == "change":
            await world.change({"port": 3}, frozenset({1}))
        else:
            await world.configuring.remove("w", frozenset({1}))

    assert told.value.revision == 2
    assert world.documents == {"w": {"port": 2}}


async def test_what_is_wrong_in_itself_is_refused_before_anybody_is_asked(world: World) -> None:
    """Cheaply: it comes often."""
    with pytest.raises(WrongConfiguration, match="port: expects") as told:
        await world.create(port=0, restart="sometimes")

    assert {one.field for one in told.value.complaints} == {"port", "restart"}
    assert world.renderer.checked == []
    assert world.documents == {}


async def test_what_is_not_admitted_is_not_stored(world: World) -> None:
    """crewd-apply's ruling is the answer."""
    world.renderer.rulings["w"] = REFUSED
    with pytest.raises(WrongConfiguration, match="is not admitted"):
        await world.create(user="root")

    assert world.documents == {}
    assert world.renderer.applied == []


async def test_a_name_that_is_taken_is_refused(world: World) -> None:
    """By another, or by the file, in force or not yet."""
    await world.create()
    world.renderer.rulings["soon"] = Ruling(Fate.SHADOWED, file="/etc/crewd/crewd.yaml", line=9)
    with pytest.raises(ConfigurationExists, match=r"there is a worker of that name$"):
        await world.create()
    with pytest.raises(ConfigurationExists, match=r"in /etc/crewd/crewd\.yaml:7"):
        await world.create("of-file")
    with pytest.raises(ConfigurationExists, match=r"in /etc/crewd/crewd\.yaml:9"):
        await world.create("soon")

    assert set(world.documents) == {"w"}


async def test_those_of_the_file_are_read_only(world: World) -> None:
    """The refusal says where they are changed; what is nowhere is not found."""
    with pytest.raises(OfTheFile, match=r"cannot change of-file: it is of the file /etc/crewd/crewd\.yaml:7"):
        await world.configuring.change("of-file", {"port": 1}, WHO, None)
    with pytest.raises(OfTheFile, match="cannot delete of-file"):
        await world.configuring.remove("of-file", None)
    with pytest.raises(NoConfiguration, match="no such worker"):
        await world.configuring.remove("nobody", None)


async def test_one_that_is_shadowed_can_be_changed_and_removed(world: World) -> None:
    """It is stored, whoever goes before it."""
    await world.create()
    world.places["w"] = FILE
    world.renderer.rulings["w"] = Ruling(Fate.SHADOWED, file=FILE.file, line=FILE.line)

    await world.change({"port": 5})
    await world.configuring.remove("w", None)

    assert world.documents == {}


@pytest.mark.parametrize(
    "result", [ApplyFailed("cannot apply: the disk is full"), ApplyRefused(("crewd.yaml:1:1: x: y",))]
)
@pytest.mark.parametrize("verb", ["create", "change", "remove"])
async def test_what_cannot_be_put_in_force_is_taken_back(world: World, verb: str, result: Any) -> None:
    """As if nothing had been asked; and it says so."""
    if verb != "create":
        await world.create(port=1)
    before = dict(world.stored.stored)
    world.renderer.result = result
    with pytest.raises(NotApplied, match=f"cannot {verb.replace('remove', 'delete')} w: .*; nothing was changed"):
        if verb == "create":
            await world.create(port=1)
        elif verb == "change":
            await world.change({"port": 2})
        else:
            await world.configuring.remove("w", None)

    assert world.stored.stored == before


async def test_what_the_apply_leaves_out_after_all_is_taken_back(world: World) -> None:
    """The file may have changed between check and apply; the others are applied again without it."""
    await world.create("v")
    check = world.renderer.check

    async def then_refused(offers: Any) -> Any:
        result = await check(offers)
        world.renderer.rulings["w"] = REFUSED
        return result

    world.renderer.check = then_refused  # type: ignore[method-assign]
    with pytest.raises(NotApplied, match="nothing was changed"):
        await world.create("w")

    assert world.in_force == ["v"]
    assert set(world.documents) == {"v"}


async def test_what_failed_late_is_applied_again_without_what_was_taken_back(world: World) -> None:
    """It was switched before it failed, so it may be in force: what was before is put in force anew."""
    await world.create("v")
    world.renderer.result = ApplyFailed("cannot apply: the engine did not say")
    with pytest.raises(NotApplied, match="nothing was changed"):
        await world.create("w")

    assert [[one.worker_id for one in offers] for offers in world.renderer.applied[-2:]] == [["v", "w"], ["v"]]


async def test_what_cannot_be_taken_back_is_said(world: World) -> None:
    """The database went away in between: nobody is told that nothing was changed."""
    world.renderer.result = ApplyFailed("cannot apply: no")
    remove = world.stored.remove

    async def away(worker_id: str, revision: int) -> bool:
        world.stored.trouble = "it is away"
        return await remove(worker_id, revision)

    world.stored.remove = away  # type: ignore[method-assign]
    with pytest.raises(NotApplied, match=r"and it could not be taken back: .*it is away"):
        await world.create()


async def test_a_database_that_is_away_changes_nothing(world: World) -> None:
    """And is told as what it is."""
    world.stored.trouble = "it is away"
    with pytest.raises(StoreError):
        await world.create()

    assert world.renderer.applied == []


async def test_a_broken_file_refuses_before_anything_is_stored(world: World) -> None:
    """With its problems."""
    world.renderer.check_result = ApplyRefused(("crewd.yaml:1:1: x: y",))
    with pytest.raises(NotApplied, match="the configuration file is wrong; nothing was changed") as told:
        await world.create()

    assert told.value.problems == ("crewd.yaml:1:1: x: y",)
    assert world.documents == {}


async def test_changes_come_one_after_another(world: World) -> None:
    """Each sees what the one before made: twenty at once are all there."""
    changes = [world.create(f"w{number:02}") for number in range(20)]
    made = await asyncio.gather(*changes)

    assert len(made) == 20
    assert [len(offers) for offers in world.renderer.applied] == list(range(1, 21))


async def test_of_two_with_one_name_one_is_made(world: World) -> None:
    """The other is told."""
    results = await asyncio.gather(world.create(port=1), world.create(port=2), return_exceptions=True)

    assert [type(one) for one in results] == [Configuration, ConfigurationExists]
    assert world.documents == {"w": {"port": 1}}


async def test_one_who_went_away_gets_what_was_asked_for(world: World) -> None:
    """A change that was begun goes through."""
    going = asyncio.Event()
    check = world.renderer.check

    async def slowly(offers: Any) -> Any:
        await going.wait()
        return await check(offers)

    world.renderer.check = slowly  # type: ignore[method-assign]
    asked = asyncio.create_task(world.create(port=1))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    going.set()
    for _ in range(20):
        await asyncio.sleep(0)

    assert world.in_force == ["w"]
