"""The applier: what is done where the workers made over the API can be read, and where they cannot."""

import asyncio
from dataclasses import replace

import pytest

from crewd.model.offer import Offer
from crewd.reconcile.configurations import Configuration
from crewd.reconcile.offering import Offering
from crewd.reconcile.port import Applied, ApplyFailed, ApplyRefused
from crewd.testing import FakeClock, FakeConfigurations, FakeRenderer

WEB = Configuration("web", '{"port":1}')
AWAY = "it is away"


class World:
    """An applier among fakes."""

    def __init__(self, *, rendered: bool) -> None:
        self.stored = FakeConfigurations()
        self.stored.stored["web"] = WEB
        self.renderer = FakeRenderer()
        self.clock = FakeClock()
        self.offering = Offering(self.stored, self.renderer, lambda: rendered, self.clock)
        self.reloads = 0

    async def reload(self) -> None:
        """Count it, and apply."""
        self.reloads += 1
        await self.offering.apply()


async def settle() -> None:
    """Let all tasks do what they can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_that_are_stored_are_offered() -> None:
    """And the result has them, and what was ruled."""
    world = World(rendered=True)
    result = await world.offering.apply()

    assert world.renderer.applied == [(Offer("web", '{"port":1}'),)]
    assert isinstance(result, Applied)
    assert result.offers == world.renderer.applied[0]
    assert set(result.rulings) == {"web"}


async def test_what_cannot_be_read_is_not_taken_for_empty() -> None:
    """Nothing is applied; the last good rendering is there to go on with."""
    world = World(rendered=True)
    world.stored.trouble = AWAY
    result = await world.offering.apply()

    assert isinstance(result, ApplyFailed)
    assert result.standing
    assert AWAY in result.message
    assert "cannot read the workers made over the API" in result.message
    assert world.renderer.applied == []


@pytest.mark.parametrize("rendered", [True, False])
async def test_of_a_wrong_file_it_is_told_whether_there_is_something_to_go_on_with(*, rendered: bool) -> None:
    """The last good rendering."""
    world = World(rendered=rendered)
    world.renderer.result = ApplyRefused(("crew.yaml:1:1: is wrong",))

    assert await world.offering.apply() == replace(world.renderer.result, standing=rendered)


async def test_where_nothing_was_ever_rendered_the_file_alone_is_put_in_force() -> None:
    """There is nothing to lose, and it is said."""
    world = World(rendered=False)
    world.stored.trouble = AWAY
    result = await world.offering.apply()

    assert isinstance(result, Applied)
    assert world.renderer.applied == [()]
    assert len(result.warnings) == 1
    assert result.warnings[0].endswith("; they follow")


@pytest.mark.parametrize("rendered", [True, False])
async def test_they_follow_as_soon_as_they_can_be_read(rendered: bool) -> None:
    """Ever more slowly asked for, and applied once."""
    world = World(rendered=rendered)
    task = asyncio.create_task(world.offering.catch_up(world.reload))
    world.stored.trouble = AWAY
    await world.offering.apply()
    for _ in range(5):
        world.clock.advance(15)
        await settle()
    before = world.reloads
    world.stored.trouble = ""
    world.clock.advance(15)
    await settle()
    world.clock.advance(600)
    await settle()
    task.cancel()

    assert (before, world.reloads) == (0, 1)
    assert world.renderer.applied[-1] == (Offer("web", '{"port":1}'),)


async def test_where_all_is_well_nothing_is_asked() -> None:
    """No reload comes by itself."""
    world = World(rendered=True)
    task = asyncio.create_task(world.offering.catch_up(world.reload))
    await world.offering.apply()
    world.clock.advance(3600)
    await settle()
    task.cancel()

    assert world.reloads == 0
