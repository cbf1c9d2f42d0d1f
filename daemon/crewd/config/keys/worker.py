"""A worker in the file, what holds for each that does not say so itself, and a worker as it is written over the API."""

from dataclasses import dataclass, replace

from crewd.config.compound import Nested
from crewd.config.key import Key, Section
from crewd.config.keys.aliases import ALIASES
from crewd.config.keys.command import COMMAND
from crewd.config.keys.description import DESCRIPTION
from crewd.config.keys.life import LIFE
from crewd.config.keys.output import OUTPUT
from crewd.config.keys.restart import RESET, RESTART
from crewd.config.worker_kinds import Arguments, Command
from crewd.model.spec import WorkerSpec

WORKER = Section(
    "worker",
    "A worker: one program, run as one or more instances.",
    WorkerSpec("", ()),
    COMMAND + LIFE + RESTART + OUTPUT + RESET + DESCRIPTION,
    ALIASES,
)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What holds for workers of one deployment type."""

    command: tuple[str, ...] = ()


LOCAL = Section(
    "defaults.local",
    "What holds for the workers of this machine.",
    Deployed(),
    (
        Key(
            "command",
            Command(),
            "command",
            "The program and its arguments of workers made over the API that have none.",
            example="[python3, -m, worker]",
        ),
    ),
    otherwise="it has a command",
)

DEFAULTS = Section(
    "defaults",
    "Settings of every worker that does not set them itself.",
    WORKER.blank,
    (
        *(key for key in WORKER.keys if key.in_defaults),
        Key(
            "local",
            Nested(LOCAL),
            "",
            "What holds for workers of `deployment_type: local`, which all are: the `command` of those made over the "
            "API that have none.",
            example="{command: [python3, -m, worker]}",
        ),
    ),
    WORKER.aliases,
    {key.name: "cannot be a default: write it to each worker" for key in WORKER.keys if not key.in_defaults},
)

_OF_THE_FILE = {"reset": "can be said in the file alone: it acts in the daemon's name"}
OFFERED = replace(
    WORKER,
    name="configuration",
    keys=tuple(
        replace(key, kind=Arguments(), required=False) if key.name == "command" else key
        for key in WORKER.keys
        if key.name not in _OF_THE_FILE
    ),
    misplaced=_OF_THE_FILE,
    otherwise="remove it; docs/reference/configuration.md has all there are",
)
"""What a document of the API may hold: the keys of a worker, its command as a list alone, and no resets."""
