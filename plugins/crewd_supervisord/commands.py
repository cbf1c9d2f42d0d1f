"""What operators ask for through ``crewd.*``: queued, never blocking; each answer says what was done."""

from collections.abc import Callable, Iterable

from supervisor.states import ProcessStates

from crewd.model.reasons import Cause
from crewd.model.record import Standing
from crewd.model.states import ProcessState
from crewd_supervisord.engine import Engine
from crewd_supervisord.instance import AfterStop, Instance

_Command = Callable[[Engine, Instance, str, str], str]
_ALIVE = (ProcessState.STARTING, ProcessState.RUNNING)
_DOWN = (ProcessState.EXITED, ProcessState.FATAL)


def start(engine: Engine, instances: Iterable[Instance], who: str, through: str) -> dict[str, str]:
    """Start what does not run; a manual start is never refused and begins a new history."""
    return {instance.name: _start(engine, instance, who, through) for instance in instances}


def stop(
    engine: Engine, instances: Iterable[Instance], who: str, through: str, *, force: bool = False
) -> dict[str, str]:
    """Stop what runs or waits for its restart; with ``force`` by SIGKILL at once."""
    return {instance.name: _hurried(engine, instance, _stop, who, through, force) for instance in instances}


def restart(
    engine: Engine, instances: Iterable[Instance], who: str, through: str, *, force: bool = False
) -> dict[str, str]:
    """Stop, then start; what does not run is started. With ``force`` it is stopped by SIGKILL at once."""
    return {instance.name: _hurried(engine, instance, _restart, who, through, force) for instance in instances}


def reset_failed(engine: Engine, instances: Iterable[Instance], who: str, through: str) -> dict[str, str]:
    """Forget the starts; what was given up, or failed for good, is plainly stopped then. Starts nothing."""
    return {instance.name: _reset(engine, instance, who, through) for instance in instances}


def _hurried(engine: Engine, instance: Instance, do: _Command, who: str, through: str, force: bool) -> str:
    done = do(engine, instance, who, f"{through}, by force" if force else through)
    if force:
        engine.hurry(instance)
    return done


def _start(engine: Engine, instance: Instance, who: str, through: str) -> str:
    state = instance.process.state
    if state in _ALIVE:
        return "already running"
    engine.command(instance, "start", who, through)
    if state == ProcessState.STOPPING:
        instance.after_stop = AfterStop.START_COMMANDED
        return "starts when it has stopped"
    engine.start(instance, Cause.COMMAND)
    return "started"


def _stop(engine: Engine, instance: Instance, who: str, through: str) -> str:
    state = instance.process.state
    if state in _ALIVE or state == ProcessState.BACKOFF:
        engine.command(instance, "stop", who, through)
        engine.stop(instance, AfterStop.NOTHING)
        return "stopped" if state == ProcessState.BACKOFF else "stopping"
    if state == ProcessState.STOPPING:
        engine.command(instance, "stop", who, through)
        instance.after_stop = AfterStop.NOTHING
        return "already stopping"
    if engine.withdraw(instance):
        engine.command(instance, "stop", who, through)
        return "stopped"
    return "not running"


def _restart(engine: Engine, instance: Instance, who: str, through: str) -> str:
    engine.command(instance, "restart", who, through)
    if instance.process.state in _ALIVE:
        engine.stop(instance, AfterStop.START_COMMANDED)
        return "restarting"
    if instance.process.state == ProcessState.STOPPING:
        instance.after_stop = AfterStop.START_COMMANDED
        return "starts when it has stopped"
    engine.start(instance, Cause.COMMAND)
    return "started"


def _reset(engine: Engine, instance: Instance, who: str, through: str) -> str:
    engine.command(instance, "reset_failed", who, through)
    if instance.process.state in _DOWN and instance.record.standing is Standing.STOPPED:
        instance.process.change_state(ProcessStates.STOPPED)
        return "reset"
    return "history forgotten"
