"""The keys of a worker: how many there are of it, when they begin and how they are ended."""

from crewd.config.key import Key
from crewd.config.kinds import Choice, Duration, Flag, Parsed, Whole
from crewd.model.spec import KillMode

INSTANCES_MOST = 10_000
STOP_SIGNALS = ("TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2")


def _stop_signal(text: str) -> str:
    name = text.removeprefix("SIG")
    if name not in STOP_SIGNALS:
        raise ValueError(f"write one of {' '.join(STOP_SIGNALS)}")
    return name


_STOP_SIGNAL = Parsed(
    "a signal's name", _stop_signal, {"enum": [*STOP_SIGNALS, *(f"SIG{name}" for name in STOP_SIGNALS)]}
)

LIFE = (
    Key(
        "instances",
        Whole(1, INSTANCES_MOST),
        "instances",
        "How many processes; they are named NAME-0, NAME-1 and so on, a single one too.",
        elsewhere=("numprocs", "replicas", "scale", "processes"),
    ),
    Key(
        "autostart",
        Flag(),
        "autostart",
        "Whether it is started with supervisord; otherwise it waits to be started by hand.",
        elsewhere=("enabled",),
    ),
    Key(
        "essential",
        Flag(),
        "essential",
        "Whether the crew ends when an instance of it is given up or ends for good with a failure: `crewd run` then "
        "stops the supervisord that it started, and exits with 1. With another supervisord it is only logged.",
    ),
    Key("priority", Whole(0, 9999), "priority", "Lower starts first and is stopped last."),
    Key(
        "stop_signal",
        _STOP_SIGNAL,
        "stop_signal",
        "What asks the worker to end: " + ", ".join(STOP_SIGNALS) + ".",
        elsewhere=("stopsignal", "kill_signal"),
    ),
    Key(
        "timeout_stop_sec",
        Duration(most=86400.0, above=True),
        "timeout_stop_sec",
        "How long a worker may take to end after that before it is killed.",
        elsewhere=("stopwaitsecs", "stop_timeout", "stop_grace_period"),
    ),
    Key(
        "kill_mode",
        Choice(KillMode),
        "kill_mode",
        "Whom a stop concerns. mixed: the stop signal to the main process, KILL to its whole process group; "
        "process: both to the main process only; control-group: both to the group.",
    ),
)
