"""What an option of an event listener may be, as supervisor's parser reads it: told at its place, before it is asked.

After supervisor.options and supervisor.datatypes; what is not listed here is any text. supervisor 4.2.5 to 4.3 agree.
"""

import re
from collections.abc import Callable

from crewd.config.quantities import SIGNALS

_STATES = ("STOPPED", "EXITED", "STARTING", "STOPPING", "BACKOFF", "FATAL", "RUNNING", "UNKNOWN")
EVENTS = (
    *("EVENT", "PROCESS_STATE", *(f"PROCESS_STATE_{state}" for state in _STATES)),
    *("PROCESS_COMMUNICATION", "PROCESS_COMMUNICATION_STDOUT", "PROCESS_COMMUNICATION_STDERR"),
    *("PROCESS_LOG", "PROCESS_LOG_STDOUT", "PROCESS_LOG_STDERR", "REMOTE_COMMUNICATION"),
    *("SUPERVISOR_STATE_CHANGE", "SUPERVISOR_STATE_CHANGE_RUNNING", "SUPERVISOR_STATE_CHANGE_STOPPING"),
    *("TICK", "TICK_5", "TICK_60", "TICK_3600"),
    *("PROCESS_GROUP", "PROCESS_GROUP_ADDED", "PROCESS_GROUP_REMOVED"),
)
_FLAGS = frozenset({"yes", "true", "on", "1", "no", "false", "off", "0"})

Check = Callable[[str], str | None]


def wrong(option: str, text: str) -> str | None:
    """Return what an option's text should be instead; None where it is right."""
    check = _CHECKS.get(option)
    return None if check is None else check(text)


def _whole(least: int | None = None) -> Check:
    words = "a whole number" if least is None else f"a whole number from {least}"

    def check(text: str) -> str | None:
        right = re.fullmatch("-?[0-9]{1,9}", text) and (least is None or int(text) >= least)
        return None if right else f"expects {words}"

    return check


def _flag(text: str) -> str | None:
    return None if text.lower() in _FLAGS else "expects true or false"


def _restart(text: str) -> str | None:
    return None if text.lower() in _FLAGS | {"unexpected"} else "expects true, false or unexpected"


def _size(text: str) -> str | None:
    right = re.fullmatch("[0-9]{1,12}(?:[KMG]B)?", text, re.IGNORECASE)
    return None if right else "expects a size such as 50MB"


def _mask(text: str) -> str | None:
    return None if re.fullmatch("[0-7]{1,4}", text) else "expects octal digits such as 022"


def _signal(text: str) -> str | None:
    known = text.upper().removeprefix("SIG") in SIGNALS or (text.isdecimal() and 0 < int(text) < 65)  # noqa: PLR2004
    return None if known else "expects a signal's name such as TERM"


def _statuses(text: str) -> str | None:
    right = all(re.fullmatch(" *[0-9]{1,3} *", code) for code in text.split(","))
    return None if right else "expects exit codes with commas between them"


def _events(text: str) -> str | None:
    unknown = [name.strip() for name in text.split(",") if name.strip().upper() not in EVENTS]
    return f"{unknown[0] or 'an empty name'} is no event type: use {', '.join(EVENTS)}" if unknown else None


_CHECKS: dict[str, Check] = {
    "events": _events,
    "buffer_size": _whole(1),
    "priority": _whole(),
    "exitcodes": _statuses,
    "autorestart": _restart,
    "stopsignal": _signal,
    "umask": _mask,
    **dict.fromkeys(("numprocs", "startretries", "startsecs", "stopwaitsecs"), _whole(0)),
    **dict.fromkeys(("numprocs_start", "stdout_logfile_backups", "stderr_logfile_backups"), _whole(0)),
    **dict.fromkeys(("stdout_logfile_maxbytes", "stderr_logfile_maxbytes"), _size),
    **dict.fromkeys(("autostart", "stopasgroup", "killasgroup"), _flag),
    **dict.fromkeys(("stdout_syslog", "stderr_syslog", "stdout_events_enabled", "stderr_events_enabled"), _flag),
}
