"""The way in: supervisord calls ``make_engine`` for each HTTP server, after the first groups exist, before any spawn.

A reload (SIGHUP) calls it again in the same process, with a new supervisord object: that begins a new generation.
"""

import traceback
from typing import TYPE_CHECKING, Any

from supervisor.states import ProcessStates

from crewd.model.record import DOWN, Record
from crewd.model.spec import Loop
from crewd_supervisord import boot_lock, hooks, memory, runner, service
from crewd_supervisord.boot import boot, deafen
from crewd_supervisord.clock import boot_id
from crewd_supervisord.endings import wait_knowing
from crewd_supervisord.engine import Engine
from crewd_supervisord.faults import restart_natively
from crewd_supervisord.fingerprint import own_code
from crewd_supervisord.guard import examine
from crewd_supervisord.leftovers import kill_leftovers
from crewd_supervisord.parts import PARTS
from crewd_supervisord.recall import recall
from crewd_supervisord.rpc import EngineRPC
from crewd_supervisord.runner import Runner
from crewd_supervisord.spawn import Spawner, close_on_exec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def make_engine(supervisord: Any, directory: str) -> Any:
    """Return the ``crewd`` namespace of a supervisord object; its engine is made at the first call.

    ``directory`` holds ``current/policy.json`` and ``journal/``. An engine that cannot be made leaves supervisord
    to its own autorestart, and the namespace without methods.
    """
    run = runner.current
    if run is not None and run.engine.supervisord is supervisord:
        return EngineRPC(run)
    memory.collect()
    service.attend(supervisord)
    try:
        return EngineRPC(_make(supervisord, directory))
    except Exception:
        runner.make_current(None)
        deafen()
        supervisord.options.logger.critical(
            f"crewd: no engine, supervisord restarts programs by its own means: {traceback.format_exc()}"
        )
        _restart_natively(supervisord, _recalled(supervisord, directory))
        return _Nothing()
    finally:
        boot_lock.release()
        memory.calm_the_collector()


class _Nothing:
    """A namespace without methods."""


def _make(supervisord: Any, directory: str) -> Runner:
    examine("loop")  # before our own hooks go in
    own_code()  # before an upgrade comes
    engine = boot(supervisord, directory)
    hooks.install()
    close_on_exec()
    _watch_children(engine)
    fast = engine.table.loop is not Loop.STOCK and examine("spawn").fits
    run = Runner(engine, Spawner(engine, hooks.stock("spawn"), fast=fast))
    runner.make_current(run)
    _take_the_loop(supervisord, run)
    for part in PARTS:
        if not examine(part).fits:
            engine.logger.warn(f"crewd: {part}: {examine(part).reason}")
    engine.logger.info(f"crewd: engine of generation {engine.journal.generation} in {engine.mode} mode")
    return run


def _take_the_loop(supervisord: Any, run: Runner) -> None:
    """On the object, not its class: run as a script, supervisord's class is not the one that can be imported."""
    stock: Callable[[], Any] = supervisord.runforever
    supervisord.runforever = lambda: run.run(stock)


def _watch_children(engine: Engine) -> None:
    """Have the wait tell setpriv's own failure from the program's status, while the process can still be asked."""
    options = engine.options
    stock: Callable[[], tuple[int | None, int | None]] = options.waitpid

    def waitpid() -> tuple[int | None, int | None]:
        if engine.setpriv_running:
            try:
                return wait_knowing(engine.of_process, options.pidhistory)
            except Exception:
                engine.faults.caught(engine, "wait")
        return stock()

    options.waitpid = waitpid


def _recalled(supervisord: Any, directory: str) -> "Mapping[str, Record]":
    """Return what the journal tells, with all leftovers ended; nothing where that fails too."""
    try:
        found = recall(f"{directory}/journal", boot_id())
        kill_leftovers(found, supervisord.options.serverurl or "", frozenset())
        return found.records
    except Exception:
        return {}


def _restart_natively(supervisord: Any, records: "Mapping[str, Record]") -> None:
    """Nothing was spawned yet: let stock start and restart all that is not to stay down."""
    for group in supervisord.process_groups.values():
        for process in group.processes.values():
            standing = records.get(group.config.name, Record()).standing
            process.state = ProcessStates.STOPPED
            process.laststart = 1 if standing in DOWN else 0
            restart_natively(process)
