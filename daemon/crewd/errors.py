"""What can go wrong, divided by who must act. A decision is never an exception.

Messages begin "cannot <verb> <object>: <cause>".
"""

from dataclasses import dataclass


class CrewdError(Exception):
    """The root of all errors that crewd raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in the configuration, at its place. ``line`` and ``column`` count from 1; 0 where unknown."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """Return ``file:line:column: path: message``."""
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"


class ConfigError(CrewdError):
    """The operator must act: the configuration is wrong. Carries every problem found, in file order."""

    def __init__(self, problems: "list[Problem] | tuple[Problem, ...]") -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class TargetError(CrewdError):
    """The world must change: supervisord, a socket, a file system. ``retryable`` where trying again may help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(message)


class StoreError(CrewdError):
    """The database cannot be used now, or at all. ``retryable`` where trying again may help without anybody's doing."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(message)


class PluginError(CrewdError):
    """Its author must act, or whoever installs it: a plugin cannot be used, or does not keep to ``crewd.plugin``."""
