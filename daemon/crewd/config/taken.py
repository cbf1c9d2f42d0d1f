"""What the workers of a crew have taken: names, log files, room. One that joins later has to fit beside them.

Who comes first keeps what it has: workers of the file, then those made over the API in the order of their names.
"""

import os

from crewd.config.checks import add_logs, check_logs
from crewd.config.crew import INSTANCES_MOST, Crew
from crewd.config.offered import complaints
from crewd.config.worker import Worker

_LOGS = ("stdout_logfile", "stderr_logfile")


class Taken:
    """All that is taken by now."""

    def __init__(self, crew: Crew) -> None:
        self._workers = set(crew.spec.workers)
        self._instances = {name for worker in crew.spec.workers.values() for name in worker.instance_names}
        self._listeners = set(crew.spec.engine.eventlisteners)
        self._logs = {**_files(crew), **check_logs(list(crew.workers.values()))}
        self._room = min(crew.spec.daemon.api_workers.instances, INSTANCES_MOST - len(self._instances))
        self._most = crew.spec.daemon.api_workers.instances

    def join(self, worker: Worker) -> bool:
        """Take what the worker needs, and return whether it has all of it; where it does not fit, that is reported."""
        spec = worker.spec
        names = spec.instance_names
        before = len(complaints(worker.report))
        if spec.worker_id in self._instances:
            worker.error("worker_id", "is also the name of another worker's instance: choose another")
        if taken := self._workers.intersection(names):
            worker.error("worker_id", f"its instance {min(taken)} would have the name of a worker: choose another")
        if taken := self._listeners.intersection((spec.worker_id, *names)):
            worker.error("worker_id", f"{min(taken)} is also the name of an event listener: choose another")
        if len(names) > self._room:
            most = f"crewd.api_workers.instances in the file is {self._most}"
            worker.error("instances", f"there is room for {max(0, self._room)} more: {most}")
        logs = dict(self._logs) if any(worker.sets(key) for key in _LOGS) else self._logs
        add_logs([worker], logs)
        if len(complaints(worker.report)) > before:
            return False
        self._logs = logs
        self._workers.add(spec.worker_id)
        self._instances.update(names)
        self._room -= len(names)
        return True


def _files(crew: Crew) -> dict[str, str]:
    """Return the files that the file's workers are made of, and whose they are: nobody's log may be one of them."""
    found: dict[str, str] = {}
    for name, spec in crew.spec.workers.items():
        for path in (*spec.command, (spec.environment_file or "").removeprefix("-")):
            if path.startswith("/"):
                found[os.path.normpath(path)] = f"workers.{name}"
    return found
