"""What the daemon itself needs to know before anything is applied: where it listens, who may come in, where it records.

The environment goes before the file. Of a file that is broken, what it said when it was right last is what counts.
"""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace

from crewd.config import quantities
from crewd.errors import ConfigError, Problem, TargetError
from crewd.model.spec import DaemonSpec, SupervisordOwner

LISTEN, DATABASE = "CREWD_LISTEN", "CREWD_DATABASE_URL"
OWNER, APPLY_SOCKET = "CREWD_SUPERVISORD", "CREWD_APPLY_SOCKET"


@dataclass(frozen=True, slots=True)
class Surrounded:
    """What whoever started the daemon says of the processes around it: systemd's units do."""

    owner: SupervisordOwner | None = None
    """Who starts supervisord, whatever the file says; None: as the file says."""
    apply_socket: str = ""
    """Where ``crewd-apply`` is asked; empty: it is run as a child."""


def surrounded_by(environ: MutableMapping[str, str]) -> Surrounded:
    """Return it; the variables are taken out of ``environ``. Raises TargetError where one is wrong."""
    owner, apply_socket = environ.pop(OWNER, ""), environ.pop(APPLY_SOCKET, "")
    return Surrounded(_owner(owner) if owner else None, apply_socket)


def _owner(text: str) -> SupervisordOwner:
    try:
        return SupervisordOwner(text)
    except ValueError:
        known = " or ".join(SupervisordOwner)
        raise TargetError(f"cannot use {OWNER}: must be {known}, not {text!r}") from None


def settings_from(file: DaemonSpec, environ: MutableMapping[str, str]) -> DaemonSpec:
    """Return the settings; the variables are taken out of ``environ``: a URL may hold a password, no child needs it.

    An empty ``CREWD_LISTEN`` means: no TCP. Raises TargetError where a variable is wrong, and ConfigError where it says
    to listen beyond the loopback interface, and the file has no ``tls``.
    """
    found = file
    if (listen := environ.pop(LISTEN, None)) is not None:
        found = replace(found, listen=_read(quantities.listen, listen or "none", LISTEN))
    if database := environ.pop(DATABASE, ""):
        found = replace(found, database=_read(quantities.database, database, DATABASE))
    if found.listen and found.tls is None and not quantities.loopback(found.listen.rpartition(":")[0]):
        message = (
            f"{found.listen} can be reached from elsewhere, so the file has to say `tls: {{certificate: …, key: …}}`"
        )
        raise ConfigError([Problem("environment", 0, 0, LISTEN, message)])
    return found


def _read(parse: Callable[[str], str], text: str, name: str) -> str:
    try:
        return parse(text)
    except ValueError as why:
        raise TargetError(f"cannot use {name}: {why}") from None
