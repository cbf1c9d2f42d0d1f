"""The beginning of a generation: what the journal recalls is settled, before anything is spawned.

By standing: NEW starts if autostart; UP starts, at its due time if it was waiting; STOPPED, FINISHED and GIVEN_UP stay
as they are, except that a worker given up under other settings begins a new history. An end that was not judged any
more, because supervisord was killed in between, is judged now.
"""

import os
import time
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from supervisor import events
from supervisor.options import ProcessConfig

from crewd import __version__
from crewd.model import table as tables
from crewd.model.facts import GenerationBegan, LeftoverEnded, Lost, Removed, StateChanged
from crewd.model.reasons import Cause, Reason
from crewd.model.record import DOWN, PastExit, Record, Standing
from crewd.model.spec import KillMode, Loop, RestartMode
from crewd.model.states import ProcessState
from crewd.model.table import Table
from crewd.policy.restart import Ending
from crewd_supervisord.clock import boot_id, boottime
from crewd_supervisord.engine import NEVER, Engine
from crewd_supervisord.faults import restart_natively
from crewd_supervisord.guard import examine
from crewd_supervisord.instance import Instance
from crewd_supervisord.leftovers import Leftover, kill_leftovers
from crewd_supervisord.recall import Recalled, next_generation, recall
from crewd_supervisord.sharing import Shared
from crewd_supervisord.timers import Alarm


def load_table(directory: str) -> Table:
    """Return the policy table in force; raises OSError or TableError."""
    with open(f"{directory}/current/policy.json", "rb") as file:
        return tables.decode(file.read())


def without_sections(table: Table) -> Table:
    """Return the table with a digest for the text of each section: once it is parsed, only its change matters."""
    entries = {name: replace(entry, section=_digest(entry.section)) for name, entry in table.entries.items()}
    return replace(table, entries=entries)


def _digest(section: str) -> str:
    return blake2b(section.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def boot(supervisord: Any, directory: str) -> Engine:
    """Return the engine of a supervisord object that has its groups and has spawned nothing yet."""
    table, boot = without_sections(load_table(directory)), boot_id()
    found = recall(f"{directory}/journal", boot)
    engine = Engine(supervisord, directory, table, next_generation(f"{directory}/journal"), boot)
    _choose_mode(engine)
    if found.skipped:
        engine.logger.warn(f"crewd: {found.skipped} lines of the journal of {found.previous} cannot be understood")
    shared = Shared()
    for group in supervisord.process_groups.values():
        instance = enroll(engine, group, found.records)
        if instance is not None:
            shared.pack(group.config, instance.entry)
    engine.journal.open()
    engine.journal.append(_began(engine, found))
    _end_leftovers(engine, found)
    for name in found.records.keys() - engine.instances.keys():
        engine.journal.append(Removed(name))
    _listen(engine)
    for instance in sorted(engine.instances.values(), key=lambda one: one.process.config.priority):
        try:
            _settle_recalled(engine, instance, clean=found.clean)
        except Exception:
            # supervisor would start what it is handed over
            engine.faults.caught(engine, "boot", None if instance.record.standing in DOWN else instance)
    return engine


def _settle_recalled(engine: Engine, instance: Instance, *, clean: bool) -> None:
    if not clean and _unjudged(instance.record):
        _put(engine, instance, ProcessState.EXITED)
        engine.judge(instance, _ending(instance.record.exits[-1]))
    else:
        settle(engine, instance)


def enroll(engine: Engine, group: Any, records: dict[str, Record]) -> Instance | None:
    """Take in a group if it is an instance of ours: in the table, one plain program."""
    name = str(group.config.name)
    entry = engine.table.entries.get(name)
    processes = list(group.processes.values())
    if entry is None or len(processes) != 1 or type(processes[0].config) is not ProcessConfig:
        return None
    instance = Instance(entry, group, processes[0], records.get(name, Record()))
    engine.enroll(instance)
    return instance


def settle(engine: Engine, instance: Instance) -> None:
    """Give the instance the state that its standing asks for, and plan its start."""
    record, process = instance.record, instance.process
    changed = record.settings != instance.entry.settings
    if record.standing is Standing.GIVEN_UP and not changed:
        process.spawnerr = "gave up: start limit hit"
        _put(engine, instance, ProcessState.FATAL)
    elif record.standing is Standing.FINISHED:
        _put(engine, instance, ProcessState.EXITED)
    elif record.standing is Standing.STOPPED:
        _put(engine, instance, ProcessState.STOPPED)
    elif record.standing is Standing.UP and record.due_at is not None and record.due_at > boottime():
        _put(engine, instance, ProcessState.BACKOFF)
        engine.timers.set(instance, record.due_at, Alarm.START)
    elif record.standing is not Standing.NEW or process.config.autostart:
        _put(engine, instance, ProcessState.STOPPED)
        process.laststart = time.time()
        engine.start(instance, Cause.CONFIG if record.standing is Standing.GIVEN_UP else Cause.BOOT)


def _put(engine: Engine, instance: Instance, state: ProcessState) -> None:
    """Set the state without telling listeners: nothing happened. ``laststart`` keeps stock from starting it."""
    record, process = instance.record, instance.process
    if record.process_state is not state:
        engine.note(instance, StateChanged(instance.name, record.process_state, state))
    process.state = int(state)
    process.laststart = int(record.started_wall or time.time())
    if record.exits:
        last = record.exits[-1]
        process.laststop = int(last.at)
        process.exitstatus = last.code if last.code is not None else -(last.signal or 0)
    if state is ProcessState.BACKOFF:
        process.backoff = NEVER
        process.delay = time.time() + NEVER


def _unjudged(record: Record) -> bool:
    """Return whether the last run ended by itself and nothing was decided on it any more."""
    if record.standing is not Standing.UP or record.token or record.due_at is not None or not record.exits:
        return False
    last = record.exits[-1]
    return last.verdict is None and not last.commanded and last.reason is not Reason.SUPERVISOR_LOST


def _ending(past: PastExit) -> Ending:
    core, failed = past.reason is Reason.CORE_DUMP, past.reason is Reason.SPAWN_FAILED
    return Ending(past.code, past.signal, core, past.ran_sec, spawn_failed=failed)


def _choose_mode(engine: Engine) -> None:
    if engine.table.loop is Loop.STOCK:
        engine.mode, engine.mode_reason = "stock", "the configuration asks for it"
        return
    reason = examine("loop").reason
    engine.mode, engine.mode_reason = ("stock", reason) if reason else ("fast", "")
    if reason:
        engine.logger.warn(f"crewd: supervisor's own loop is used: {reason}")


def _began(engine: Engine, found: Recalled) -> GenerationBegan:
    return GenerationBegan(
        generation=engine.journal.generation,
        boot_id=engine.boot_id,
        pid=os.getpid(),
        engine_version=__version__,
        supervisor_version=_supervisor_version(),
        mode=engine.mode,
        mode_reason=engine.mode_reason,
        previous=found.previous,
        previous_sequence=found.sequence,
        clean=found.clean,
    )


def _supervisor_version() -> str:
    from supervisor.options import VERSION  # noqa: PLC0415 - a plain string there, read once

    return str(VERSION)


def _end_leftovers(engine: Engine, found: Recalled) -> None:
    process_only = frozenset(
        name for name, entry in engine.table.entries.items() if entry.kill_mode is KillMode.PROCESS
    )
    leftovers = kill_leftovers(found, engine.options.serverurl or "", process_only)
    for name, record in found.records.items():
        instance = engine.instances.get(name)
        if record.token and instance is not None:
            engine.note(instance, Lost(name, record.token, record.pid or None))
        elif record.token:
            engine.journal.append(Lost(name, record.token, record.pid or None))
    for leftover in leftovers:
        _note_leftover(engine, leftover)


def _note_leftover(engine: Engine, leftover: Leftover) -> None:
    """Have the instance wait for its end."""
    instance = engine.instances.get(leftover.instance)
    if instance is not None:
        instance.leftovers.append(leftover)
    if not leftover.error:
        engine.journal.append(LeftoverEnded(leftover.instance, leftover.token, leftover.pid))
        return
    waits = "" if instance is None else ", which is started once that is gone"
    engine.logger.critical(
        f"crewd: cannot end process {leftover.pid}, left of {leftover.instance}{waits}: {leftover.error}"
    )


def _listen(engine: Engine) -> None:
    def state_changed(event: Any) -> None:
        instance = engine.of_process.get(id(event.process))
        if instance is None:
            return
        try:
            engine.state_changed(instance, ProcessState(event.from_state))
        except Exception:
            engine.faults.caught(engine, "state", instance)

    def group_added(event: Any) -> None:
        name = str(event.group)
        try:
            _group_added(engine, name)
        except Exception:
            engine.faults.caught(engine, "group added", engine.instances.get(name))
            _hand_over(engine, name)

    def group_removed(event: Any) -> None:
        name = str(event.group)
        try:
            _group_removed(engine, name)
        except Exception:
            engine.faults.caught(engine, "group removed")
            if name in engine.instances:  # its group is gone all the same
                engine.forget(engine.instances[name])

    events.subscribe(events.ProcessStateEvent, state_changed)
    events.subscribe(events.ProcessGroupAddedEvent, group_added)
    events.subscribe(events.ProcessGroupRemovedEvent, group_removed)


def deafen() -> None:
    """Undo ``_listen``, for an engine that could not be made."""
    events.callbacks[:] = [one for one in events.callbacks if getattr(one[1], "__module__", "") != __name__]


def _group_added(engine: Engine, name: str) -> None:
    group = engine.supervisord.process_groups.get(name)
    instance = None if group is None or name in engine.instances else enroll(engine, group, {})
    if instance is not None:
        settle(engine, instance)
    engine.regroup()


def _hand_over(engine: Engine, name: str) -> None:
    """Let supervisor restart what could not be taken in; the next apply takes it in."""
    engine.regroup()
    group, entry = engine.supervisord.process_groups.get(name), engine.table.entries.get(name)
    ours = entry is not None and entry.policy.restart is not RestartMode.NO and name not in engine.instances
    if group is not None and ours:
        for process in group.processes.values():
            restart_natively(process)


def _group_removed(engine: Engine, name: str) -> None:
    engine.regroup()
    instance = engine.instances.get(name)
    if instance is not None:
        engine.note(instance, Removed(name))
        engine.forget(instance)
