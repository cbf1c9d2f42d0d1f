"""The test's side of the subreaper: start processes below it, learn how they ended, leave nothing behind."""

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue

from harness.processes import Member, below
from harness.waiting import PATIENCE_SEC, wait_for

DYING_SEC = 5.0
"""A process that was sent SIGKILL is there until it has had a processor once more."""


class Nursery:
    """Everything that is started through it, and all that those start, daemons included, ends with it."""

    def __init__(self) -> None:
        self._statuses: dict[int, int] = {}
        self._spawned: Queue[int] = Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(Path(__file__).with_name("subreaper.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            if "pid" in answer:
                self._statuses.pop(answer["pid"], None)  # an earlier process of the same number
                self._spawned.put(answer["pid"])
            else:
                self._statuses[answer["ended"]] = answer["status"]

    @property
    def pid(self) -> int:
        """Of the subreaper itself."""
        return self._process.pid

    def spawn(self, argv: list[str], env: dict[str, str], cwd: str, output: str) -> int:
        """Start a process in its own session, its output appended to a file; return its pid."""
        assert self._process.stdin is not None
        print(
            json.dumps({"argv": argv, "env": env, "cwd": cwd, "output": output}), file=self._process.stdin, flush=True
        )
        return self._spawned.get(timeout=2 * PATIENCE_SEC)

    def status(self, pid: int) -> int | None:
        """Return the raw wait status of a process that was spawned or adopted here, None while it runs."""
        return self._statuses.get(pid)

    def wait(self, pid: int, timeout: float = PATIENCE_SEC) -> int:
        """Return the raw wait status once the process ended."""
        wait_for(lambda: pid in self._statuses, timeout, f"the end of {pid}")
        return self._statuses[pid]

    def members(self) -> list[Member]:
        """Return every live process below the nursery, zombies left out."""
        return [member for member in below(self.pid) if member.state not in "ZX"]

    def left(self) -> list[Member]:
        """Return every live process below the nursery; one that was killed just now has the time to die."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.members(), DYING_SEC)
        return self.members()

    def close(self) -> None:
        """Kill all that is left; AssertionError if something cannot be killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(2 * PATIENCE_SEC)
        except subprocess.TimeoutExpired:
            left = self.members()
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"processes that cannot be killed: {left}") from None
        finally:
            self._reader.join(5)
            self._process.stdout.close()
