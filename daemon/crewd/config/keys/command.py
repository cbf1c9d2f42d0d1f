"""The keys of a worker: what is run, as whom and in which surroundings."""

from crewd.config import accounts, quantities
from crewd.config.key import Key
from crewd.config.kinds import AbsolutePath, Choice, Parsed
from crewd.config.worker_kinds import ENVIRONMENT, Account, Command
from crewd.model.spec import Stdin

_UMASK = Parsed(
    "an octal mask",
    quantities.umask,
    {"type": ["string", "integer"], "pattern": quantities.UMASK_PATTERN, "minimum": 0, "maximum": 777},
)

COMMAND = (
    Key(
        "command",
        Command(),
        "command",
        "The program and its arguments. A string is split into words as a shell would, and is never given to a shell.",
        example="[sleep, infinity]",
        required=True,
        in_defaults=False,
        elsewhere=("cmd", "exec", "exec_start", "args", "script"),
    ),
    Key(
        "directory",
        AbsolutePath(),
        "directory",
        "The working directory; unset: supervisord's own. Where it is missing, the start fails and is "
        "tried again like any other.",
        example="/srv",
        elsewhere=("working_directory", "workdir", "working_dir"),
    ),
    Key(
        "environment",
        ENVIRONMENT,
        "environment",
        "Variables, set over the few that supervisord has itself (PATH, LANG, TZ). Those of `defaults` are added.",
        elsewhere=("env", "vars"),
    ),
    Key(
        "environment_file",
        AbsolutePath(optional=True),
        "environment_file",
        "A file of NAME=text lines, read when the configuration is applied; `environment` goes before it. With a "
        "leading - it may be missing.",
        example="-/etc/default/example",
        elsewhere=("env_file",),
    ),
    Key(
        "user",
        Account(accounts.USERS),
        "user",
        "Who the worker runs as, by name or number; unset: as supervisord. HOME, USER, LOGNAME and SHELL are set "
        "to match. Only root may name another user than itself.",
        example="nobody",
    ),
    Key(
        "group",
        Account(accounts.GROUPS),
        "group",
        "The main group, by name or number; unset: that of the user.",
        example="nogroup",
    ),
    Key(
        "umask",
        _UMASK,
        "umask",
        "The file mode mask, always read as octal: write the leading 0. Unset: as supervisord's.",
        example='"022"',
    ),
    Key(
        "stdin",
        Choice(Stdin),
        "stdin",
        "Standard input: /dev/null, or a pipe that `supervisorctl fg` and sendProcessStdin write to.",
    ),
)
