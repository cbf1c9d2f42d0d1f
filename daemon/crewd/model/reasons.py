"""The closed sets of reasons. They travel unchanged to the journal, the log, the API and the metric label."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a run ended."""

    CLEAN_EXIT = "CleanExit"
    EXIT_CODE = "ExitCode"
    SIGNAL = "Signal"
    CORE_DUMP = "CoreDump"
    SPAWN_FAILED = "SpawnFailed"
    WATCHDOG = "Watchdog"
    LIVENESS = "Liveness"
    OUT_OF_MEMORY = "OutOfMemory"
    MAX_AGE = "MaxAge"
    SUPERVISOR_LOST = "SupervisorLost"


class Verdict(StrEnum):
    """What was decided about it."""

    RESTARTED = "Restarted"
    NOT_WANTED = "NotWanted"
    OPERATOR_STOP = "OperatorStop"
    START_LIMIT_HIT = "StartLimitHit"
    PREVENTED = "Prevented"


class Cause(StrEnum):
    """Why a process was started."""

    BOOT = "boot"
    """supervisord started, or the instance was added to the crew."""
    RESTART = "restart"
    """The policy's doing: an automatic start."""
    COMMAND = "command"
    """Somebody asked for it: begins a new history."""
    CONFIG = "config"
    """Its configuration changed: begins a new history."""
