"""Where the engine is hooked into supervisor's classes. Installed once for each process; every hook asks ``current``.

Rules:

1. A hook does supervisor's own thing, by the function that was there before, and the engine's before or after it.
2. What the engine raises is caught here and handed to faults.py; what supervisor raises passes through.
3. Without an engine for the supervisord object at hand, a hook is supervisor's own function.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from supervisor.http import deferring_http_channel
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ProcessConfig
from supervisor.process import Subprocess
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import RUNNING_STATES, ProcessStates
from supervisor.xmlrpc import Faults, RPCError, supervisor_xmlrpc_handler

from crewd.model.facts import SpawnFailed
from crewd.model.reasons import Cause
from crewd.model.record import Standing
from crewd.model.states import ProcessState
from crewd.policy.restart import Ending
from crewd_supervisord import runner
from crewd_supervisord.endings import ending_of
from crewd_supervisord.engine import Engine
from crewd_supervisord.instance import Instance
from crewd_supervisord.runner import Runner
from crewd_supervisord.spawn import HANDLED, STARTABLE

# an answer leaves in pieces of this size; with supervisor's 4096 a long one costs its square
OUT_BUFFER_BYTES = 262144
EXIT_NOT_SPAWNED = 127
FOREIGN_RESTART_SEC = 1.0
"""A process that is not ours is started again so long after its last start, at the soonest."""
STOP_POLL_SEC = 0.01
"""How often a deferred answer to a stop looks; supervisor's 0 keeps its loop spinning until the worker has stopped."""

_stock: dict[str, Callable[..., Any]] = {}


def current() -> Runner | None:
    """Return the runner of the supervisord object that runs in this process."""
    return runner.current


def install() -> None:
    """Hook in, once."""
    if _stock:
        return
    deferring_http_channel.ac_out_buffer_size = OUT_BUFFER_BYTES
    _replace(Subprocess, "spawn", _spawn)
    _replace(Subprocess, "_spawn_as_child", _spawn_as_child)
    _replace(Subprocess, "finish", _finish)
    _replace(Subprocess, "transition", _transition)
    _replace(Subprocess, "write", _write)
    _replace(SupervisorNamespaceRPCInterface, "startProcess", _start_process)
    _replace(SupervisorNamespaceRPCInterface, "stopProcess", _stop_process)
    _replace(SupervisorNamespaceRPCInterface, "stopProcessGroup", _stop_process_group)
    _replace(SupervisorNamespaceRPCInterface, "stopAllProcesses", _stop_all_processes)
    _replace(SupervisorNamespaceRPCInterface, "addProcessGroup", _add_process_group)
    _replace(ProcessConfig, "make_dispatchers", _make_dispatchers)
    _replace(supervisor_xmlrpc_handler, "continue_request", _continue_request)
    _replace(asyncore.dispatcher, "del_channel", _del_channel)


def stock(name: str) -> Callable[..., Any]:
    """Return supervisor's own function of a hooked name."""
    return _stock[name]


def _replace(cls: Any, name: str, hook: Callable[..., Any]) -> None:
    _stock[name] = getattr(cls, name)
    hook.__name__ = name
    hook.__doc__ = _stock[name].__doc__  # supervisor's system.methodHelp reads the RPC methods' docstrings
    setattr(cls, name, hook)


def _instance(engine: Engine, process: Any) -> Instance | None:
    return engine.of_process.get(id(process))


# Processes


def _spawn(self: Any) -> Any:
    run = current()
    if run is None:
        return _stock["spawn"](self)
    instance = _instance(run.engine, self)
    if instance is not None and instance.asked_by:
        _guarded(run, "command start", None, _note_start, run, instance)
    try:
        pid = run.spawner.spawn(self)
    except AssertionError:
        raise  # supervisor's own complaint about a wrong state
    except Exception:
        run.engine.faults.caught(run.engine, "spawn", instance)
        pid = self.pid or _spawn_after_fault(run, self, instance)
    if pid:
        _registering(run, "attach", instance, run.attach, self)
    return pid


def _spawn_after_fault(run: Runner, process: Any, instance: Instance | None) -> Any:
    if process.state == ProcessState.STARTING:
        process.state = ProcessStates.BACKOFF
    if instance is not None and instance.record.token:
        failed = SpawnFailed(instance.name, instance.record.token, "fault", None, "the engine failed over it")
        _guarded(run, "spawn failed", instance, run.engine.note, instance, failed)
    pid = run.spawner.spawn_stock(process)
    engine = run.engine
    if pid and instance is not None:
        _guarded(run, "spawned", instance, engine.spawned, instance, pid, "stock")
    elif instance is not None and process.state == ProcessState.BACKOFF:
        message = str(process.spawnerr)
        _guarded(run, "spawn failed", instance, engine.spawn_failed, instance, "fork", None, message)
    return pid


def _guarded(run: Runner, where: str, instance: Instance | None, act: Callable[..., Any], *args: Any) -> Any:
    """Return what it answers; None where it fails."""
    try:
        return act(*args)
    except Exception:
        run.engine.faults.caught(run.engine, where, instance)
        return None


def _registering(run: Runner, where: str, instance: Instance | None, act: Callable[..., Any], *args: Any) -> None:
    """Change what the loop polls; where that fails, the loop is not to be trusted with any descriptor."""
    try:
        act(*args)
    except Exception:
        run.engine.faults.caught(run.engine, where, instance)
        run.give_way()


def _spawn_as_child(self: Any, filename: str, argv: list[str]) -> Any:
    """Run in a child made by fork: nothing may escape from here, or it would go on as a second supervisord."""
    run = current()
    try:
        _prepare_child(self, run)
        return _stock["_spawn_as_child"](self, filename, argv)
    except BaseException:
        if run is None:
            raise
        os._exit(EXIT_NOT_SPAWNED)


def _prepare_child(self: Any, run: Runner | None) -> None:
    """Make the child deaf to what the parent handles, then let signals in; give it what the table has for it."""
    for number in HANDLED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    instance = None if run is None else _instance(run.engine, self)
    if instance is not None:
        os.environ.update(instance.entry.environment)
        os.environ["CREWD_SPAWN"] = instance.record.token


def _finish(self: Any, pid: int, status: int) -> Any:
    run = current()
    if run is None:
        return _stock["finish"](self, pid, status)
    engine = run.engine
    instance = _instance(engine, self)
    _registering(run, "detach", instance, run.detach, self)
    if instance is None:
        return _stock["finish"](self, pid, status)
    commanded = bool(self.killing)
    ending = _ending(engine, instance, pid, status)
    try:
        _finish_by_stock(self, pid, status)
    except Exception:  # another plugin's callback: do what finish() does after it told of the new state
        engine.faults.caught(engine, "finish")
        _finish_the_rest(self, commanded=commanded)
    try:
        engine.ended(instance, ending, commanded=commanded)
    except Exception:
        engine.faults.caught(engine, "ended", instance)


def _ending(engine: Engine, instance: Instance, pid: int, status: int) -> Ending:
    try:
        return engine.ending(instance, pid, status)
    except Exception:
        engine.faults.caught(engine, "ending", instance)
        return ending_of(instance, status)


def _finish_the_rest(process: Any, *, commanded: bool) -> None:
    process.killing = False
    if process.state not in (ProcessState.EXITED, ProcessState.BACKOFF, ProcessState.STOPPED):
        process.state = ProcessStates.STOPPED if commanded else ProcessStates.EXITED
    process.pid = 0
    process.config.options.close_parent_pipes(process.pipes)
    process.pipes, process.dispatchers = {}, {}


def _transition(self: Any) -> None:
    """Leave alone what the engine looks after: its timers do all of this, and not by the wall clock.

    But startProcess() asks for it, to answer at once where a start succeeds at once.
    """
    run = current()
    instance = None if run is None else _instance(run.engine, self)
    if run is not None and instance is None and _guarded(run, "transition", None, _ended_just_now, self):
        return
    if run is None or instance is None or instance.name in run.engine.natives:
        _stock["transition"](self)
    elif self.state == ProcessState.STARTING:
        _guarded(run, "transition", instance, run.engine.succeed_if_due, instance)


def _ended_just_now(process: Any) -> bool:
    """Return whether the process, which is not ours, ended so soon that it waits for its restart.

    supervisor's loop, which comes round once a second, is what keeps a listener that dies at once from being started
    seventy times a second, and from flooding the other listeners with the events of it.
    """
    return bool(process.state == ProcessState.EXITED and 0 <= time.time() - process.laststart < FOREIGN_RESTART_SEC)


def _finish_by_stock(process: Any, pid: int, status: int) -> None:
    """Let supervisor finish. Its seconds are whole: one that we call RUNNING may be too quick by its own count."""
    begun, quick = process.laststart, process.config.startsecs
    if process.state == ProcessState.RUNNING and time.time() - begun < quick:
        process.laststart = time.time() - quick - 1
    try:
        _stock["finish"](process, pid, status)
    finally:
        process.laststart = begun


def _write(self: Any, chars: bytes) -> Any:
    """Write to standard input: what does not fit at once waits in the dispatcher, which is then polled."""
    try:
        return _stock["write"](self, chars)
    finally:
        run = current()
        if run is not None:
            _registering(run, "write", None, run.ask, self)


def _make_dispatchers(self: Any, proc: Any) -> Any:
    """Close the pipes when a log file cannot be opened: supervisor leaves them open, and tries again and again."""
    made: list[Any] = []
    make_pipes = self.options.make_pipes

    def remembered(stderr: bool = True) -> Any:
        made.append(make_pipes(stderr))
        return made[-1]

    self.options.make_pipes = remembered
    try:
        return _stock["make_dispatchers"](self, proc)
    except Exception:
        for pipes in made:
            self.options.close_parent_pipes(pipes)
            self.options.close_child_pipes(pipes)
        raise
    finally:
        self.options.make_pipes = make_pipes


# supervisord


def _del_channel(self: Any, map: Any = None) -> Any:  # noqa: A002 - asyncore's name
    run = current()
    if run is not None and self._fileno is not None:
        _registering(run, "del_channel", None, run.forget_channel, self._fileno)
    return _stock["del_channel"](self, map)


# Commands


def _continue_request(self: Any, data: Any, request: Any) -> Any:
    run = current()
    if run is None:
        return _stock["continue_request"](self, data, request)
    run.caller.channel = request.channel
    try:
        return _stock["continue_request"](self, data, request)
    finally:
        run.caller.channel = None


def _add_process_group(self: Any, name: str) -> Any:
    answer = _stock["addProcessGroup"](self, name)
    run = current()
    if answer and run is not None and run.engine.supervisord is self.supervisord:
        _guarded(run, "drift", None, run.engine.drift.added, name)
    return answer


def _start_process(self: Any, name: str, wait: bool = True) -> Any:
    """Have it noted who asks: supervisor may yet refuse, and what it refuses does not undo a stop."""
    start, run = _stock["startProcess"], current()
    instance = _commanded(run, self, name)
    if run is None or instance is None:
        return start(self, name, wait)
    if _guarded(run, "command start", None, run.engine.clear_of_leftovers, instance) is False:
        raise RPCError(Faults.SPAWN_ERROR, f"{name}: a process of an earlier supervisord has not ended yet")
    process = instance.process
    waiting = process.state == ProcessState.BACKOFF
    instance.asked_by = _guarded(run, "command start", None, run.caller.who) or "-"
    instance.cause = Cause.COMMAND
    if waiting:
        process.state = ProcessStates.EXITED  # else supervisor says that it is started already
    try:
        return start(self, name, wait)
    finally:
        refused = bool(instance.asked_by)  # a spawn that was begun took note of it, and its end may be judged by now
        instance.cause, instance.asked_by = Cause.BOOT, ""
        if waiting and refused and process.state == ProcessState.EXITED:
            process.state = ProcessStates.BACKOFF


def _note_start(run: Runner, instance: Instance) -> None:
    """Take note of a start that was asked for, if this spawn is to be one: during a stop it is none."""
    who, instance.asked_by = instance.asked_by, ""
    if not instance.process.pid and instance.process.state in STARTABLE:
        run.engine.command(instance, "start", who, "supervisor")


def _stop_process(self: Any, name: str, wait: bool = True) -> Any:
    run = current()
    _refrain(run, _commanded(run, self, name))
    answer = _stock["stopProcess"](self, name, wait)
    if callable(answer) and run is not None and run.loop is not None:  # supervisor's own loop would sleep over it
        setattr(answer, "delay", STOP_POLL_SEC)  # noqa: B010 - a function's attribute, supervisor's way
    return answer


def _stop_process_group(self: Any, name: str, wait: bool = True) -> Any:
    run = current()
    _refrain(run, _commanded(run, self, name))
    return _stock["stopProcessGroup"](self, name, wait)


def _stop_all_processes(self: Any, wait: bool = True) -> Any:
    """supervisor stops, later, whatever runs then: what is only about to start is taken back now."""
    run = current()
    if run is not None and run.engine.supervisord is self.supervisord and run.engine.up:
        for instance in list(run.engine.instances.values()):
            _refrain(run, instance)
    return _stock["stopAllProcesses"](self, wait)


def _commanded(run: Runner | None, interface: Any, name: str) -> Instance | None:
    """Return the instance that a command of supervisor's own interface names, if it is one of ours."""
    if run is None or run.engine.supervisord is not interface.supervisord or not run.engine.up:
        return None
    return _guarded(run, "command", None, _named, run.engine, name)


def _named(engine: Engine, name: str) -> Instance | None:
    group, _, process = str(name).partition(":")
    return engine.instances.get(group) if process in ("", group) else None


def _refrain(run: Runner | None, instance: Instance | None) -> None:
    """Take note of a stop, and take back a start that is still to come."""
    if run is None or instance is None:
        return
    again = _guarded(run, "command stop", None, run.engine.refrain, instance)
    running = instance.process.state in RUNNING_STATES
    if again or (running and instance.record.standing is not Standing.STOPPED):
        who = _guarded(run, "command stop", None, run.caller.who) or "-"
        _guarded(run, "command stop", None, run.engine.command, instance, "stop", who, "supervisor")
