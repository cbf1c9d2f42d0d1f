"""Words for quantities, signals and addresses. Functions of text; ValueError says what is wrong.

Durations are systemd.time(7)'s without months and years; sizes are supervisor's, where KB is 1024 bytes, plus KiB.
"""

import ipaddress
import re
import signal
from math import inf
from urllib.parse import unquote, urlsplit

from crewd.model.spec import SQLITE

_UNITS_SEC = {
    **dict.fromkeys(("ms", "msec"), 0.001),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
_UNITS_BYTES = {
    "": 1,
    **dict.fromkeys(("kb", "kib"), 1024),
    **dict.fromkeys(("mb", "mib"), 1024**2),
    **dict.fromkeys(("gb", "gib"), 1024**3),
}
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_UNIT = "|".join(sorted(_UNITS_SEC, key=len, reverse=True))
_PART = rf"{_NUMBER} ?(?:{_UNIT})"

DURATION_PATTERN = rf"^(?:{_NUMBER}|{_PART}(?: ?{_PART})*)$"
SIZE_PATTERN = r"^[0-9]{1,15} ?(?:[KkMmGg][Ii]?[Bb])?$"
UMASK_PATTERN = r"^0o?[0-7]{1,3}$"
SIGNALS = tuple(sorted(name.removeprefix("SIG") for name in signal.Signals.__members__))

_DURATION = re.compile(DURATION_PATTERN)
_PARTS = re.compile(rf"({_NUMBER}) ?({_UNIT})?")
_SIZE = re.compile(SIZE_PATTERN)
_UMASK = re.compile(UMASK_PATTERN)


def duration(text: str) -> float:
    """Return seconds: ``90``, ``1.5``, ``500ms``, ``1min 30s``, ``2h``; or ``inf`` for ``infinity``."""
    if text == "infinity":
        return inf
    if not _DURATION.fullmatch(text):
        raise ValueError("write seconds, or a number with ms, s, m, h, d or w such as 500ms or 1min 30s")
    return sum(round(float(number) * _UNITS_SEC[unit or "s"], 9) for number, unit in _PARTS.findall(text))


def written_duration(seconds: float) -> str:
    """Return the duration in its largest whole unit."""
    if seconds == inf:
        return "infinity"
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count = seconds / _UNITS_SEC[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{seconds:g}"


def size(text: str) -> int:
    """Return bytes: ``1024``, ``50MB``, ``50MiB``."""
    if not _SIZE.fullmatch(text):
        raise ValueError("write bytes, or a whole number with KB, MB, GB, KiB, MiB or GiB; all count in steps of 1024")
    digits = re.match("[0-9]+", text)
    number = digits[0] if digits else "0"
    return int(number) * _UNITS_BYTES[text[len(number) :].strip().lower()]


def written_size(count: int) -> str:
    """Return the size in its largest whole unit."""
    for unit in ("GiB", "MiB", "KiB"):
        factor = _UNITS_BYTES[unit.lower()]
        if count and count % factor == 0:
            return f"{count // factor}{unit}"
    return str(count)


def umask(text: str) -> int:
    """Return the mask; always octal, so the leading 0 is asked for: ``022`` or ``0o22``."""
    if not _UMASK.fullmatch(text):
        raise ValueError('write octal digits after a 0, such as "022" or 0o22')
    return int(text.replace("o", ""), 8)


def signal_number(text: str) -> int:
    """Return the number of a signal named ``TERM`` or ``SIGTERM``."""
    try:
        return int(signal.Signals["SIG" + text.removeprefix("SIG")])
    except KeyError:
        raise ValueError("write a signal's name such as TERM or SIGTERM") from None


LISTEN_PATTERN = r"^(?:none|(?:localhost|[0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})$"
DATABASE_PATTERN = r"^(?:sqlite|postgresql://.+)$"
DATABASE_PARAMETERS = frozenset(
    {
        *("host", "port", "user", "password", "connect_timeout", "application_name", "options", "target_session_attrs"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "ssl_min_protocol_version"),
        *("channel_binding", "require_auth", "requirepeer", "load_balance_hosts"),
    }
)
"""What a URL may ask of libpq: not to read options elsewhere, nor to load code, nor to pass on Kerberos's tickets."""


def listen(text: str) -> str:
    """Return ``host:port`` as it is written; "" for ``none``."""
    if text == "none":
        return ""
    host, _, port = text.rpartition(":")
    if not re.fullmatch(LISTEN_PATTERN, text) or not 0 < int(port) < 65536:  # noqa: PLR2004 - TCP's
        raise ValueError("write none, or an address and a port such as 127.0.0.1:3000 or [::1]:3000")
    try:
        loopback(host)
    except ValueError:
        raise ValueError("write none, or an address and a port such as 127.0.0.1:3000 or [::1]:3000") from None
    return text


def loopback(host: str) -> bool:
    """Return whether a host, as ``listen`` has it, is of the loopback interface; ValueError where it is no host."""
    return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback


def database(text: str) -> str:
    """Return ``sqlite`` or a ``postgresql://`` URL as it is written. No message repeats it: it may hold a password."""
    if text == SQLITE:
        return text
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("its URL cannot be read: write postgresql://user:password@host:port/name") from None
    if url.scheme != "postgresql" or not url.path.strip("/") or port == 0:
        raise ValueError("write sqlite, or postgresql://user:password@host:port/name")
    if "#" in text:
        raise ValueError("write # in its URL as %23")
    _check_parameters(text.partition("?")[2])
    return text


def _check_parameters(query: str) -> None:
    """Return if libpq may be told all of it."""
    for parameter in filter(None, query.split("&")):
        name, _, value = parameter.partition("=")
        if unquote(name) not in DATABASE_PARAMETERS:
            known = ", ".join(sorted(DATABASE_PARAMETERS))
            raise ValueError(f"its URL may set {known} alone")
        if unquote(name) == "sslkey" and ":" in unquote(value):
            raise ValueError("sslkey in its URL names a file, without a colon: what ENGINE:KEY names is code")
