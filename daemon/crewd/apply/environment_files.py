"""Who else can write what a worker is started with: the environment files that root's own file names.

A supervisord that is root hands their variables on as root: to the worker, and before it to setpriv, which takes its
user on. Rules:

1. An environment file is root's or its worker's user's, and so is whatever leads to it: nobody else may change it.
2. In one that its worker's user may change, there is no variable that acts on setpriv.
3. Who is not root hands on what is their own: nothing is asked then.
"""

from dataclasses import replace

from crewd.apply.hands import changeable
from crewd.errors import ConfigError
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.supervisord.offered import acts_on_setpriv
from crewd.supervisord.surroundings import Surroundings, Where


def check_environment_files(spec: CrewSpec, surroundings: Surroundings, where: Where) -> None:
    """Return if all of them can be relied on; raises ConfigError with those that cannot."""
    if not surroundings.root:
        return
    problems = [
        replace(where(worker.worker_id, "environment_file"), message=why)
        for worker in spec.workers.values()
        if worker.environment_file is not None and (why := _doubt(worker, surroundings))
    ]
    if problems:
        raise ConfigError(problems)


def _doubt(worker: WorkerSpec, surroundings: Surroundings) -> str:
    file = (worker.environment_file or "").removeprefix("-")
    uid = surroundings.identities[worker.worker_id].uid or 0
    try:
        if name := changeable(file, frozenset({0, uid})):
            whose = "root" if uid == 0 else f"root and {worker.user}"
            return f"cannot be trusted: others than {whose} can change {name}; chown and chmod it"
        if not changeable(file, frozenset({0})):
            return ""
    except FileNotFoundError:
        return ""  # it may be missing, or that was told already
    variables = filter(acts_on_setpriv, surroundings.environment_files[worker.worker_id])
    if variable := next(iter(sorted(variables)), None):
        return f"cannot set {variable}: it acts on setpriv, which runs as root, and {worker.user} can change {file}"
    return ""
