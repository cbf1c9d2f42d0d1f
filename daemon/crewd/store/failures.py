"""Whatever a driver or the system says, as a StoreError: "cannot <verb> <database>: <cause>".

Rules:

1. No message holds a password: neither the URL's nor what a driver repeats of it.
2. Retryable is what may pass without anybody's doing: locked, full, an I/O error, away, too slow, no memory, a standby
   that may be promoted. Not retryable: corrupt, no database at all, read-only, no permission, a symbolic link, a wrong
   row, tables of a version that is not known. It is a word for the operator: the recorder tries again in any case.
"""

import errno
import sqlite3
from collections.abc import Iterable

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from crewd.errors import StoreError

FAILURES = (SQLAlchemyError, sqlite3.Error, OSError, ValueError, ArithmeticError)
"""What may come out of a driver. ValueError and ArithmeticError: a text or a number that it cannot write."""

MASK = "***"
CAUSE_LENGTH = 500
_SQLITE_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_SQLSTATE_PASSING = frozenset({"08", "40", "53", "57", "58"})
"""Classes: connection, rolled back, out of resources, an operator's intervention, the system's own errors."""
_SQLSTATES_PASSING = frozenset({"55P03", "25006"})
"""A lock that was not got in time; a transaction on a standby."""
_ERRNO_LASTING = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR, errno.EISDIR})


def failure(verb: str, database: str, error: Exception, secrets: Iterable[str] = ()) -> StoreError:
    """Return what happened as a StoreError. ``database`` is its name in messages."""
    return StoreError(masked(f"cannot {verb} {database}: {_cause(error)}", secrets), retryable=_passing(error))


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return the text without the secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _driver_error(error: Exception) -> object:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _cause(error: Exception) -> str:
    """Return what the driver said, in one line: not the statement, and not the row."""
    said = _driver_error(error)
    if isinstance(said, OSError) and said.strerror:
        return said.strerror
    diagnosis: object = getattr(said, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or str(said)
    return " ".join(str(text).split())[:CAUSE_LENGTH] or type(said).__name__


def _passing(error: Exception) -> bool:
    said = _driver_error(error)
    if isinstance(said, sqlite3.Error):
        code = getattr(said, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in _SQLITE_PASSING
    if isinstance(said, OSError):
        return said.errno not in _ERRNO_LASTING
    state: object = getattr(said, "sqlstate", None)
    if isinstance(state, str):
        return state[:2] in _SQLSTATE_PASSING or state in _SQLSTATES_PASSING
    return isinstance(error, OperationalError | InterfaceError)
