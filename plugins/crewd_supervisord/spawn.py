"""Starting a process: posix_spawn where nothing but argv and environment is wanted, Popen for directory and umask.

Follows supervisor's Subprocess.spawn() step by step, so that states, messages and the closing of pipes are as there
(guard.py watches that function). What differs:

1. The child is made by vfork, not fork: signals are blocked around it and its handlers are reset before the mask,
   so no SIGTERM is lost; an error of exec or chdir is known here, in the parent.
2. Where no output is captured and standard input is null there are no pipes: all three are /dev/null.
3. Event listeners, FastCGI programs and any other subclass take supervisor's own way, and so does everything where
   a function that this file relies on is unknown.
"""

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from supervisor.options import ProcessConfig, ProcessException
from supervisor.process import Subprocess
from supervisor.states import ProcessStates

from crewd.model.states import ProcessState

if TYPE_CHECKING:
    from crewd_supervisord.engine import Engine
    from crewd_supervisord.instance import Instance

STARTABLE = (ProcessState.EXITED, ProcessState.FATAL, ProcessState.BACKOFF, ProcessState.STOPPED)
_NO_PIPES: Mapping[str, int | None] = MappingProxyType(
    dict.fromkeys(("stdin", "stdout", "stderr", "child_stdin", "child_stdout", "child_stderr"))
)
"""One for all processes without pipes: nobody writes into it."""
# what the parent handles and a child must not inherit
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2)


class _SpawnError(Exception):
    def __init__(self, step: str, number: int | None, message: str) -> None:
        self.step, self.number, self.message = step, number, message
        super().__init__(message)


class Spawner:
    """Starts the processes of one engine."""

    def __init__(self, engine: "Engine", stock: Callable[[Any], int | None], *, fast: bool) -> None:
        self._engine = engine
        self._stock = stock
        self.fast = fast
        self._inherited = {**os.environ, "SUPERVISOR_ENABLED": "1"}
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    def spawn(self, process: Any) -> int | None:
        """Start the process by the way that fits it; returns its pid, or None when there is none."""
        instance = self._engine.of_process.get(id(process))
        if instance is None:
            return self.spawn_stock(process)
        if self.fast and type(process) is Subprocess and type(process.config) is ProcessConfig:
            return self._spawn_fast(process, instance)
        pid = self.spawn_stock(process)
        if pid:
            if instance.entry.stdin_null and process.pipes.get("stdin") is not None:
                _close_stdin(process)  # the worker reads its end, as from /dev/null
            self._engine.spawned(instance, pid, "stock")
        elif process.state == ProcessState.BACKOFF:
            process.dispatchers, process.pipes = {}, {}  # supervisor closed them when it could not fork
            self._engine.spawn_failed(instance, "fork", None, str(process.spawnerr))
        return pid

    def spawn_stock(self, process: Any) -> int | None:
        """Start the process as supervisor does, without losing a signal that comes between fork and exec."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            return self._stock(process)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def close(self) -> None:
        """Close what is held open."""
        os.close(self._null)

    def _spawn_fast(self, process: Any, instance: "Instance") -> int | None:
        logger = process.config.options.logger
        if process.pid:
            logger.warn(f"process '{instance.name}' already running")
            return None
        _reset(process)
        process.laststart = time.time()
        process._assertInState(*STARTABLE)
        process.change_state(ProcessStates.STARTING)
        try:
            pid = self._start(process, instance)
        except _SpawnError as cause:
            process.record_spawnerr(cause.message)
            process.change_state(ProcessStates.BACKOFF)
            self._engine.spawn_failed(instance, cause.step, cause.number, cause.message)
            return None
        process.pid = pid
        logger.info(f"spawned: '{instance.name}' with pid {pid}")
        process.spawnerr = None
        process.delay = time.time() + process.config.startsecs
        process.config.options.pidhistory[pid] = process
        self._engine.spawned(instance, pid, instance.method)
        return pid

    def _start(self, process: Any, instance: "Instance") -> int:
        try:
            filename, argv = process.get_execv_args()
        except ProcessException as cause:
            raise _SpawnError("exec", errno.ENOENT, str(cause.args[0])) from None
        options = process.config.options
        streams = self._open_streams(process, instance)
        try:
            environment = self._environment(process, instance)
            pid = self._execute(instance, process.config, filename, argv, environment, streams)
        except Exception:
            options.close_parent_pipes(process.pipes)
            options.close_child_pipes(process.pipes)
            process.dispatchers, process.pipes = {}, {}
            raise
        options.close_child_pipes(process.pipes)
        return pid

    def _open_streams(self, process: Any, instance: "Instance") -> tuple[int, int, int]:
        """Return what becomes the child's descriptors 0, 1 and 2."""
        config = process.config
        if instance.entry.stdin_null and not _captured(config):
            process.dispatchers, process.pipes = {}, _NO_PIPES
            return self._null, self._null, self._null
        _need_log_directories(config)
        try:
            process.dispatchers, process.pipes = config.make_dispatchers(process)
        except OSError as cause:
            if cause.errno == errno.EMFILE:
                raise _SpawnError("pipes", cause.errno, f"too many open files to spawn '{instance.name}'") from None
            raise _SpawnError("pipes", cause.errno, f"cannot make pipes for '{instance.name}': {cause}") from None
        if instance.entry.stdin_null:
            os.close(process.pipes["child_stdin"])
            process.pipes["child_stdin"] = None
            _close_stdin(process)
        out = process.pipes["child_stdout"]
        stdin = self._null if instance.entry.stdin_null else process.pipes["child_stdin"]
        return stdin, out, out if config.redirect_stderr else process.pipes["child_stderr"]

    def _execute(
        self,
        instance: "Instance",
        config: Any,
        filename: str,
        argv: list[str],
        environment: dict[str, str],
        streams: tuple[int, int, int],
    ) -> int:
        plain = config.directory is None and config.umask is None
        instance.method = "posix_spawn" if plain else "popen"
        try:
            if plain:
                return _posix_spawn(filename, argv, environment, streams)
            return _popen(filename, argv, environment, streams, config)
        except OSError as cause:
            raise _explained(cause, argv[0], config.directory, instance.name) from None

    def _environment(self, process: Any, instance: "Instance") -> dict[str, str]:
        """As supervisor's child makes it; then what the table has for the instance."""
        config = process.config
        environment = self._inherited.copy()
        url = config.serverurl if config.serverurl is not None else config.options.serverurl
        if url:
            environment["SUPERVISOR_SERVER_URL"] = url
        environment["SUPERVISOR_PROCESS_NAME"] = config.name
        if process.group:
            environment["SUPERVISOR_GROUP_NAME"] = process.group.config.name
        environment.update(config.environment or {})
        environment.update(instance.entry.environment)
        environment["CREWD_SPAWN"] = instance.record.token
        return environment


def _reset(process: Any) -> None:
    process.killing = False
    process.spawnerr = None
    process.exitstatus = None
    process.system_stop = False
    process.administrative_stop = False


def _close_stdin(process: Any) -> None:
    """Give up supervisord's end of the standard input: nothing is ever written to it."""
    stdin = process.pipes["stdin"]
    process.dispatchers.pop(stdin, None)
    os.close(stdin)
    process.pipes["stdin"] = None


def _captured(config: Any) -> bool:
    """Return whether any output of the process goes anywhere."""
    return bool(
        config.stdout_logfile
        or config.stdout_events_enabled
        or config.stdout_capture_maxbytes
        or config.stdout_syslog
        or config.stderr_events_enabled
        or config.stderr_capture_maxbytes
        or config.stderr_syslog
        or (config.stderr_logfile and not config.redirect_stderr)
    )


def _need_log_directories(config: Any) -> None:
    """supervisor's make_dispatchers() leaves its pipes open when a log file cannot be."""
    for path in (config.stdout_logfile, config.stderr_logfile):
        if isinstance(path, str) and path.startswith("/") and not os.path.isdir(os.path.dirname(path)):
            raise _SpawnError("pipes", errno.ENOENT, f"the directory of the log file {path} does not exist")


def _posix_spawn(filename: str, argv: list[str], environment: dict[str, str], streams: tuple[int, int, int]) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(streams)]
    return os.posix_spawn(filename, argv, environment, file_actions=actions, setpgroup=0, setsigmask=())


def _popen(
    filename: str, argv: list[str], environment: dict[str, str], streams: tuple[int, int, int], config: Any
) -> int:
    child = subprocess.Popen(
        argv,
        executable=filename,
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
        close_fds=False,  # ours are all close-on-exec; with True every spawn would close thousands
        cwd=config.directory,
        env=environment,
        umask=-1 if config.umask is None else config.umask,
        process_group=0,
        restore_signals=False,
    )
    child.returncode = 0  # supervisor reaps it: keep Popen from trying
    return child.pid


def _explained(cause: OSError, program: str, directory: str | None, name: str) -> _SpawnError:
    word = errno.errorcode.get(cause.errno or 0, str(cause.errno))
    if cause.errno == errno.EAGAIN:
        return _SpawnError("fork", cause.errno, f"Too many processes in process table to spawn '{name}'")
    if directory is not None and cause.filename == directory:
        return _SpawnError("chdir", cause.errno, f"couldn't chdir to {directory}: {word}")
    return _SpawnError("exec", cause.errno, f"couldn't exec {program}: {word}")


def close_on_exec() -> None:
    """Mark every descriptor that supervisord was given, beyond 0, 1 and 2, so that no child sees it."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2:  # noqa: PLR2004 - standard error
            try:
                os.set_inheritable(fd, False)
            except OSError:
                continue
