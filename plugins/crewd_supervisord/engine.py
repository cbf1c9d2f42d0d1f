"""The engine: what happens to an instance, from its spawn to the verdict on its end. One for each supervisord object.

The life of an instance, in supervisord's states and our meaning:

    STOPPED  --start-->  STARTING  --ran start_success_sec-->  RUNNING
    STARTING, RUNNING  --exit-->  judged:  Restart -> BACKOFF (a timer is set), Leave -> EXITED, GiveUp -> FATAL
    BACKOFF  --due-->  STARTING          BACKOFF  --stop-->  STOPPED
    STARTING, RUNNING  --stop-->  STOPPING  --exit, or SIGKILL after timeout_stop_sec-->  STOPPED

Rules:

1. ``note`` is the one way in which anything becomes known: it journals the fact, then folds it into the record.
2. Nothing is spawned inside a callback of supervisor's: it is queued and done by ``work``, in slices of SLICE_SEC.
3. Verdicts fall in ``judge`` alone, and never while supervisord shuts down or reloads.
4. Every edge with supervisor (hooks.py, loop.py, poller.py, rpc.py) catches what is raised here: see faults.py.
"""

import random
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from supervisor.states import ProcessStates, SupervisorStates

from crewd.model import record as records
from crewd.model.facts import (
    ClockJumped,
    Commanded,
    Event,
    Exited,
    Fact,
    Judged,
    Spawned,
    SpawnFailed,
    Starting,
    StateChanged,
    Succeeded,
)
from crewd.model.reasons import Cause, Reason
from crewd.model.spec import KillMode
from crewd.model.states import ProcessState
from crewd.model.table import Table
from crewd.policy.fold import fold
from crewd.policy.restart import Ending, GiveUp, History, Restart, decide, reason_of
from crewd_supervisord import proc
from crewd_supervisord.clock import boottime
from crewd_supervisord.drift import Drift
from crewd_supervisord.endings import ending_of, kill_group
from crewd_supervisord.faults import Faults
from crewd_supervisord.instance import AfterStop, Instance
from crewd_supervisord.journal import Journal
from crewd_supervisord.leftovers import is_gone
from crewd_supervisord.memory import Tidy
from crewd_supervisord.timers import Alarm, Timers

SLICE_SEC = 0.010
"""So long a pass of the loop works on processes, before it looks at connections again."""
# BACKOFF belongs to the engine: supervisor's own counters are set so that it neither respawns nor gives up
NEVER = 10**9

_RESTARTABLE = (ProcessState.EXITED, ProcessState.FATAL, ProcessState.BACKOFF, ProcessState.STOPPED)


class Engine:
    """All instances of one supervisord object."""

    def __init__(self, supervisord: Any, directory: str, table: Table, generation: str, boot_id: str) -> None:
        self.supervisord = supervisord
        self.options = supervisord.options
        self.logger = supervisord.options.logger
        self.directory = directory
        self.table = table
        self.boot_id = boot_id
        self.instances: dict[str, Instance] = {}
        self.of_process: dict[int, Instance] = {}
        """By id() of the Subprocess, which compares equal by priority and is unhashable."""
        self.natives: dict[str, Instance] = {}
        """Those that supervisor's own transition() looks after, since the engine failed over them."""
        self.timers = Timers()
        self.chores: deque[Callable[[], None]] = deque()
        """Small things to be done outside supervisor's callbacks."""
        self.successors: dict[str, Any] = {}
        """The configuration, or None, that follows an event listener which is being stopped."""
        self.postponed: list[tuple[float, Callable[[], None]]] = []
        self.on_regroup: Callable[[], None] = lambda: None
        """Called when groups came or went."""
        self.starts: dict[Instance, Cause] = {}
        """The queue of starts, first in first out, one for each instance."""
        self.faults = Faults(self.logger)
        self.mode = "stock"
        """``fast`` with the replaced loop, else ``stock``."""
        self.mode_reason = ""
        self._tidy = Tidy()
        self.drift = Drift(self)
        self.setpriv_running: set[str] = set()
        """Which instances were started through setpriv, whose own failures must be told from the program's."""
        self.journal = Journal(
            f"{directory}/journal", generation, boot_id, self.snapshot, self._complain, table.journal_sync
        )

    # What is known

    def note(self, instance: Instance, fact: Fact) -> Event:
        """Journal the fact and fold it into the instance's record."""
        event = self.journal.append(fact)
        instance.record = fold(instance.record, event)
        return event

    def snapshot(self) -> Mapping[str, Mapping[str, Any]]:
        """Return all records as JSON members."""
        return {name: records.to_json(instance.record) for name, instance in self.instances.items()}

    def enroll(self, instance: Instance) -> None:
        """Make the instance known."""
        self.instances[instance.name] = instance
        self.of_process[id(instance.process)] = instance

    def forget(self, instance: Instance) -> None:
        """Make the instance unknown."""
        self.timers.cancel(instance)
        self.natives.pop(instance.name, None)
        self.instances.pop(instance.name, None)
        self.of_process.pop(id(instance.process), None)

    @property
    def up(self) -> bool:
        """Whether supervisord is neither shutting down nor about to reload."""
        return bool(self.options.mood > SupervisorStates.RESTARTING)

    # What supervisor tells

    def state_changed(self, instance: Instance, from_state: ProcessState) -> None:
        """Take note of a step of supervisor's state machine, before anything else happens."""
        process = instance.process
        state = ProcessState(process.state)
        self.note(instance, StateChanged(instance.name, from_state, state))
        if state is ProcessState.STARTING:
            self._starting(instance)
        elif state is ProcessState.BACKOFF:
            process.backoff = NEVER
            process.delay = time.time() + NEVER
        elif state is ProcessState.STOPPING:
            timeout = instance.entry.timeout_stop_sec
            process.delay = time.time() + timeout
            self.timers.set(instance, boottime() + timeout, Alarm.KILL)
        elif state is ProcessState.RUNNING:
            self._note_success(instance)
        else:
            self.timers.cancel(instance)
            self.withdraw(instance)
            instance.due_at = None

    def _note_success(self, instance: Instance) -> None:
        """Also when supervisor's own transition was first; not when its finish() passes through RUNNING."""
        if instance.record.token:
            self.note(instance, Succeeded(instance.name))

    def _starting(self, instance: Instance) -> None:
        self.timers.cancel(instance)
        self.withdraw(instance)
        self.natives.pop(instance.name, None)
        instance.exec_failed = False
        token = f"{self.journal.generation}.{self.journal.next_sequence()}"
        entry = instance.entry
        self.note(instance, Starting(instance.name, token, instance.cause, entry.fingerprint, entry.settings))

    def spawned(self, instance: Instance, pid: int, method: str) -> None:
        """Take note of a process that now exists."""
        record = instance.record
        lag = None if instance.due_at is None else max(0.0, round(boottime() - instance.due_at, 6))
        instance.due_at = None
        instance.method = method
        self.note(instance, Spawned(instance.name, record.token, pid, proc.start_ticks(pid), method, lag))
        if instance.entry.setpriv:
            self.setpriv_running.add(instance.name)
        begun = record.started_at or boottime()
        self.timers.set(instance, begun + instance.entry.policy.start_success_sec, Alarm.SUCCESS)

    def adopt(self, instance: Instance) -> None:
        """Take in a process that supervisor started by itself."""
        process = instance.process
        self.note(instance, StateChanged(instance.name, ProcessState.STOPPED, ProcessState(process.state)))
        self._starting(instance)
        self.spawned(instance, process.pid, "stock")

    def spawn_failed(self, instance: Instance, step: str, number: int | None, message: str) -> None:
        """Take note of a spawn that made no process, and judge it."""
        instance.due_at = None
        self.note(instance, SpawnFailed(instance.name, instance.record.token, step, number, message))
        if self.up:
            self.judge(instance, Ending(spawn_failed=True))

    def ending(self, instance: Instance, pid: int, status: int) -> Ending:
        """Take note of the end of a process, from its wait status, before supervisor changes its state."""
        process = instance.process
        self.setpriv_running.discard(instance.name)
        if instance.entry.kill_mode is not KillMode.PROCESS:
            kill_group(pid)
        ending = ending_of(instance, status)
        if process.state == ProcessState.STARTING and ending.ran_sec >= instance.entry.policy.start_success_sec:
            self._succeed(instance)
        reason = reason_of(instance.entry.policy, ending)
        if instance.exec_failed:
            self.note(
                instance,
                SpawnFailed(instance.name, instance.record.token, "exec", None, "setpriv could not execute it"),
            )
            return ending
        self.note(
            instance,
            Exited(
                instance.name,
                instance.record.token,
                pid,
                reason,
                ending.code,
                ending.signal,
                ending.core,
                round(ending.ran_sec, 6),
                bool(process.killing),
            ),
        )
        return ending

    def ended(self, instance: Instance, ending: Ending, *, commanded: bool) -> None:
        """Do what follows the end of a process, once supervisor has finished with it."""
        # supervisor itself says -1 for every signal, and nothing for an end within startsecs
        instance.process.exitstatus = ending.code if ending.code is not None else -(ending.signal or 0)
        if commanded:
            self._stopped(instance)
        elif self.up:
            self.judge(instance, ending)

    def judge(self, instance: Instance, ending: Ending) -> None:
        """Let the policy decide on the end of a run, and do what it says."""
        record, policy, now = instance.record, instance.entry.policy, boottime()
        instance.planned = Cause.RESTART
        decision = decide(policy, History(record.starts, record.restarts), ending, now, random.random())  # noqa: S311
        if isinstance(decision, Restart):
            due = round(now + decision.after_sec, 6)
            after = round(decision.after_sec, 6)
            self.note(instance, Judged(instance.name, decision.reason, decision.verdict, after, due, decision.fresh))
            self._back_off(instance)
            self.timers.set(instance, due, Alarm.START)
            return
        self.note(instance, Judged(instance.name, decision.reason, decision.verdict, fresh=decision.fresh))
        if isinstance(decision, GiveUp):
            self._back_off(instance)
            instance.process.give_up()
            instance.process.spawnerr = f"gave up: start limit hit ({decision.reason})"
            self.logger.warn(f"gave up: {instance.name}, start limit hit ({decision.reason})")
        elif instance.process.state == ProcessState.BACKOFF:
            instance.process.change_state(ProcessStates.EXITED, expected=decision.reason is Reason.CLEAN_EXIT)

    @staticmethod
    def _back_off(instance: Instance) -> None:
        if instance.process.state != ProcessState.BACKOFF:
            instance.process.change_state(ProcessStates.BACKOFF)

    def _stopped(self, instance: Instance) -> None:
        after, instance.after_stop = instance.after_stop, AfterStop.NOTHING
        if after is AfterStop.REMOVE:
            self.remove(instance)
        elif after is not AfterStop.NOTHING and self.up:
            self.start(instance, Cause.COMMAND if after is AfterStop.START_COMMANDED else Cause.CONFIG)

    def clock_jumped(self, by_sec: float) -> None:
        """Take note that the wall clock was set; nothing here goes by it."""
        self.logger.warn(f"crewd: the clock jumped by {by_sec:.1f} s")
        self.journal.append(ClockJumped(round(by_sec, 3)))

    def each_second(self) -> None:
        """Do what is done once a second."""
        self.journal.tick()
        self._tidy.look(self.journal.sequence)

    # What is to be done

    def start(self, instance: Instance, cause: Cause) -> None:
        """Queue a start, instead of the one that its timer waits for."""
        if instance.process.state == ProcessState.BACKOFF:
            self.timers.cancel(instance)
        self.starts[instance] = cause

    def withdraw(self, instance: Instance) -> bool:
        """Take back a start that is queued; returns whether there was one."""
        return self.starts.pop(instance, None) is not None

    def refrain(self, instance: Instance) -> bool:
        """Take back a start that is still to come, queued or after a stop; return whether there was one."""
        again = instance.after_stop in (AfterStop.START_COMMANDED, AfterStop.START_CHANGED)
        if again:
            instance.after_stop = AfterStop.NOTHING
        return self.withdraw(instance) or again

    def stop(self, instance: Instance, after: AfterStop) -> None:
        """Begin a stop that ``after`` follows; a worker that waits for its restart is stopped at once."""
        process = instance.process
        self.withdraw(instance)
        instance.after_stop = after
        if process.state in (ProcessState.STARTING, ProcessState.RUNNING, ProcessState.BACKOFF):
            process.stop()
        if process.state != ProcessState.STOPPING:
            self._stopped(instance)

    def hurry(self, instance: Instance) -> None:
        """Kill what is being stopped now, as if its time to end were up."""
        self._ring(boottime(), instance, Alarm.KILL)

    def remove(self, instance: Instance) -> None:
        """Take an instance that does not run out of supervisord."""
        self.supervisord.remove_process_group(instance.name)

    def command(self, instance: Instance, verb: str, who: str, through: str) -> None:
        """Take note of what somebody asked for."""
        self.note(instance, Commanded(instance.name, verb, who, through))

    def next_at(self) -> float | None:
        """Return when the engine next has something to do, on the boot clock; 0 for now."""
        if self.starts or self.chores:
            return 0.0
        return min(
            (at for at in (self.timers.next_at(), *(when for when, _ in self.postponed)) if at is not None),
            default=None,
        )

    def work(self, end: float) -> bool:
        """Do one thing that is due or queued, and more until ``end`` on the boot clock; tell whether some are left."""
        if not self.up:
            self.starts.clear()
        self._recall_postponed()
        while self.chores:
            self._guarded_chore(self.chores.popleft())
        while self._ring_one() | self._start_one():  # in turns: neither storms nor large starts hold up the other
            if boottime() > end:
                return True
        return False

    def _ring_one(self) -> bool:
        due = self.timers.pop(boottime())
        if due is not None:
            self._guarded_ring(*due)
        return due is not None

    def _start_one(self) -> bool:
        if not self.starts:
            return False
        instance = next(iter(self.starts))
        self._guarded_start(instance, self.starts.pop(instance))
        return True

    def _recall_postponed(self) -> None:
        if self.postponed:
            now = boottime()
            self.chores.extend(chore for at, chore in self.postponed if at <= now)
            self.postponed = [(at, chore) for at, chore in self.postponed if at > now]

    def _guarded_chore(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except Exception:
            self.faults.caught(self, "chore")

    def _guarded_ring(self, at: float, instance: Instance, alarm: Alarm) -> None:
        try:
            self._ring(at, instance, alarm)
        except Exception:
            self.faults.caught(self, f"timer {alarm.value}", instance)

    def _guarded_start(self, instance: Instance, cause: Cause) -> None:
        try:
            self.begin(instance, cause, None)
        except Exception:
            if not instance.process.pid:
                instance.process.state = ProcessStates.BACKOFF  # from where supervisor starts it
            self.faults.caught(self, "start", instance)

    def _ring(self, at: float, instance: Instance, alarm: Alarm) -> None:
        process = instance.process
        if alarm is Alarm.SUCCESS and process.state == ProcessState.STARTING:
            self._succeed(instance)
        elif alarm is Alarm.KILL and process.state == ProcessState.STOPPING:
            self.logger.warn(f"killing '{instance.name}' ({process.pid}) with SIGKILL")
            process.kill(signal.SIGKILL)
            self.timers.set(instance, boottime() + max(1.0, instance.entry.timeout_stop_sec), Alarm.KILL)
        elif alarm is Alarm.START and self.up:
            self.begin(instance, instance.planned, at)

    def succeed_if_due(self, instance: Instance) -> None:
        """Call the process RUNNING if it has run long enough, ahead of its timer."""
        begun = instance.record.started_at
        if begun is not None and boottime() - begun >= instance.entry.policy.start_success_sec:
            self.timers.cancel(instance)
            self._succeed(instance)

    def _succeed(self, instance: Instance) -> None:
        process = instance.process
        process.delay = 0
        process.backoff = 0
        process.change_state(ProcessStates.RUNNING)
        ran = instance.entry.policy.start_success_sec
        self.logger.info(f"success: {instance.name} entered RUNNING state, process has stayed up for {ran:g} seconds")

    def begin(self, instance: Instance, cause: Cause, due_at: float | None) -> None:
        """Spawn the instance now, if its state allows it and no leftover is in the way."""
        process = instance.process
        if process.pid or process.state not in _RESTARTABLE or self.instances.get(instance.name) is not instance:
            return
        if not self.clear_of_leftovers(instance):
            self._wait_for_leftovers(instance, cause, due_at)
            return
        instance.cause, instance.planned = cause, Cause.RESTART
        instance.due_at = due_at if instance.due_at is None else instance.due_at
        try:
            process.spawn()
        finally:
            instance.cause = Cause.BOOT

    @staticmethod
    def clear_of_leftovers(instance: Instance) -> bool:
        """Return whether no process that an earlier supervisord left is in the way."""
        instance.leftovers = [one for one in instance.leftovers if not is_gone(one)]
        return not instance.leftovers

    def _wait_for_leftovers(self, instance: Instance, cause: Cause, due_at: float | None) -> None:
        """Look again soon, and less and less often: a process that hangs in the kernel may take its time."""
        instance.planned = cause
        instance.due_at = due_at if instance.due_at is None else instance.due_at
        instance.leftover_wait_sec = min(1.0, 2 * instance.leftover_wait_sec)
        self._back_off(instance)
        self.timers.set(instance, boottime() + instance.leftover_wait_sec, Alarm.START)

    def regroup(self) -> None:
        """Have ``on_regroup`` look again which groups there are."""
        self.on_regroup()

    def later(self, after_sec: float, chore: Callable[[], None]) -> None:
        """Do a chore in a while."""
        self.postponed.append((boottime() + after_sec, chore))

    def _complain(self, message: str) -> None:
        self.logger.critical(f"crewd: {message}")
