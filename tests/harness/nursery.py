"""The test's side of the subreaper: start processes below it, learn how they ended, leave nothing behind."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue

from harness.processes import Member, below
from harness.waiting import wait_for


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
        return self._spawned.get(timeout=20)

    def status(self, pid: int) -> int | None:
        """Return the raw wait status of a process that was spawned or adopted here, None while it runs."""
        return self._statuses.get(pid)

    def wait(self, pid: int, timeout: float = 10.0) -> int:
        """Return the raw wait status once the process ended."""
        wait_for(lambda: pid in self._statuses, timeout, f"the end of {pid}")
        return self._statuses[pid]

    def members(self) -> list[Member]:
        """Return every live process below the nursery, zombies left out."""
        return [member for member in below(self.pid) if member.state not in "ZX"]

    def close(self) -> None:
        """Kill all that is left; AssertionError if something cannot be killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            left = self.members()
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"processes that cannot be killed: {left}") from None
        finally:
            self._reader.join(5)
            self._process.stdout.close()
