"""What a worker's settings mean together, and on this machine.

Rules:

1. What cannot work is an error; what a later mount or package can put right is a warning.
2. Nothing is reported of values that nobody wrote, unless what was written makes them senseless.
"""

import os
from functools import lru_cache
from math import inf

from crewd.config.accounts import Self
from crewd.config.quantities import written_duration
from crewd.config.tree import shown
from crewd.config.worker import Worker
from crewd.config.worker_kinds import INSTANCE_PLACEHOLDER
from crewd.model.spec import LogFile, RestartMode, RestartPolicy
from crewd.policy.restart import FLOOR_SEC, RESTARTS_ON, delay, limitless

_STREAMS = ("stdout", "stderr")
_VARIABLES = {"name": "WORKER_NAME", "host": "HOST", "port": "PORT", "max_accounts": "MAX_ACCOUNTS"}


def check_worker(worker: Worker, reader: Self) -> None:
    """Report what is wrong or doubtful about one worker."""
    _check_account(worker, reader)
    _check_paths(worker)
    _check_delays(worker)
    _check_limit(worker)
    _check_statuses(worker)
    _check_variables(worker)


def _check_account(worker: Worker, reader: Self) -> None:
    user, group = worker.spec.user, worker.spec.group
    if user is not None and not reader.may_be_user(user):
        worker.error("user", f"only root can start workers as {shown(user)}: remove it, or run crewd as root")
    if group is not None and not reader.may_be_group(group):
        worker.error("group", f"only root can start workers in group {shown(group)}: remove it, or run crewd as root")


def _check_paths(worker: Worker) -> None:
    spec = worker.spec
    if spec.directory is not None and not os.path.isdir(spec.directory):  # noqa: PTH112 - plain strings throughout
        worker.warn("directory", f"{shown(spec.directory)} is no directory now: starts fail until it is there")
    program = spec.command[0] if spec.command else ""
    if program.startswith("/") and not os.access(program, os.X_OK):
        state = "cannot be executed" if os.path.exists(program) else "does not exist"  # noqa: PTH110
        worker.warn("command", f"{shown(program)} {state} now: starts fail until that changes")


def _check_delays(worker: Worker) -> None:
    policy = worker.spec.policy
    if worker.sets("restart_max_delay_sec") and policy.restart_max_delay_sec < policy.restart_sec:
        worker.warn(
            "restart_max_delay_sec",
            f"{written_duration(policy.restart_max_delay_sec)} is less than restart_sec "
            f"({written_duration(policy.restart_sec)}), so the delay does not grow: raise it, or remove it",
        )


def _check_limit(worker: Worker) -> None:
    policy = worker.spec.policy
    if not RESTARTS_ON[policy.restart] or limitless(policy):
        return
    burst, interval = policy.start_limit_burst, policy.start_limit_interval_sec
    fastest = _fastest(policy)
    if fastest >= interval:
        worker.warn(
            "start_limit_interval_sec",
            f"the limit can never fire: the delays before {burst} restarts add up to {round(fastest, 1):g} s, no less "
            f"than the interval of {interval:g} s; widen it, or lower start_limit_burst or the delays",
        )
    elif interval < inf and policy.restart_reset_sec * burst < interval:
        worker.warn(
            "restart_reset_sec",
            f"the limit cannot fire for workers that run {written_duration(policy.restart_reset_sec)} each time: their "
            f"starts are forgotten; make it {interval / burst:g} s (interval / burst) or more",
        )


@lru_cache(1024)
def _fastest(policy: RestartPolicy) -> float:
    """Return the least time in which a worker that dies at once can be started ``burst + 1`` times."""
    grown = min(policy.start_limit_burst, policy.restart_steps + 1)
    sums = sum(max(FLOOR_SEC, delay(policy, attempt, 0.0)) for attempt in range(1, grown + 1))
    rest = policy.start_limit_burst - grown
    return round(sums + rest * max(FLOOR_SEC, delay(policy, policy.restart_steps + 2, 0.0)), 6)


def _check_statuses(worker: Worker) -> None:
    policy = worker.spec.policy
    prevented, forced = policy.restart_prevent_exit_status, policy.restart_force_exit_status
    if prevented.codes & forced.codes or prevented.signals & forced.signals:
        worker.warn(
            "restart_force_exit_status", "shares a status with restart_prevent_exit_status, which goes before it"
        )
    if forced != type(forced)() and policy.restart is RestartMode.ALWAYS:
        worker.warn("restart_force_exit_status", "changes nothing: `restart: always` restarts after every end")


def _check_variables(worker: Worker) -> None:
    for key, variable in _VARIABLES.items():
        if getattr(worker.spec, key) is not None and variable in worker.spec.environment:
            worker.warn("environment", f"{variable} is also set by `{key}`, which goes before it: remove one")


def check_logs(workers: list[Worker]) -> dict[str, str]:
    """Report log files that cannot be written, and those that two streams would write into; return whose they are."""
    owners: dict[str, str] = {}
    add_logs(workers, owners)
    return owners


def add_logs(workers: list[Worker], owners: dict[str, str]) -> None:
    """As ``check_logs``, beside those that are in ``owners``, which they are added to."""
    for worker in workers:
        if worker.spec.redirect_stderr and worker.sets("stderr_logfile"):
            worker.warn("stderr_logfile", "is not used: redirect_stderr sends standard error to standard output")
        for stream in _STREAMS:
            log: LogFile = getattr(worker.spec, stream)
            if log.path in {"auto", "none"} or (stream == "stderr" and worker.spec.redirect_stderr):
                continue
            if log.path.startswith("/dev/") and not log.path.startswith("/dev/shm/"):  # noqa: S108 - not ours
                _check_device(worker, stream, log)
            else:
                _check_log(worker, stream, log, owners)


def _check_device(worker: Worker, stream: str, log: LogFile) -> None:
    if log.maxbytes:
        worker.error(f"{stream}_logfile", f"a device cannot be rotated: add {stream}_logfile_maxbytes: 0")


def _check_log(worker: Worker, stream: str, log: LogFile, owners: dict[str, str]) -> None:
    key = f"{stream}_logfile"
    folder = os.path.dirname(log.path)  # noqa: PTH120
    if INSTANCE_PLACEHOLDER in folder:
        worker.error(key, f"{INSTANCE_PLACEHOLDER} may stand in the file's name only, not in its directory")
    elif not os.path.isdir(folder):  # noqa: PTH112
        worker.warn(key, f"{shown(folder)} is no directory now: starts fail until it is there")
    elif os.path.isdir(log.path):  # noqa: PTH112
        worker.error(key, "is a directory: name a file in it")
    if worker.spec.instances > 1 and INSTANCE_PLACEHOLDER not in log.path:
        worker.error(
            key, f"{worker.spec.instances} instances would share a file: put {INSTANCE_PLACEHOLDER} into its name"
        )
        return
    me = f"workers.{worker.spec.worker_id}.{key}"
    for instance in worker.spec.instance_names:
        path = os.path.normpath(log.path.replace(INSTANCE_PLACEHOLDER, instance))
        owner = owners.setdefault(path, me)
        if owner != me:
            mine = owner.startswith(f"workers.{worker.spec.worker_id}.")
            advice = "use redirect_stderr: true" if mine else "put {instance} into it"
            worker.error(key, f"{owner} writes into the same file {shown(path)}: {advice}, or name another")
            break
