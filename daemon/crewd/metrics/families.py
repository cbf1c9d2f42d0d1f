"""Every metric there is, once: name, type, labels, and what ``# HELP`` says of it.

Rules:

1. The order here is the order on the page; what has the same labels stands together.
2. At most 15 series per instance at any time: 7 states; 1 whether it is wanted, or the eighth state; 1 last exit;
   1 start; 1 next restart, never beside a process; 1 budget; 1 CPU, 2 memory, 1 descriptors. ``reason``, ``result``,
   buckets and what workers say of themselves are per worker.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The types of the exposition format that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. ``labels``: all but the bucket's ``le``."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


_OF_WORKER = ("worker",)
_OF_INSTANCE = ("worker", "instance")

RESTARTS = Family(
    "crewd_worker_restarts_total",
    Kind.COUNTER,
    (*_OF_WORKER, "reason"),
    "Automatic restarts: starts that the restart policy ordered, by why the run before ended.",
)
ATTEMPTS = Family(
    "crewd_worker_restart_attempts_total",
    Kind.COUNTER,
    (*_OF_WORKER, "result"),
    "Automatic restarts that are decided: the new process ran start_success_sec, or it did not.",
)
EXITS = Family(
    "crewd_worker_exits_total",
    Kind.COUNTER,
    (*_OF_WORKER, "reason"),
    "Runs that ended, those that were asked to end included, and spawns that failed.",
)
DURATION = Family(
    "crewd_worker_restart_duration_seconds",
    Kind.HISTOGRAM,
    _OF_WORKER,
    "How long successful restarts took from the exit to the spawn, the policy's delay included.",
)
OF_WORKERS = (RESTARTS, ATTEMPTS, EXITS, DURATION)

STATE = Family(
    "crewd_worker_state",
    Kind.GAUGE,
    (*_OF_INSTANCE, "state"),
    "1 for the process state in supervisord's words, 0 for the others.",
)
LAST_EXIT_CODE = Family(
    "crewd_worker_last_exit_code",
    Kind.GAUGE,
    _OF_INSTANCE,
    "How the last run ended: its exit code, or minus the number of the signal.",
)
START_TIME = Family(
    "crewd_worker_start_time_seconds",
    Kind.GAUGE,
    _OF_INSTANCE,
    "When the process was started, in unix seconds.",
)
OF_RECORDS = (STATE, LAST_EXIT_CODE, START_TIME)

WANTED = Family(
    "crewd_worker_wanted",
    Kind.GAUGE,
    _OF_INSTANCE,
    "1 where the instance should run now; 0 where it was stopped, ended cleanly or does not start by itself.",
)
BUDGET = Family(
    "crewd_worker_restart_budget_remaining",
    Kind.GAUGE,
    _OF_INSTANCE,
    "How many starts the start limit leaves now.",
)
NEXT_RESTART = Family(
    "crewd_worker_next_restart_timestamp_seconds",
    Kind.GAUGE,
    _OF_INSTANCE,
    "When the restart that is due comes, in unix seconds.",
)

CPU = Family(
    "crewd_worker_cpu_seconds_total",
    Kind.COUNTER,
    _OF_INSTANCE,
    "Processor time of the process and all that descend from it, since it started.",
)
MEMORY = Family(
    "crewd_worker_memory_bytes",
    Kind.GAUGE,
    (*_OF_INSTANCE, "kind"),
    "Memory of the process and all that descend from it: resident, and with shared pages counted by their share.",
)
OPEN_FDS = Family(
    "crewd_worker_open_fds",
    Kind.GAUGE,
    _OF_INSTANCE,
    "Open file descriptors of the process and all that descend from it.",
)
OF_USAGES = (CPU, MEMORY, OPEN_FDS)

HEARTBEAT_AGE = Family(
    "crewd_worker_heartbeat_age_seconds",
    Kind.GAUGE,
    _OF_WORKER,
    "How long ago the last heartbeat came, of the instance that runs and is silent longest.",
)
HEARTBEAT_STALE = Family(
    "crewd_worker_heartbeat_stale",
    Kind.GAUGE,
    _OF_WORKER,
    "How many instances run whose heartbeat is overdue.",
)
HEARTBEATS_STALE = Family(
    "crewd_worker_heartbeats_stale_total",
    Kind.COUNTER,
    _OF_WORKER,
    "How often a heartbeat of an instance became overdue.",
)
ASSIGNED_ACCOUNTS = Family(
    "crewd_worker_assigned_accounts",
    Kind.GAUGE,
    _OF_WORKER,
    "Accounts that the instances that run last said to serve.",
)
ACTIVE_TASKS = Family(
    "crewd_worker_active_tasks",
    Kind.GAUGE,
    _OF_WORKER,
    "Tasks that the instances that run last said to be at.",
)
REPORTED_ERRORS = Family(
    "crewd_worker_reported_errors",
    Kind.GAUGE,
    _OF_WORKER,
    "Errors that the instances that run last said to have had.",
)
OF_REPORTS = (
    HEARTBEAT_AGE,
    HEARTBEAT_STALE,
    HEARTBEATS_STALE,
    ASSIGNED_ACCOUNTS,
    ACTIVE_TASKS,
    REPORTED_ERRORS,
)

LAG = Family(
    "crewd_engine_restart_lag_seconds",
    Kind.HISTOGRAM,
    (),
    "How late restarts were spawned after they were due.",
)
MANUAL = Family(
    "crewd_manual_restarts_total",
    Kind.COUNTER,
    (*_OF_WORKER, "result"),
    "Manual restarts with a reset: every action succeeded, or one did not.",
)
MANUAL_DURATION = Family(
    "crewd_manual_restart_duration_seconds",
    Kind.HISTOGRAM,
    (),
    "How long manual restarts with a reset took.",
)
EVENTS = Family("crewd_events_total", Kind.COUNTER, ("type",), "Journal lines that were stored.")
LOST = Family(
    "crewd_journal_lost_events_total",
    Kind.COUNTER,
    (),
    "Journal lines that were never stored: dropped while the disk was full, or gone before they could be read.",
)
JOURNAL_LAG = Family("crewd_journal_lag_events", Kind.GAUGE, (), "Journal lines that were read but are not stored yet.")
AUDIT_LAG = Family(
    "crewd_audit_lag_entries", Kind.GAUGE, (), "Entries of the audit that were noted but are not stored yet."
)
AUDIT_LOST = Family(
    "crewd_audit_lost_total",
    Kind.COUNTER,
    (),
    "Entries of the audit that will never be stored, since the daemon started: they are in its log alone.",
)
STORE_UP = Family("crewd_store_up", Kind.GAUGE, (), "1 while the database takes what happens, else 0.")
PICTURE_STALE = Family(
    "crewd_picture_stale",
    Kind.GAUGE,
    (),
    "1 while the states shown are the last known and may have changed, else 0.",
)
SUPERVISORD_UP = Family("crewd_supervisord_up", Kind.GAUGE, (), "1 while supervisord runs and answers, else 0.")
RPC_DURATION = Family(
    "crewd_supervisord_rpc_duration_seconds",
    Kind.HISTOGRAM,
    ("method",),
    "How long calls of supervisord took, failed ones included, since the daemon started.",
)
APPLY_SUCCESSFUL = Family(
    "crewd_config_last_apply_successful",
    Kind.GAUGE,
    (),
    "1 where the last configuration that was to be applied is in force, else 0.",
)
APPLY_TIMESTAMP = Family(
    "crewd_config_last_apply_timestamp_seconds",
    Kind.GAUGE,
    (),
    "When a configuration was last applied successfully, in unix seconds.",
)
SAMPLE_TIMESTAMP = Family(
    "crewd_sample_timestamp_seconds",
    Kind.GAUGE,
    (),
    "When processor time, memory and descriptors were last looked at, in unix seconds.",
)
SAMPLE_DURATION = Family("crewd_sample_duration_seconds", Kind.GAUGE, (), "How long that took.")
BUILD_INFO = Family("crewd_build_info", Kind.GAUGE, ("version",), "Always 1; the version of the daemon.")
OF_DAEMON = (
    LAG,
    MANUAL,
    MANUAL_DURATION,
    EVENTS,
    LOST,
    JOURNAL_LAG,
    AUDIT_LAG,
    AUDIT_LOST,
    STORE_UP,
    PICTURE_STALE,
    SUPERVISORD_UP,
    RPC_DURATION,
    APPLY_SUCCESSFUL,
    APPLY_TIMESTAMP,
    SAMPLE_TIMESTAMP,
    SAMPLE_DURATION,
    BUILD_INFO,
)

FAMILIES = (*OF_WORKERS, *OF_RECORDS, WANTED, BUDGET, NEXT_RESTART, *OF_USAGES, *OF_REPORTS, *OF_DAEMON)
