"""``type: command``: a program of the operator's own, from the configuration file alone.

Rules:

1. No shell: the arguments are what they are. Nothing of a request reaches them, or its environment.
2. It gets no more of crewd's environment than PATH, LANG and TZ.
3. At the deadline its whole process group is killed, as it is when crewd ends.
"""

import asyncio
import os
import pwd
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Self

from crewd.plugin import Act, Form, Occasion, Reset, Step, option

RUN_COMMAND = "run_command"
OUTPUT_BYTES = 64 * 1024
SAID_MOST = 300
REST_SEC = 0.5
_PASSED = ("PATH", "LANG", "TZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """What is run."""

    argv: tuple[str, ...] = option("The program and its arguments; never given to a shell.", form=Form.ARGV)
    user: str | None = option(
        "Who it runs as; unset: as crewd. Only root can run it as another.", default=None, form=Form.USER
    )
    directory: str = option("The working directory.", default="/", form=Form.PATH)
    deadline_sec: float = option("How long it may run.", default=30.0, most=600.0)


class CommandReset(Reset[CommandOptions]):
    """Runs it."""

    options_type = CommandOptions

    @property
    def deadline_sec(self) -> float:
        """As configured."""
        return self.options.deadline_sec

    def acts(self) -> tuple[Act, ...]:
        """The one program."""
        return (Act(RUN_COMMAND, self.options.argv[0]),)

    async def perform(self, act: Act, occasion: Occasion) -> AsyncGenerator[Step, None]:
        """Run it to its end."""
        async with _Output() as output:
            process = await self._started(act, occasion, output.end)
            output.begin()
            try:
                status = await process.wait()
            finally:
                _kill(process)
            said = await output.rest()
        if status:
            how = f"signal {-status}" if status < 0 else f"exit code {status}"
            error = f"cannot run {act.key}: it ended with {how}{_last(said)}"
            yield Step(RUN_COMMAND, act.key, success=False, error=error, details={"exit_code": status})
        else:
            yield Step(RUN_COMMAND, act.key, details={"exit_code": status})

    async def _started(self, act: Act, occasion: Occasion, output: int) -> Process:
        environ = {name: os.environ[name] for name in _PASSED if name in os.environ}
        environ |= {"CREWD_WORKER_ID": occasion.worker_id, "CREWD_INSTANCES": " ".join(occasion.instances)}
        try:
            identity = self._identity(environ)
            return await asyncio.create_subprocess_exec(
                *self.options.argv,
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.options.directory,
                env=environ,
                start_new_session=True,
                **identity,
            )
        except OSError as error:
            raise OSError(f"cannot run {act.key}: {error.strerror or error}") from None

    def _identity(self, environ: dict[str, str]) -> dict[str, Any]:
        """Return whose the process is to be; ``environ`` gets what goes with that."""
        if self.options.user is None:
            return {}
        try:
            found = _account(self.options.user)
        except KeyError:
            raise OSError(f"there is no user {self.options.user}") from None
        environ |= {"USER": found.pw_name, "LOGNAME": found.pw_name, "HOME": found.pw_dir, "SHELL": found.pw_shell}
        if found.pw_uid == os.geteuid():
            return {}
        groups = os.getgrouplist(found.pw_name, found.pw_gid)
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": groups}


def _account(user: str) -> pwd.struct_passwd:
    return pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)


class _Output:
    """A pipe of our own: asyncio's would let us wait for whoever else holds it, not for the program alone."""

    def __init__(self) -> None:
        self._reading, self.end = os.pipe()
        self._reader = asyncio.StreamReader()
        self._said = b""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        protocol = asyncio.StreamReaderProtocol(self._reader)
        pipe = os.fdopen(self._reading, "rb", 0)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._let_go()
        if self._task is not None:
            self._task.cancel()
        self._transport.close()

    def begin(self) -> None:
        """Read: the program holds the other end by now."""
        self._let_go()
        self._task = asyncio.create_task(self._read())

    async def rest(self) -> bytes:
        """Return the end of what was said; whoever left the process group is not waited for."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=REST_SEC)
        return self._said

    async def _read(self) -> None:
        while piece := await self._reader.read(OUTPUT_BYTES):
            self._said = (self._said + piece)[-OUTPUT_BYTES:]

    def _let_go(self) -> None:
        if self.end >= 0:
            os.close(self.end)
            self.end = -1


def _last(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1][-SAID_MOST:]}" if lines else ""


def _kill(process: Process) -> None:
    """End what is left of it, children included."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
