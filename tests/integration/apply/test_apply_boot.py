"""An apply and the start of a supervisord do not mix: it starts on one rendering, all of it."""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest

from crewd import apply as applying
from crewd.errors import TargetError
from crewd.model.home import Home
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.supervisord import generation
from crewd.supervisord.client import Client
from crewd_supervisord import boot_lock
from harness import Nursery, stays, wait_for
from harness.lookup import looked_up


@pytest.fixture
def home() -> Iterator[Home]:
    """A home with the folders of an installation."""
    root = tempfile.mkdtemp(prefix="crewd-")
    home = Home.under(root)
    generation.prepare(home)
    yield home
    shutil.rmtree(root)


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """Owns what is started."""
    nursery = Nursery()
    yield nursery
    nursery.close()


def crew(*workers: str) -> CrewSpec:
    """Return workers that sleep."""
    return CrewSpec({name: WorkerSpec(name, ("/bin/sleep", "1000")) for name in workers})


def answer(home: Home) -> tuple[str, list[str]]:
    """Return the table that supervisord has in force, and its programs; nothing while it does not answer."""
    client = Client(home.engine_socket)
    try:
        return client.version().table, [one["instance"] for one in client.status()["instances"]]
    except TargetError:
        return "", []


def test_a_start_waits_for_the_apply_that_is_under_way(home: Home, nursery: Nursery) -> None:
    """And then has its configuration and its table, both."""
    with generation.locked(home):
        old, new = crew("old"), crew("new", "newer")
        applying.apply(old, looked_up(old, home), home, "crew.yaml")
        launch = [sys.executable, "-P", "-m", "crewd_supervisord.launch", "-n", "-c", home.supervisord_conf]
        nursery.spawn(launch, {"PATH": os.environ["PATH"]}, home.engine, f"{home.log}/output")
        assert stays(lambda: answer(home) == ("", []), 0.7)

        applied = applying.apply(new, looked_up(new, home), home, "crew.yaml")
    wait_for(lambda: answer(home)[0])

    assert answer(home) == (applied.name, ["new-0", "newer-0"])


def test_an_apply_waits_for_the_start_that_is_under_way(home: Home) -> None:
    """Until the engine has the table; two starts need not wait for each other."""
    with generation.locked(home):
        pass
    lock = os.open(f"{home.engine}/{boot_lock.LOCK}", os.O_RDWR)
    try:
        boot_lock.hold(["-n", "-c", home.supervisord_conf])
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        boot_lock.release()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        boot_lock.release()
        os.close(lock)


@pytest.mark.parametrize("arguments", [[], ["-n"], ["-c"], ["-c", "/nowhere/current/supervisord.conf"], ["-c", "x"]])
def test_a_configuration_that_is_not_crewds_needs_no_lock(arguments: list[str]) -> None:
    """supervisord starts as ever."""
    boot_lock.hold(arguments)
    boot_lock.release()
