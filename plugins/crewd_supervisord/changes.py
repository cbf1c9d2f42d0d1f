"""Taking over a new policy table: one instance is added, removed or changed without touching its neighbours.

Rules:

1. Everything is parsed before anything is changed; a section that supervisor refuses changes nothing.
2. supervisor's ProcessConfig holds exactly what the file says, so that ``supervisorctl reread`` finds no difference.
3. A change of settings that need no new process is made in place; others stop the process and start it again.
4. A worker that was given up begins a new history when its configuration changed.
5. Drift is resolved: what came by supervisorctl goes, what was changed by it is restarted as the table says.
"""

import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from supervisor.process import EventListenerPool

from crewd.model.facts import TableApplied
from crewd.model.reasons import Cause
from crewd.model.states import ProcessState
from crewd.model.table import Table
from crewd.policy.plan import Plan, plan
from crewd_supervisord import memory
from crewd_supervisord.boot import enroll, settle, without_sections
from crewd_supervisord.engine import Engine
from crewd_supervisord.instance import AfterStop, Instance
from crewd_supervisord.parsing import group_configs
from crewd_supervisord.sharing import Shared

LISTENER_POLL_SEC = 0.1
_ALIVE = (ProcessState.STARTING, ProcessState.RUNNING, ProcessState.STOPPING)


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did."""

    table: str
    plan: Plan
    listeners: tuple[str, ...]


def apply(engine: Engine, written: Table) -> Applied:
    """Make the crew what is written; raises ValueError, with nothing changed, where supervisor refuses it."""
    table = without_sections(written)
    present = Table(engine.table.name, {name: instance.entry for name, instance in engine.instances.items()})
    steps = plan(present, table)
    listeners = _listener_changes(engine.table.listeners, table.listeners)
    returning = _returning(engine, table, steps)
    drifted = tuple(name for name in sorted(engine.drift.changed) if name in steps.kept and name in engine.instances)
    changed = (*steps.restarted, *steps.changed, *returning, *drifted)
    wanted = (*steps.added, *changed)
    sections = [written.entries[name].section for name in wanted]
    sections += [section for section in listeners.values() if section]
    configs = group_configs(engine.options, sections) if sections else {}
    shared = Shared()
    for name in wanted:
        shared.pack(configs[name], table.entries[name])
    _raise_descriptor_limit(len(table.entries))
    engine.table = table
    engine.journal.append(TableApplied(table.name, steps.added, steps.changed, steps.restarted, steps.removed))
    for name in steps.removed:
        engine.stop(engine.instances[name], AfterStop.REMOVE)
    for name in changed:
        _change(engine, engine.instances[name], table, configs[name], restart=name not in steps.changed)
    for name in steps.added:
        if not engine.supervisord.add_process_group(configs[name]):
            _adopt(engine, name, configs[name])
    for name, section in listeners.items():
        _replace_listener(engine, name, configs[name] if section else None)
    for name in engine.drift.foreign:
        _retire(engine, engine.supervisord.process_groups[name], name)
    engine.drift.resolved()
    _remember_configs(engine)
    if configs:
        memory.collect_new()
    return Applied(table.name, steps, tuple(listeners))


def _change(engine: Engine, instance: Instance, table: Table, config: Any, *, restart: bool) -> None:
    process = instance.process
    given_up = process.state == ProcessState.FATAL
    instance.entry = table.entries[instance.name]
    instance.group.config = config
    process.config = config.process_configs[0]
    if given_up:
        engine.start(instance, Cause.CONFIG)
    elif process.state in _ALIVE and (restart or instance.after_stop is AfterStop.REMOVE):
        engine.stop(instance, _after(instance))
    elif restart and process.state == ProcessState.BACKOFF:
        engine.timers.cancel(instance)
        engine.start(instance, Cause.CONFIG)


def _adopt(engine: Engine, name: str, config: Any) -> None:
    """Take in a group that came behind our back, by ``supervisorctl update``: what runs goes on running."""
    group = engine.supervisord.process_groups[name]
    instance = enroll(engine, group, {})
    if instance is None:
        return
    group.config, instance.process.config = config, config.process_configs[0]
    if instance.process.pid:
        engine.adopt(instance)
    else:
        settle(engine, instance)
    engine.regroup()


def _returning(engine: Engine, table: Table, steps: Plan) -> tuple[str, ...]:
    """Return those that are being removed by an earlier apply, and are wanted again unchanged."""
    leaving = (name for name, instance in engine.instances.items() if instance.after_stop is AfterStop.REMOVE)
    return tuple(name for name in leaving if name in table.entries and name not in (*steps.restarted, *steps.changed))


def _after(instance: Instance) -> AfterStop:
    """What follows the stop for a change: a stop that somebody commanded stays one."""
    commanded = instance.process.state == ProcessState.STOPPING and instance.after_stop is not AfterStop.REMOVE
    return instance.after_stop if commanded else AfterStop.START_CHANGED


def _listener_changes(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return the new section of every listener that differs; empty for one that is gone."""
    return {name: new.get(name, "") for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)}


def _replace_listener(engine: Engine, name: str, config: Any) -> None:
    group = engine.supervisord.process_groups.get(name)
    if group is None:
        if config is not None:
            engine.supervisord.add_process_group(config)
        return
    if not isinstance(group, EventListenerPool):
        return
    waits = name in engine.successors
    engine.successors[name] = config
    if not waits:
        _stop_then_replace(engine, group, name)


def _retire(engine: Engine, group: Any, name: str) -> None:
    """Stop and remove a group that came behind crewd's back."""
    if name not in engine.successors:
        engine.successors[name] = None
        _stop_then_replace(engine, group, name)


def _stop_then_replace(engine: Engine, group: Any, name: str) -> None:
    group.stop_all()
    engine.chores.append(_when_stopped(engine, group, name))


def _when_stopped(engine: Engine, group: Any, name: str) -> Callable[[], None]:
    """Return the chore that removes the pool once it has stopped, and adds the successor that is wanted by then."""

    def chore() -> None:
        if group.get_unstopped_processes():
            engine.later(LISTENER_POLL_SEC, chore)
            return
        config = engine.successors.pop(name)
        engine.supervisord.remove_process_group(name)
        if config is not None:
            engine.supervisord.add_process_group(config)
        _remember_configs(engine)

    return chore


def _remember_configs(engine: Engine) -> None:
    """Let supervisor compare a later reread with what runs now."""
    engine.options.process_group_configs = [group.config for group in engine.supervisord.process_groups.values()]


def _raise_descriptor_limit(programs: int) -> None:
    """Let supervisord open what the larger crew needs, as its minfds would have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 5 * programs + 200
    if soft < needed <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
