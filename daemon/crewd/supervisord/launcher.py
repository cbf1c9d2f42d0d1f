"""supervisord's life: started here, or taken over from whoever started it; watched through a pidfd either way.

Rules:

1. It runs in a session of its own, so that a terminal's Ctrl-C reaches the daemon alone.
2. Of the daemon's environment it gets PATH, LANG and TZ; of its descriptors none.
3. Its own output on standard error goes to ``supervisord.stderr.log``, begun anew at each start: its last words.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from crewd.errors import TargetError
from crewd.model.home import Home

PASSED_ON = ("PATH", "LANG", "TZ")
LAST_WORDS_LINES = 3
LAST_WORDS_BYTES = 4096


class PidfdProcess:
    """A process held by its pidfd: never another that got its number. Implements ``reconcile.port.Process``."""

    def __init__(self, pid: int, child: "subprocess.Popen[bytes] | None" = None) -> None:
        self._pid = pid
        self._child = child
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError as cause:
            raise TargetError(f"cannot watch process {pid}: {cause.strerror}", retryable=True) from None

    def __del__(self) -> None:
        if getattr(self, "_pidfd", -1) >= 0:
            os.close(self._pidfd)
        if self._child is not None and self._child.returncode is None:
            self._child.returncode = 0  # it is kept on purpose: no warning that it still runs

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._pid

    async def ended(self) -> int | None:
        """Wait for its end; return its exit code, negative for a signal, None where it is not our child."""
        loop = asyncio.get_running_loop()
        gone = loop.create_future()
        loop.add_reader(self._pidfd, lambda: gone.done() or gone.set_result(None))
        try:
            await gone
        finally:
            loop.remove_reader(self._pidfd)
        return None if self._child is None else self._child.wait()

    def terminate(self) -> None:
        """Ask it to end gracefully."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once. Its workers live on."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            pass


class SupervisordLauncher:
    """Starts supervisord on the rendering in force. Implements ``reconcile.port.Launcher``."""

    def __init__(self, home: Home, environ: Mapping[str, str], python: Sequence[str] = (sys.executable,)) -> None:
        self._home = home
        self._environ = {name: environ[name] for name in PASSED_ON if name in environ}
        self._python = tuple(python)
        self._stderr = f"{home.log}/supervisord.stderr.log"

    @property
    def command(self) -> list[str]:
        """The command that starts it."""
        options = ["-P", "-X", "utf8"]  # nothing is imported from the working directory; files are read as UTF-8
        return [*self._python, *options, "-m", "crewd_supervisord.launch", "-n", "-c", self._home.supervisord_conf]

    def start(self) -> PidfdProcess:
        """Start it."""
        try:
            for folder in (self._home.log, self._home.engine_run):
                Path(folder).mkdir(mode=0o750, parents=True, exist_ok=True)
            stderr = os.open(self._stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o640)
        except OSError as cause:
            raise TargetError(f"cannot start supervisord: {cause.filename}: {cause.strerror}") from None
        try:
            child = subprocess.Popen(
                self.command,
                env=self._environ,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as cause:
            raise TargetError(f"cannot start supervisord: {cause.strerror}", retryable=True) from None
        finally:
            os.close(stderr)
        return PidfdProcess(child.pid, child)

    def attach(self, pid: int) -> PidfdProcess:
        """Watch one that runs."""
        return PidfdProcess(pid)

    def last_words(self) -> str:
        """Return what the last one started here said on its standard error, a few lines at most."""
        try:
            text = Path(self._stderr).read_bytes()[-LAST_WORDS_BYTES:].decode(errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip(" ^~")]
        return " / ".join(lines[-LAST_WORDS_LINES:])
