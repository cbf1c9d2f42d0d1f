"""What is meant for one instance: the settings that its section, its fingerprint and the verification come from.

Rules:

1. The environment is, later over earlier: HOME USER LOGNAME SHELL of ``user:`` (as systemd sets them), the
   ``environment_file``, ``environment``, and crewd's own variables.
2. Another user or group is taken on by setpriv, which the command begins with, never by supervisor's ``user=``: one
   unknown user would keep supervisord from starting.
3. supervisor's times are whole seconds: they are rounded up, and the exact ones travel in the policy table.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import ceil, isinf
from signal import Signals
from typing import Any

from crewd.model.home import Home
from crewd.model.spec import ExitStatusSet, KillMode, LogFile, RestartPolicy, WorkerSpec
from crewd.supervisord.escape import RefusedError, check_variable, needs_table
from crewd.supervisord.surroundings import SETPRIV, Identity, Surroundings

OWN_VARIABLES = frozenset({"CREWD_WORKER_ID", "CREWD_INSTANCE", "CREWD_SPAWN"})
WHOLE_SECONDS_MOST = 1_000_000_000
"""Instead of an infinite time: about thirty years."""
NO_LOG = "NONE"

_DIGEST_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Program:
    """One instance, as supervisord shall know it."""

    instance: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str | None
    umask: int | None
    priority: int
    autostart: bool
    startsecs: int
    stopwaitsecs: int
    stopsignal: str
    stopasgroup: bool
    killasgroup: bool
    exitcodes: tuple[int, ...]
    redirect_stderr: bool
    stdout: LogFile
    """With its path made out: an absolute one, or NO_LOG."""
    stderr: LogFile
    setpriv: bool

    @property
    def written_environment(self) -> dict[str, str]:
        """The variables that the configuration carries."""
        return {key: value for key, value in self.environment.items() if not needs_table(value)}

    @property
    def table_environment(self) -> dict[str, str]:
        """The variables that the policy table carries."""
        return {key: value for key, value in self.environment.items() if needs_table(value)}


def program(worker: WorkerSpec, slot: int, home: Home, surroundings: Surroundings) -> Program:
    """Return what is meant for one instance; raises RefusedError."""
    instance = f"{worker.worker_id}-{slot}"
    identity = surroundings.identities.get(worker.worker_id, Identity())
    prefix = _setpriv(identity)
    return Program(
        instance=instance,
        argv=(*prefix, *_command(worker)),
        environment=_environment(worker, slot, identity, surroundings),
        directory=worker.directory,
        umask=worker.umask,
        priority=worker.priority,
        autostart=worker.autostart,
        startsecs=_whole_seconds(worker.policy.start_success_sec),
        stopwaitsecs=max(1, _whole_seconds(worker.timeout_stop_sec)),
        stopsignal=_signal(worker.stop_signal),
        stopasgroup=worker.kill_mode is KillMode.CONTROL_GROUP,
        killasgroup=worker.kill_mode is not KillMode.PROCESS,
        exitcodes=tuple(sorted(worker.policy.success_exit_status.codes)),
        redirect_stderr=worker.redirect_stderr,
        stdout=log_file(worker, instance, "stdout", home),
        stderr=log_file(worker, instance, "stderr", home),
        setpriv=bool(prefix),
    )


def fingerprint(meant: Program, worker: WorkerSpec) -> str:
    """Return a digest of all settings that a change of needs a restart for."""
    return digest(_needing_restart(meant, worker))


def settings(meant: Program, worker: WorkerSpec) -> str:
    """Return a digest of all settings."""
    return digest(
        [
            *_needing_restart(meant, worker),
            [meant.priority, meant.autostart, meant.startsecs, meant.stopwaitsecs, meant.stopsignal],
            [meant.exitcodes, meant.stdout.maxbytes, meant.stdout.backups, meant.stderr.maxbytes, meant.stderr.backups],
            [worker.timeout_stop_sec, worker.kill_mode, _policy(worker.policy)],
        ]
    )


def digest(data: list[Any]) -> str:
    """Return a short name for data made of lists, mappings, strings and numbers."""
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:_DIGEST_LENGTH]


def _needing_restart(meant: Program, worker: WorkerSpec) -> list[Any]:
    return [
        [meant.argv, meant.environment, meant.directory, meant.umask, worker.stdin],
        [meant.stdout.path, meant.stderr.path, meant.redirect_stderr],
    ]


def _policy(policy: RestartPolicy) -> list[Any]:
    return [
        _codes(value) if isinstance(value, ExitStatusSet) else value
        for value in (getattr(policy, key) for key in RestartPolicy.__slots__)
    ]


def _codes(statuses: ExitStatusSet) -> list[list[int]]:
    return [sorted(statuses.codes), sorted(statuses.signals)]


def _setpriv(identity: Identity) -> tuple[str, ...]:
    if identity.gid is None:
        return ()
    if identity.uid is None:
        return (SETPRIV, f"--regid={identity.gid}", "--keep-groups", "--")
    return (SETPRIV, f"--reuid={identity.uid}", f"--regid={identity.gid}", "--init-groups", "--")


def _command(worker: WorkerSpec) -> tuple[str, ...]:
    if not worker.command or not worker.command[0]:
        raise RefusedError("command", "must not be empty")
    return worker.command


def _environment(worker: WorkerSpec, slot: int, identity: Identity, surroundings: Surroundings) -> dict[str, str]:
    found = _of_account(identity)
    for source in (surroundings.environment_files.get(worker.worker_id, {}), worker.environment):
        for key in OWN_VARIABLES & source.keys():
            raise RefusedError(f"environment.{key}", "is set by crewd itself")
        found.update(source)
    found.update(_own(worker, slot, surroundings))
    for key, value in found.items():
        check_variable(key, value)
    return found


def _of_account(identity: Identity) -> dict[str, str]:
    account = identity.account
    if account is None:
        return {}
    return {"HOME": account.home, "USER": account.name, "LOGNAME": account.name, "SHELL": account.shell}


def _own(worker: WorkerSpec, slot: int, surroundings: Surroundings) -> dict[str, str]:
    instance = f"{worker.worker_id}-{slot}"
    own: dict[str, str | int | None] = {
        "CREWD_WORKER_ID": worker.worker_id,
        "CREWD_INSTANCE": instance,
        "WORKER_ID": f"{surroundings.hostname}:{instance}",
        "WORKER_NAME": worker.name,
        "HOST": worker.host,
        "PORT": worker.port,
        "MAX_ACCOUNTS": worker.max_accounts,
    }
    return {key: str(value) for key, value in own.items() if value is not None}


def _signal(name: str) -> str:
    if f"SIG{name}" not in Signals.__members__:
        raise RefusedError("stop_signal", "no such signal")
    return name


def _whole_seconds(seconds: float) -> int:
    return WHOLE_SECONDS_MOST if isinf(seconds) else min(ceil(seconds), WHOLE_SECONDS_MOST)


def log_file(worker: WorkerSpec, instance: str, stream: str, home: Home) -> LogFile:
    """Return where the ``stdout`` or ``stderr`` of an instance goes: an absolute path, or NO_LOG."""
    log = worker.stdout if stream == "stdout" else worker.stderr
    if log.path == "none" or (stream == "stderr" and worker.redirect_stderr):
        return LogFile(NO_LOG)
    if log.path == "auto":
        return LogFile(f"{home.worker_logs}/{instance}.{stream[3:]}.log", log.maxbytes, log.backups)
    if not log.path.startswith("/"):
        raise RefusedError(f"{stream}_logfile", "must be auto, none or an absolute path")
    return LogFile(log.path.replace("{instance}", instance), log.maxbytes, log.backups)
