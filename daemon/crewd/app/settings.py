"""What the daemon itself needs to know before anything is applied: where it listens, where it records.

The environment goes before the file. Of a file that is broken, what it said when it was right last is what counts.
"""

from collections.abc import Callable, MutableMapping
from dataclasses import replace

from crewd.config import quantities
from crewd.errors import TargetError
from crewd.model.spec import DaemonSpec

LISTEN, DATABASE = "CREWD_LISTEN", "CREWD_DATABASE_URL"


def settings_from(file: DaemonSpec, environ: MutableMapping[str, str]) -> DaemonSpec:
    """Return the settings; the variables are taken out of ``environ``: a URL may hold a password, no child needs it.

    An empty ``CREWD_LISTEN`` means: no TCP. Raises TargetError where a variable is wrong.
    """
    found = file
    if (listen := environ.pop(LISTEN, None)) is not None:
        found = replace(found, listen=_read(quantities.listen, listen or "none", LISTEN))
    if database := environ.pop(DATABASE, ""):
        found = replace(found, database=_read(quantities.database, database, DATABASE))
    return found


def _read(parse: Callable[[str], str], text: str, name: str) -> str:
    try:
        return parse(text)
    except ValueError as why:
        raise TargetError(f"cannot use {name}: {why}") from None
