"""``crewd run`` as PID 1, in a pid namespace of its own as in a container."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.daemon import Daemon
from harness.waiting import wait_for

ORPHANS = 1000
NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a pid namespace of its own takes root")


class Contained(Daemon):
    """A daemon that is PID 1 of a namespace; ``unshare`` outside is its parent, and ends as it does."""

    def __init__(self) -> None:
        super().__init__()
        self.prefix = NAMESPACE

    @property
    def first(self) -> int:
        """PID 1, as it is called outside."""
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text())

    def signal(self, number: signal.Signals) -> None:
        """Send PID 1 a signal."""
        os.kill(self.first, number)

    def inside(self, script: str) -> list[str]:
        """Return the lines that it prints, run inside."""
        argv = ["nsenter", "-t", str(self.first), "--pid", "--mount", "sh", "-c", script]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()

    def zombies(self) -> list[str]:
        """Return all that have ended and that nobody has waited for."""
        return self.inside("grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null; true")


@pytest.fixture
def daemon() -> Iterator[Contained]:
    """One that is not started yet; it is PID 1."""
    with Contained() as found:
        yield found


def sh(script: str) -> list[str]:
    """Return the command that runs it."""
    return ["/bin/sh", "-c", script]


def test_pid_1_reaps_whatever_loses_its_parent(daemon: Contained) -> None:
    """A thousand orphans of a worker leave no zombie; a child of the daemon, or of supervisord, is theirs to reap."""
    orphans = f"i=0; while [ $i -lt {ORPHANS} ]; do (sleep 0.01 &); i=$((i+1)); done"
    many = f"{orphans}; echo > {daemon.root}/made; exec sleep 99"
    polite = f'trap "echo told > {daemon.root}/told; exit 0" TERM; while :; do sleep 0.05; done'
    daemon.write({"many": {"command": sh(many)}, "polite": {"command": sh(polite)}})
    daemon.start()
    wait_for(Path(daemon.root, "made").exists, 120, daemon.log)
    wait_for(lambda: daemon.inside("pgrep -c -f '^sleep 0.01' || true") == ["0"], what=daemon.log)

    wait_for(lambda: not daemon.zombies(), what=daemon.zombies)
    daemon.write({"polite": {"command": sh(polite)}})
    assert "removed=many-0" in daemon.reload()
    assert daemon.stop() == 0
    assert Path(daemon.root, "told").exists()
    assert 'supervisord stopped how="exited with 0"' in daemon.log()


def test_pid_1_is_small_and_passes_a_signal_on_once(daemon: Contained) -> None:
    """The daemon is its child, in a session of its own: a terminal's Ctrl-C comes from PID 1 alone."""
    daemon.write({"web": {"command": ["sleep", "1000"]}})
    daemon.start()
    [child] = daemon.inside("pgrep -P 1 -f 'crewd.cli'")

    assert daemon.inside(f"ps -o sid= -p {child}") != daemon.inside("ps -o sid= -p 1")
    [private] = daemon.inside("awk '/^Private_Dirty/ {sum += $2} END {print sum}' /proc/1/smaps_rollup")
    assert int(private) < 8192
    for ignored in (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        daemon.signal(ignored)
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    assert "still stopping" not in daemon.log()


def test_an_essential_worker_ends_pid_1(daemon: Contained) -> None:
    """With the status and the sentence that whoever runs the container can act on."""
    daemon.write({"web": {"command": ["false"], "essential": True, "restart": "no"}})

    assert daemon.run() == 1
    assert daemon.log().splitlines()[-1] == (
        "cannot go on: web-0 of the essential worker web ended for good: exit code 1 (ExitCode -> NotWanted)"
    )


def test_pid_1_ends_with_a_daemon_that_was_killed(daemon: Contained) -> None:
    """As a shell says it: 128 and the signal. Nothing is left."""
    daemon.write({"web": {"command": ["sleep", "1000"]}})
    daemon.start()
    daemon.inside("pkill -KILL -P 1 -f crewd.cli")

    assert daemon.wait() == 128 + signal.SIGKILL
    assert daemon.nursery.left() == []
