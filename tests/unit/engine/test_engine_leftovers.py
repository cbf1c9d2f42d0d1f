"""What an earlier supervisord left running, on real small processes."""

import errno
import os
import resource
import signal
import subprocess
import uuid
from collections.abc import Callable, Generator
from dataclasses import replace
from itertools import count, islice

import pytest

from crewd.model.record import Record
from crewd_supervisord import proc
from crewd_supervisord.leftovers import Leftover, is_gone, kill_leftovers
from crewd_supervisord.recall import Recalled
from harness import wait_for

GENERATION = f"00000007-{uuid.uuid4().hex}"
LATER = ("00000007-fade00", "00000008-fade01", "00000012-fade02")
URL = f"unix:///run/{uuid.uuid4().hex}/supervisor.sock"
"""Both nobody else's on this machine, where the same tests may run at the same time."""
NOBODY: frozenset[str] = frozenset()
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Generator[Start]:
    """Start a sleeper with a token and a group of its own; kill them all afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def one(token: str, *, group: int = 0, name: str = "w-0", url: str = URL) -> "subprocess.Popen[bytes]":
        variables = {"CREWD_SPAWN": token, "SUPERVISOR_PROCESS_NAME": name, "SUPERVISOR_SERVER_URL": url}
        environment = variables if token else {}
        child = subprocess.Popen(["/bin/sleep", "60"], env=environment, process_group=group)
        started.append(child)
        wait_for(lambda: proc.spawn_token(child.pid) == token)  # the kernel shows it a moment after exec has succeeded
        return child

    yield one
    for child in started:
        child.kill()
        child.wait()


def found(*, pid: int = 0, ticks: int = 0, token: str = f"{GENERATION}.5", clean: bool = False) -> Recalled:
    """Return what a journal recalls that ends in the middle of a run of w-0."""
    return Recalled(GENERATION, 10, "boot", clean, {"w-0": Record(token=token, pid=pid, start_ticks=ticks)})


def ended(child: "subprocess.Popen[bytes]", leftovers: list[Leftover]) -> bool:
    """Reap the process if it was killed."""
    gone = child.pid in {leftover.pid for leftover in leftovers}
    assert not gone or child.wait() == -signal.SIGKILL
    assert all(is_gone(leftover) for leftover in leftovers if leftover.pid == child.pid)
    return gone


def test_a_process_is_known_by_pid_and_start_time(start: Start):
    """Whatever it made of its environment."""
    child = start("")
    leftovers = kill_leftovers(found(pid=child.pid, ticks=proc.start_ticks(child.pid)), URL, NOBODY)

    assert ended(child, leftovers)
    assert (leftovers[0].instance, leftovers[0].token) == ("w-0", f"{GENERATION}.5")


def test_a_pid_that_was_used_again_is_spared(start: Start):
    """The same number, another start time."""
    child = start("")

    assert not ended(child, kill_leftovers(found(pid=child.pid, ticks=1), URL, NOBODY))
    assert child.poll() is None


def test_an_intent_without_a_pid_is_known_by_its_token(start: Start):
    """A kill between the fork and the record of it."""
    child = start(f"{GENERATION}.5")

    assert ended(child, kill_leftovers(found(), URL, NOBODY))


def test_other_tokens_are_spared(start: Start):
    """Of an earlier run that ended, of an earlier generation; what is no token."""
    children = [start(f"{GENERATION}.4"), start("00000006-beefed.5"), start("nonsense"), start(f"{GENERATION}.x")]

    assert kill_leftovers(found(), URL, NOBODY) == []
    assert [child.poll() for child in children] == [None] * 4


def test_a_token_behind_the_last_line_is_a_leftover(start: Start):
    """The disk was full when it was given out."""
    child = start(f"{GENERATION}.11", name="w-3")
    leftovers = kill_leftovers(found(token=""), URL, NOBODY)

    assert ended(child, leftovers)
    assert (leftovers[0].instance, leftovers[0].token) == ("w-3", f"{GENERATION}.11")


def test_a_generation_that_wrote_nothing_leaves_leftovers_all_the_same(start: Start):
    """Whether the one before it ended in order or not; its number may be the same, for it could not make its folder."""
    children = [start(f"{generation}.11", name="w-3") for generation in LATER]
    leftovers = kill_leftovers(found(token="", clean=True), URL, NOBODY)

    assert [ended(child, leftovers) for child in children] == [True] * len(LATER)
    assert {leftover.token for leftover in leftovers} == {f"{generation}.11" for generation in LATER}


def test_without_a_journal_all_of_the_crew_is_left_over(start: Start):
    """Somebody emptied it."""
    child = start("00000001-fade00.3")

    assert ended(child, kill_leftovers(Recalled(), URL, NOBODY))


def test_another_crews_workers_are_spared(start: Start):
    """The same numbers, another socket; and without a socket of our own nobody is known to be ours."""
    child, other = start(f"{LATER[1]}.11", url="unix:///run/other/supervisor.sock"), start(f"{LATER[1]}.11", url="")

    assert kill_leftovers(found(token=""), URL, NOBODY) == []
    assert kill_leftovers(Recalled(), URL, NOBODY) == []
    assert kill_leftovers(Recalled(), "", NOBODY) == []
    assert (child.poll(), other.poll()) == (None, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a pid namespace")
def test_a_containers_workers_are_spared(start: Start):
    """A crew in a container has the same path for its socket, but another pid namespace."""
    inner = ["env", f"CREWD_SPAWN={LATER[1]}.11", "SUPERVISOR_PROCESS_NAME=w-0", f"SUPERVISOR_SERVER_URL={URL}"]
    container = ["unshare", "--pid", "--fork", "--kill-child", *inner, "/bin/sleep", "60"]
    with subprocess.Popen(container, env={"PATH": os.environ["PATH"]}) as outer:
        try:
            wait_for(lambda: [pid for pid in proc.pids() if proc.spawn_token(pid) == f"{LATER[1]}.11"])

            assert kill_leftovers(Recalled(), URL, NOBODY) == []
            assert outer.poll() is None
        finally:
            outer.kill()


def test_with_kill_mode_process_only_leaders_of_a_group_are_left_over(start: Start):
    """Where no pid was written, that is the mark of the main process."""
    main = start(f"{LATER[1]}.11")
    member = start(f"{LATER[1]}.11", group=main.pid)

    assert ended(main, kill_leftovers(found(token=""), URL, frozenset({"w-0"})))
    assert member.poll() is None


def test_the_group_goes_too(start: Start):
    """Also members that have no token."""
    main = start(f"{GENERATION}.5")
    member = start("", group=main.pid)
    leftovers = kill_leftovers(found(), URL, NOBODY)

    assert ended(main, leftovers)
    assert member.wait() == -signal.SIGKILL


def test_with_kill_mode_process_the_group_stays(start: Start):
    """Only the main process ends."""
    main = start(f"{GENERATION}.5")
    member = start(f"{GENERATION}.5", group=main.pid)
    leftovers = kill_leftovers(found(pid=main.pid, ticks=proc.start_ticks(main.pid)), URL, frozenset({"w-0"}))

    assert ended(main, leftovers)
    assert member.poll() is None


def test_a_process_that_lives_is_not_gone(start: Start):
    """It is at its end, before it is reaped and after; another that has its number is not it."""
    child = start("")
    leftover = Leftover("w-0", "a.1", child.pid, proc.start_ticks(child.pid))

    assert not is_gone(leftover)
    assert is_gone(replace(leftover, start_ticks=1))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(leftover)
    child.wait()
    assert is_gone(leftover)


def test_more_than_there_are_descriptors_are_killed(start: Start, few_descriptors: int):
    """All of a worker's that are in groups of their own, and whatever comes behind them; no descriptor stays open."""
    children = [start(f"{GENERATION}.5") for _ in range(3 * few_descriptors)]
    before = os.listdir("/proc/self/fd")
    limit_descriptors(few_descriptors)
    leftovers = kill_leftovers(found(), URL, NOBODY)

    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert [leftover.error for leftover in leftovers] == [""] * len(children)
    assert [ended(child, leftovers) for child in children] == [True] * len(children)


@pytest.fixture
def few_descriptors() -> Generator[int]:
    """How many descriptors ``limit_descriptors`` is to leave; the limit is as before afterwards."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield 8
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def limit_descriptors(free: int) -> None:
    """Let no more than so many be opened from now on."""
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    limit = next(islice((number for number in count() if number not in used), free, None))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def test_what_cannot_be_killed_is_told(start: Start, monkeypatch: pytest.MonkeyPatch):
    """It is not gone while that cannot be found out."""
    children = [start(f"{GENERATION}.5") for _ in range(2)]
    monkeypatch.setattr(os, "pidfd_open", refuse)
    leftovers = kill_leftovers(found(), URL, NOBODY)
    gone = [is_gone(leftover) for leftover in leftovers]
    monkeypatch.undo()

    assert {leftover.pid for leftover in leftovers} == {child.pid for child in children}
    assert all("Too many open files" in leftover.error for leftover in leftovers)
    assert gone == [False, False]
    assert [child.poll() for child in children] == [None, None]


def refuse(_pid: int) -> int:
    """A process that has no descriptor left."""
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_what_proc_tells(start: Start):
    """Of a process that lives, of a zombie, of none."""
    child = start("a.1", name="w-9")
    uptime = float(open("/proc/uptime").read().split()[0])  # noqa: SIM115
    ticks = proc.start_ticks(child.pid)

    assert proc.spawn_token(child.pid) == "a.1"
    assert proc.variable(child.pid, b"SUPERVISOR_PROCESS_NAME") == "w-9"
    assert proc.command_name(child.pid) == "sleep"
    assert proc.group_of(child.pid) == child.pid
    assert uptime - 5 < ticks / os.sysconf("SC_CLK_TCK") <= uptime + 1
    assert child.pid in set(proc.pids())
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert (proc.group_of(child.pid), proc.spawn_token(child.pid)) == (0, "")
    assert (proc.start_ticks(child.pid), proc.command_name(child.pid)) == (ticks, "sleep")
    child.wait()
    assert (proc.start_ticks(child.pid), proc.command_name(child.pid), proc.spawn_token(child.pid)) == (0, "", "")
