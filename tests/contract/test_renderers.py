"""What the daemon relies on where it has crewd-apply do something: as a child of its own, and behind a socket."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crewd.model.home import Home
from crewd.model.offer import Fate, Offer
from crewd.reconcile.port import Applied, ApplyFailed, ApplyRefused, Renderer
from crewd.supervisord import generation
from crewd.supervisord.applier import ApplyChild
from crewd.supervisord.apply_socket import ApplySocket
from harness.apply_socket import serving

CREW = "workers: {web: {command: [/bin/true]}}\n"
OFFERS = (
    Offer("mail", '{"command": ["/bin/true"]}'),
    Offer("wrong", '{"command": "/bin/true"}'),
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One with a crew."""
    home = Home.under(str(tmp_path))
    Path(home.etc).mkdir()
    write(home, CREW)
    return home


@pytest.fixture(params=["child", "socket"])
def renderer(request: Any, home: Home, tmp_path: Path) -> Iterator[Renderer]:
    """Each of both."""
    environ = {"PATH": os.environ["PATH"], "CREWD_HOME": str(tmp_path)}
    if request.param == "child":
        yield ApplyChild(home.config, environ)
    else:
        path = str(tmp_path / "apply.sock")
        with serving(path, environ):
            yield ApplySocket(path)


def write(home: Home, text: str) -> None:
    """Write the file."""
    Path(home.config).write_text(text)


async def test_an_apply_is_in_force(renderer: Renderer, home: Home) -> None:
    """It says what it did; the second one has nothing to do."""
    first, second = await renderer.apply(()), await renderer.apply(())

    assert isinstance(first, Applied)
    assert isinstance(second, Applied)
    assert (first.changed, second.changed, first.told) == (True, False, False)
    assert first.plan["added"] == ("web-0",)
    assert generation.current(home) == first.name == second.name


async def test_a_check_touches_nothing(renderer: Renderer, home: Home) -> None:
    """It says what an apply would do."""
    checked = await renderer.check(())

    assert isinstance(checked, Applied)
    assert checked.changed
    assert not Path(home.engine).exists()


async def test_each_offer_is_ruled_on(renderer: Renderer) -> None:
    """One that is wrong is left out, and why is said by its member."""
    applied = await renderer.apply(OFFERS)

    assert isinstance(applied, Applied)
    assert applied.rulings["wrong"].fate is Fate.REFUSED
    assert [one.field for one in applied.rulings["wrong"].complaints] == ["command"]
    assert applied.rulings.keys() == {"mail", "wrong"}


async def test_a_broken_file_is_refused(renderer: Renderer, home: Home) -> None:
    """One line per mistake, and nothing changes."""
    write(home, "workers: {web: {command: 5, instances: many}}\n")
    refused = await renderer.apply(())

    assert isinstance(refused, ApplyRefused)
    assert len(refused.problems) == 2
    assert generation.current(home) is None


async def test_what_cannot_be_done_is_one_sentence(renderer: Renderer, home: Home) -> None:
    """As where the place is taken."""
    Path(home.engine).write_text("in the way")
    failed = await renderer.apply(())

    assert isinstance(failed, ApplyFailed)
    assert failed.message == f"cannot use {home.engine}: it is no directory"


async def test_nobody_there_is_one_sentence(home: Home) -> None:
    """A child that cannot be run, a socket that nobody listens on."""
    child = await ApplyChild(home.config, {}, ("/does/not/exist",)).apply(())
    asked = await ApplySocket("/does/not/exist").apply(())

    assert child == ApplyFailed("cannot run crewd-apply: No such file or directory")
    assert asked == ApplyFailed("cannot ask crewd-apply at /does/not/exist: No such file or directory")
