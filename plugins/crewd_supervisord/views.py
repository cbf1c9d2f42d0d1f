"""What the engine tells of itself, as plain JSON members."""

import json
import time
from math import isinf
from typing import Any

from supervisor.options import VERSION

from crewd.model.record import PastExit
from crewd.model.spec import RestartPolicy
from crewd.model.states import ProcessState
from crewd.policy.restart import History, budget
from crewd_supervisord.clock import boottime
from crewd_supervisord.fingerprint import own_code
from crewd_supervisord.guard import examine
from crewd_supervisord.instance import Instance
from crewd_supervisord.runner import Runner

RPC_VERSION = 1

encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def version(run: Runner) -> dict[str, Any]:
    """Return who the engine is and how it does."""
    engine, journal, code = run.engine, run.engine.journal, own_code()
    return {
        "rpc": RPC_VERSION,
        "engine": code.version,
        "code": code.fingerprint,
        "directory": code.directory,
        "supervisor": str(VERSION),
        "python": code.python,
        "pid": engine.options.get_pid(),
        "generation": journal.generation,
        "boot_id": engine.boot_id,
        "table": engine.table.name,
        "mode": engine.mode,
        "mode_reason": engine.mode_reason,
        "parts": {
            "loop": "ours" if run.loop is not None else f"stock: {engine.mode_reason}",
            "spawn": "ours" if run.spawner.fast else f"stock: {examine('spawn').reason or engine.mode_reason}",
        },
        "faults": engine.faults.count,
        "stale_registrations": run.stale,
        "drift": engine.drift.sentences(),
        "journal": {
            "sequence": journal.sequence,
            "lost": journal.lost,
            "discarded_bytes": journal.discarded_bytes,
            "bytes": journal.bytes_kept,
            "error": journal.error,
        },
    }


def status(run: Runner, instances: list[Instance]) -> str:
    """Return the state of the instances, as JSON text: put together from what was encoded once for each record."""
    now, wall = boottime(), time.time()
    journal = run.engine.journal
    texts = ",".join(_text(instance, now, wall) for instance in instances)
    return f'{{"generation":"{journal.generation}","sequence":{journal.sequence},"instances":[{texts}]}}'


def why(instance: Instance) -> dict[str, Any]:
    """Return the last exits of the instance, the verdicts on them, and the policy."""
    members: dict[str, Any] = json.loads(_text(instance, boottime(), time.time()))
    members["exits"] = [_exit(past) for past in instance.record.exits]
    members["policy"] = _policy(instance.entry.policy)
    return members


def _text(instance: Instance, now: float, wall: float) -> str:
    record, policy = instance.record, instance.entry.policy
    if instance.view is None or instance.view[0] is not record or instance.view[1] is not instance.entry:
        instance.view = (record, instance.entry, encode(_lasting(instance))[:-1])
    up = "null" if record.started_at is None else f"{now - record.started_at:.3f}"
    left = budget(policy, History(record.starts, record.restarts), now)
    return (
        f'{instance.view[2]},"uptime_sec":{up},{_due(instance, now, wall)},'
        f'"budget":{"null" if isinf(left) else int(left)}}}'
    )


def _due(instance: Instance, now: float, wall: float) -> str:
    due = instance.record.due_at
    if due is None or instance.process.state != ProcessState.BACKOFF:
        return '"restart_at":null,"due_in_sec":null'
    return f'"restart_at":{wall + due - now:.3f},"due_in_sec":{due - now:.3f}'


def _lasting(instance: Instance) -> dict[str, Any]:
    """Return what does not change with time alone."""
    record, entry = instance.record, instance.entry
    return {
        "instance": instance.name,
        "worker_id": entry.worker_id,
        "slot": entry.slot,
        "process_state": record.process_state.name,
        "standing": record.standing.value,
        "pid": record.pid,
        "started_at": None if record.started_at is None else record.started_wall,
        "restart_count": record.restart_count,
        "last_exit": _exit(record.exits[-1]) if record.exits else None,
    }


def _exit(past: PastExit) -> dict[str, Any]:
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


def _policy(policy: RestartPolicy) -> dict[str, Any]:
    return {
        "restart": policy.restart.value,
        "restart_sec": policy.restart_sec,
        "restart_steps": policy.restart_steps,
        "restart_max_delay_sec": _finite(policy.restart_max_delay_sec),
        "restart_randomized_delay_sec": policy.restart_randomized_delay_sec,
        "start_limit_burst": policy.start_limit_burst,
        "start_limit_interval_sec": _finite(policy.start_limit_interval_sec),
        "restart_reset_sec": _finite(policy.restart_reset_sec),
        "start_success_sec": policy.start_success_sec,
    }


def _finite(seconds: float) -> float | str:
    """JSON has no infinity."""
    return "infinity" if isinf(seconds) else seconds
