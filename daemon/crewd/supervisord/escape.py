"""How a value gets into supervisord's configuration unchanged, or is refused.

Rules, each tested against supervisor's own parser in every supported version:

1. NUL, CR and LF are refused in every value: a new line is a new option, and may be a new section. So is what UTF-8
   cannot carry: supervisord would not read the file.
2. Characters that XML 1.0 cannot carry are refused everywhere but in the environment: supervisor answers with the
   values over XML-RPC, and one such answer makes the status of all workers unreadable.
3. ``;`` and ``#`` after any white space begin a comment, also inside quotes. In a command the two are parted by ``''``;
   elsewhere they are refused.
4. A command is argv, each element in single quotes where it needs any.
5. ``%`` is doubled, once for each time that supervisor expands it: twice for log files, once for all else.
6. Plain values are stripped by the parser: white space at their ends is refused, and so is an empty value.
7. An environment value is put into one kind of quotes. What holds both kinds, begins or ends with either, holds a
   comment (rule 3) or a backslash cannot be written for all versions: it ``needs_table``, the policy table.
8. Numbers stay below 2**31: XML-RPC has no larger ones, and supervisord would answer with a fault for all workers.
"""

import re
from collections.abc import Mapping, Sequence

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
RESERVED_NAMES = frozenset({"all", "batch", "stats"})
NAME_MOST = 200
"""So that ``<name>-<slot>.out.log.<n>`` is a file name."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NUMBER_MOST = 2**31 - 1

_OPTION = re.compile(r"[a-z][a-z0-9_]*")
_NO_LINE = re.compile(r"[\0\r\n]")
_NO_XML = re.compile(r"[^\t\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COMMENT = re.compile(r"(\s)([;#])")
_BARE_ARGUMENT = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_POOL_NAME = re.compile(r"(?:[A-Za-z0-9_.-]|%\((?:program_name|group_name|host_node_name)\)s|%\(process_num\)0?\d*d)+")


class RefusedError(ValueError):
    """The value cannot be written. The message names the key, never the value: it may be a secret."""

    def __init__(self, key: str, why: str) -> None:
        self.key = key
        self.why = why
        super().__init__(f"{key}: {why}")


class Escaped(str):
    """Text that may stand in the configuration as it is."""

    __slots__ = ()


def name(value: str, key: str = "name") -> Escaped:
    """Return the name of a worker, an instance or a listener."""
    if not NAME.fullmatch(value):
        raise RefusedError(key, "must be letters, digits, '_', '.' and '-', beginning with a letter or a digit")
    if len(value) > NAME_MOST:
        raise RefusedError(key, f"must have at most {NAME_MOST} characters")
    return Escaped(value)


def plain(value: str, key: str) -> Escaped:
    """Return a value that supervisor takes as it is: a directory, a URL, a user."""
    _check_line(value, key)
    _check_xml(value, key)
    if not value:
        raise RefusedError(key, "must not be empty")
    if value != value.strip():
        raise RefusedError(key, "must not begin or end with white space")
    if value[0] in ";#" or _COMMENT.search(value):
        raise RefusedError(key, "must not hold ';' or '#' at its beginning or after white space")
    return _doubled(value)


def log_file(value: str, key: str) -> Escaped:
    """Return the path of a log file; supervisor expands these twice."""
    return _doubled(plain(value, key))


def command(argv: Sequence[str], key: str = "command") -> Escaped:
    """Return the command that supervisor splits into exactly ``argv``."""
    if not argv or not argv[0]:
        raise RefusedError(key, "must not be empty")
    return _doubled(" ".join(_argument(argument, key) for argument in argv))


def needs_table(value: str) -> bool:
    """Return whether an environment value cannot be written into the configuration for every supported version."""
    return (
        "\\" in value
        or value[:1] in ('"', "'")
        or value[-1:] in ('"', "'")
        or ('"' in value and "'" in value)
        or _COMMENT.search(value) is not None
    )


def check_variable(variable: str, value: str) -> None:
    """Raise RefusedError where a variable can be carried neither by the configuration nor by the policy table."""
    if not VARIABLE.fullmatch(variable):
        raise RefusedError(
            "environment", "a variable's name must be letters, digits and '_', not beginning with a digit"
        )
    _check_line(value, f"environment.{variable}")


def environment(variables: Mapping[str, str]) -> Escaped:
    """Return ``KEY="value",…`` for variables that need no table."""
    return _doubled(",".join(_variable(variable, value) for variable, value in sorted(variables.items())))


def option(key: str) -> Escaped:
    """Return the key of an option that is passed through."""
    if not _OPTION.fullmatch(key):
        raise RefusedError("option", "a key must be small letters, digits and '_'")
    return Escaped(key)


def passed_through(value: str, key: str) -> Escaped:
    """Return the value of a stock option that is passed through.

    ``%`` means itself, but in ``process_name``, which a pool of several processes has to build from its number.
    """
    if key == "process_name":
        if not _POOL_NAME.fullmatch(value):
            raise RefusedError(key, "must be a name, or one made of %(program_name)s and %(process_num)d")
        return Escaped(value)
    return log_file(value, key) if key in ("stdout_logfile", "stderr_logfile") else plain(value, key)


def number(value: int, key: str) -> Escaped:
    """Return a whole number."""
    if not -NUMBER_MOST <= value <= NUMBER_MOST:
        raise RefusedError(key, f"must be at most {NUMBER_MOST}")
    return Escaped(str(value))


def codes(values: Sequence[int]) -> Escaped:
    """Return a list of exit codes."""
    return Escaped(",".join(str(number(value, "success_exit_status")) for value in values))


def flag(value: bool) -> Escaped:
    """Return a boolean."""
    return Escaped("true" if value else "false")


def octal(value: int) -> Escaped:
    """Return a file mode mask."""
    return Escaped(f"{value:03o}")


def _argument(argument: str, key: str) -> str:
    if _BARE_ARGUMENT.fullmatch(argument):
        return argument
    _check_line(argument, key)
    _check_xml(argument, key)
    quoted = "'" + argument.replace("'", "'\"'\"'") + "'"
    return _COMMENT.sub(r"\1''\2", quoted)


def _variable(variable: str, value: str) -> str:
    check_variable(variable, value)
    if needs_table(value):
        raise RefusedError(f"environment.{variable}", "must be carried by the policy table")
    quote = "'" if '"' in value else '"'
    return f"{variable}={quote}{value}{quote}"


def _check_line(value: str, key: str) -> None:
    if _NO_LINE.search(value):
        raise RefusedError(key, "must not hold a NUL or a line break")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RefusedError(key, "must be valid Unicode") from None


def _check_xml(value: str, key: str) -> None:
    if _NO_XML.search(value):
        raise RefusedError(key, "must not hold control characters")


def _doubled(value: str) -> Escaped:
    return Escaped(value.replace("%", "%%"))
