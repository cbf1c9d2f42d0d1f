"""A supervisord with crewd's engine in it, without processes: the same policy, the same events, the same answers.

It has the methods of ``crewd.supervisord.client.Client``. Whatever the real one does later, it does when the clock
is moved. What a test makes happen: ``boot``, ``die``, ``crash``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from math import inf, isinf
from typing import Any

from crewd.errors import TargetError
from crewd.model.facts import (
    Commanded,
    Event,
    Exited,
    Fact,
    GenerationBegan,
    GenerationEnded,
    Judged,
    Lost,
    Removed,
    SegmentOpened,
    Spawned,
    Starting,
    StateChanged,
    Succeeded,
    TableApplied,
)
from crewd.model.reasons import Cause
from crewd.model.record import PastExit, Record, Standing, to_json
from crewd.model.spec import RestartPolicy
from crewd.model.states import ProcessState
from crewd.model.table import Entry, Table
from crewd.policy.fold import fold
from crewd.policy.plan import plan
from crewd.policy.restart import Ending, History, Restart, budget, decide, reason_of
from crewd.reconcile.port import RPC_VERSION, EngineAbsent, EngineFault, EngineVersion
from crewd.testing.clock import FakeClock

BAD_NAME = 10
FAILED = 30
SIGTERM = 15

_ALIVE = (ProcessState.STARTING, ProcessState.RUNNING)
_AFTER = {
    Standing.UP: ProcessState.BACKOFF,
    Standing.FINISHED: ProcessState.EXITED,
    Standing.GIVEN_UP: ProcessState.FATAL,
}

Json = dict[str, Any]


def fake_table(*instances: str, name: str = "table-1", policy: RestartPolicy | None = None) -> Table:
    """Return a policy table of instances like ``web-0``, all alike."""
    entries: dict[str, Entry] = {}
    for instance in instances:
        worker_id, _, slot = instance.rpartition("-")
        entry = Entry(instance, worker_id, int(slot), f"[program:{instance}]\n", "f1", "s1", policy or RestartPolicy())
        entries[instance] = entry
    return Table(name, entries)


@dataclass(slots=True)
class FakeSupervisord:
    """``current`` is the table that is rendered; the engine takes it over at ``boot`` and at ``apply``."""

    current: Table
    clock: FakeClock = field(default_factory=FakeClock)
    rpc: int = RPC_VERSION
    alive: bool = False
    silent: str = ""
    """Why it does not answer although it lives."""
    pid: int = 0
    generation: str = ""
    table: Table = field(default_factory=lambda: Table(""))
    lines: list[tuple[str, Event]] = field(default_factory=list[tuple[str, Event]])
    """The journal: all that was ever written, by generation."""
    acknowledged: tuple[str, int] | None = None
    on_change: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])
    """Called after every line and at every end."""
    exit_status: int | None = None
    _records: dict[str, Record] = field(default_factory=dict[str, Record])
    _sequence: int = 0
    _generations: int = 0
    _pids: int = 1000

    # -- what a test makes happen

    def boot(self) -> None:
        """Start it on the table that is rendered."""
        was_running = [name for name, record in self._records.items() if record.token]
        self._generations += 1
        self._sequence = 0
        self.alive, self.exit_status, self.pid = True, None, self._new_pid()
        self.generation = f"{self._generations:08d}-fa4e00"
        self._append(SegmentOpened(self.generation, "boot", {n: to_json(r) for n, r in self._records.items()}))
        self._append(GenerationBegan(self.generation, "boot", self.pid, "0", "4.3.0", "fast", ""))
        for name in was_running:
            self._append(Lost(name, self._records[name].token, None))
        self._take_over(Cause.BOOT)

    def die(self, status: int = -9) -> None:
        """End it at once; its workers' ends are seen by the next one."""
        self.alive, self.exit_status = False, status
        self._changed()

    def end(self) -> None:
        """End it in order."""
        for name in tuple(self._records):
            if self._records[name].process_state in _ALIVE:
                self._stop_process(name)
        self._append(GenerationEnded("shutdown"))
        self.die(0)

    def crash(self, instance: str, code: int | None = 1, signal: int | None = None) -> None:
        """Let its process end by itself."""
        record, policy = self._records[instance], self.table.entries[instance].policy
        ending = Ending(code, signal, ran_sec=self.clock.now - (record.started_at or self.clock.now))
        self._append(self._exited(instance, ending))
        decision = decide(policy, History(record.starts, record.restarts), ending, self.clock.now, 0.0)
        after = decision.after_sec if isinstance(decision, Restart) else None
        due = None if after is None else self.clock.now + after
        self._append(Judged(instance, decision.reason, decision.verdict, after, due, decision.fresh))
        self._change(instance, _AFTER[self._records[instance].standing])
        if due is not None:
            self.clock.call_at(due, lambda: self._restart_due(instance, due))

    # -- the methods of the client

    def version(self) -> EngineVersion:
        """Return who answers."""
        self._reached("crewd.version")
        return EngineVersion(
            self.rpc, "0", "4.3.0", self.pid, self.generation, self.table.name, "fast", "", self._sequence
        )

    def status(self, instances: Iterable[str] | None = None) -> Json:
        """Return the state of these instances, or of all."""
        self._reached("crewd.status")
        names = self.table.entries if instances is None else self._select(instances)
        found = [self._status(name) for name in names]
        return {"generation": self.generation, "sequence": self._sequence, "instances": found}

    def why(self, instance: str) -> Json:
        """Return an instance's last exits with the verdict on each."""
        self._reached("crewd.why")
        [name] = self._select([instance])
        exits = [_exit(past) for past in self._records[name].exits]
        return {**self._status(name), "exits": exits, "policy": _policy(self.table.entries[name].policy)}

    def apply(self, name: str) -> Json:
        """Take over the table that is rendered, whose name must be ``name``."""
        self._reached("crewd.apply")
        if name != self.current.name:
            raise EngineFault(f"cannot apply {name}: the table in force is {self.current.name}", FAILED)
        done = self._take_over(Cause.CONFIG)
        return {
            "table": name,
            "added": done.added,
            "changed": done.changed,
            "restarted": done.restarted,
            "removed": done.removed,
        }

    def acknowledge(self, generation: str, sequence: int) -> None:
        """Let the journal go up to and including this line."""
        self._reached("crewd.acknowledge")
        self.acknowledged = (generation, sequence)

    def start(self, instances: Iterable[str], who: str) -> Json:
        """Start these; return what was done, by instance."""
        return self._command("start", instances, who)

    def stop(self, instances: Iterable[str], who: str) -> Json:
        """Stop these."""
        return self._command("stop", instances, who)

    def restart(self, instances: Iterable[str], who: str) -> Json:
        """Stop and start these."""
        return self._command("restart", instances, who)

    def reset_failed(self, instances: Iterable[str], who: str) -> Json:
        """Forget the history of these."""
        return self._command("reset_failed", instances, who)

    # -- how it is done

    def _reached(self, method: str) -> None:
        if not self.alive:
            raise EngineAbsent(f"cannot call {method}: nobody listens")
        if self.silent:
            raise TargetError(f"cannot call {method}: {self.silent}", retryable=True)

    def _command(self, verb: str, instances: Iterable[str], who: str) -> Json:
        self._reached(f"crewd.{verb}")
        return {name: self._do(verb, name, who) for name in self._select(instances)}

    def _do(self, verb: str, name: str, who: str) -> str:
        running = self._records[name].process_state in _ALIVE
        waiting = self._records[name].process_state is ProcessState.BACKOFF
        if verb == "start" and running:
            return "already running"
        if verb == "stop" and not (running or waiting):
            return "not running"
        self._append(Commanded(name, verb, who, "crewd"))
        if verb == "reset_failed":
            return "history forgotten"
        if running:
            self._stop_process(name)
        elif verb == "stop":
            self._change(name, ProcessState.STOPPED)
        if verb == "stop":
            return "stopping" if running else "stopped"
        self._spawn(name, Cause.COMMAND)
        return "restarting" if running else "started"

    def _take_over(self, cause: Cause) -> Any:
        done = plan(self.table, self.current)
        for name in (*done.removed, *done.restarted):
            if self._records[name].process_state in _ALIVE:
                self._stop_process(name)
        for name in done.removed:
            self._append(Removed(name))
        self.table = self.current
        self._append(TableApplied(self.table.name, done.added, done.changed, done.restarted, done.removed))
        wanted = self.table.entries if cause is Cause.BOOT else (*done.added, *done.restarted)
        for name in wanted:
            if self._records.setdefault(name, Record()).standing in (Standing.NEW, Standing.UP):
                self._spawn(name, cause if name in done.restarted else Cause.BOOT)
        return done

    def _spawn(self, name: str, cause: Cause) -> None:
        entry = self.table.entries[name]
        token = f"{self.generation}.{self._sequence + 2}"
        self._change(name, ProcessState.STARTING)
        self._append(Starting(name, token, cause, entry.fingerprint, entry.settings))
        self._append(Spawned(name, token, self._new_pid(), 1, "fake"))
        self.clock.call_at(self.clock.now + entry.policy.start_success_sec, lambda: self._succeeded(name, token))

    def _succeeded(self, name: str, token: str) -> None:
        record = self._records.get(name)
        if self.alive and record and record.token == token and record.process_state is ProcessState.STARTING:
            self._append(Succeeded(name))
            self._change(name, ProcessState.RUNNING)

    def _restart_due(self, name: str, due: float) -> None:
        record = self._records.get(name)
        if self.alive and record and record.process_state is ProcessState.BACKOFF and record.due_at == due:
            self._spawn(name, Cause.RESTART)

    def _stop_process(self, name: str) -> None:
        self._change(name, ProcessState.STOPPING)
        ran = self.clock.now - (self._records[name].started_at or self.clock.now)
        self._append(replace(self._exited(name, Ending(signal=SIGTERM, ran_sec=ran)), commanded=True))
        self._change(name, ProcessState.STOPPED)

    def _exited(self, name: str, ending: Ending) -> Exited:
        record = self._records[name]
        reason = reason_of(self.table.entries[name].policy, ending)
        return Exited(name, record.token, record.pid, reason, ending.code, ending.signal, ending.core, ending.ran_sec)

    def _change(self, name: str, state: ProcessState) -> None:
        self._append(StateChanged(name, self._records[name].process_state, state))

    def _append(self, fact: Fact) -> None:
        self._sequence += 1
        event = Event(self._sequence, self.clock.now, self.clock.wall, fact)
        self.lines.append((self.generation, event))
        name = getattr(fact, "instance", None)
        if isinstance(fact, Removed):
            del self._records[fact.instance]
        elif name is not None:
            self._records[name] = fold(self._records.get(name, Record()), event)
        self._changed()

    def _changed(self) -> None:
        for callback in tuple(self.on_change):
            callback()

    def _new_pid(self) -> int:
        self._pids += 1
        return self._pids

    def _select(self, names: Iterable[str]) -> list[str]:
        found: list[str] = []
        for wanted in names:
            matching = [n for n, entry in self.table.entries.items() if wanted in (n, entry.worker_id)]
            if not matching:
                raise EngineFault(f"cannot find {wanted}: BAD_NAME", BAD_NAME)
            found += [name for name in matching if name not in found]
        return found

    def _status(self, name: str) -> Json:
        record, entry, now = self._records[name], self.table.entries[name], self.clock.now
        due = record.due_at if record.process_state is ProcessState.BACKOFF else None
        left = budget(entry.policy, History(record.starts, record.restarts), now)
        return {
            "instance": name,
            "worker_id": entry.worker_id,
            "slot": entry.slot,
            "process_state": record.process_state.name,
            "standing": record.standing.value,
            "pid": record.pid,
            "started_at": record.started_wall,
            "uptime_sec": None if record.started_at is None else now - record.started_at,
            "restart_count": record.restart_count,
            "restart_at": None if due is None else self.clock.wall + due - now,
            "due_in_sec": None if due is None else due - now,
            "budget": None if isinf(left) else int(left),
            "last_exit": _exit(record.exits[-1]) if record.exits else None,
        }


def _exit(past: PastExit) -> Json:
    return {
        "at": past.at,
        "reason": past.reason.value,
        "code": past.code,
        "signal": past.signal,
        "ran_sec": past.ran_sec,
        "message": past.message,
        "verdict": None if past.verdict is None else past.verdict.value,
        "delay_sec": past.delay_sec,
    }


def _policy(policy: RestartPolicy) -> Json:
    sets = ("success_exit_status", "restart_prevent_exit_status", "restart_force_exit_status")
    told = {field.name: getattr(policy, field.name) for field in fields(policy) if field.name not in sets}
    finite = {name: "infinity" if value == inf else value for name, value in told.items()}
    return {**finite, "restart": policy.restart.value}
