"""Another rpcinterface plugin, loaded beside crewd's: makes named functions raise, or counts their calls, on request.

``[rpcinterface:saboteur]`` with ``supervisor.rpcinterface_factory = saboteur:make``. ``limits`` are module constants to
set: ``crewd_supervisord.journal:SEGMENT_BYTES=4096``, separated by commas.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

ALWAYS = 1_000_000_000


class SabotageError(Exception):
    """What a sabotaged function raises."""


class Saboteur:
    """The namespace ``saboteur``. What was sabotaged stays so when supervisord reloads, in the same process."""

    _mended: ClassVar[list[Callable[[], None]]] = []
    _struck = 0
    _calls = 0

    def sabotage(self, target: str, passing: int = 0, times: int = ALWAYS) -> bool:
        """Have ``module:Class.function`` raise ``times`` times, after it was let through ``passing`` times."""
        holder, name = _resolve(target)
        original = holder.__dict__[name]
        calls = 0

        def broken(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if passing < calls <= passing + times:
                Saboteur._struck += 1
                raise SabotageError(target)
            return original(*args, **kwargs)

        setattr(holder, name, broken)
        self._mended.append(lambda: setattr(holder, name, original))
        return True

    def watch(self, target: str) -> bool:
        """Count the calls of ``module:Class.function`` from now on."""
        holder, name = _resolve(target)
        original = holder.__dict__[name]
        Saboteur._calls = 0

        def counted(*args: Any, **kwargs: Any) -> Any:
            Saboteur._calls += 1
            return original(*args, **kwargs)

        setattr(holder, name, counted)
        self._mended.append(lambda: setattr(holder, name, original))
        return True

    def calls(self) -> int:
        """Return how often what is watched was called."""
        return self._calls

    def stall(self, pipe: str) -> bool:
        """Hold the main thread up, and it alone, until whoever writes to a named pipe closes it."""
        Path(pipe).read_bytes()
        return True

    def struck(self) -> int:
        """Return how often something was made to raise since the last mending."""
        return self._struck

    def mend(self) -> int:
        """Put everything back; return how often something was made to raise."""
        while self._mended:
            self._mended.pop()()
        struck, Saboteur._struck = self._struck, 0
        return struck


def make(supervisord: Any, limits: str = "") -> Saboteur:
    """Set the limits and return the namespace."""
    for limit in filter(None, limits.split(",")):
        target, _, value = limit.partition("=")
        holder, name = _resolve(target.strip())
        setattr(holder, name, type(getattr(holder, name))(value))
    return Saboteur()


def _resolve(target: str) -> tuple[Any, str]:
    module, _, path = target.partition(":")
    holder: Any = importlib.import_module(module)
    *classes, name = path.split(".")
    for cls in classes:
        holder = getattr(holder, cls)
    return holder, name
