"""Which installation is meant: the system's, or the one under ``CREWD_HOME``."""

import os
import re
from collections.abc import Mapping

from crewd.errors import ConfigError, Problem
from crewd.model.home import SOCKET_PATH_MOST, Home

VARIABLE = "CREWD_HOME"

# supervisord binds "<path>.<pid>" first and then links it to its name; a pid has up to 7 digits
_ASIDE = len(".4194304")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]|^\s|\s$|\s[;#]")


def home_from(environ: Mapping[str, str]) -> Home:
    """Return the home that the environment names; a relative ``CREWD_HOME`` begins at the working directory.

    Raises ConfigError where no socket could be made there, or supervisord's configuration could not carry the path.
    """
    root = environ.get(VARIABLE, "")
    if not root:
        return Home()
    root = root if _UNSAFE.search(root) else os.path.abspath(root)  # noqa: PTH100 - resolves no links: what is shown is what was written
    if _UNSAFE.search(root):
        raise _error("holds a control character, or white space at an end or before ; or #: choose another directory")
    if not root.strip("/"):
        raise _error("must not be the root directory: choose another")
    home = Home.under(root)
    over = len(os.fsencode(home.engine_socket)) + _ASIDE - SOCKET_PATH_MOST
    if over > 0:
        raise _error(
            f"is {over} bytes too long: the path of the socket {home.engine_socket}, with a process number after it, "
            f"must not exceed {SOCKET_PATH_MOST} bytes; choose a shorter directory"
        )
    return home


def _error(message: str) -> ConfigError:
    return ConfigError([Problem("environment", 0, 0, VARIABLE, message)])
