from collections.abc import Callable
from typing import Any, TextIO

class LevelsByName:
    CRIT: int
    ERRO: int
    WARN: int
    INFO: int
    DEBG: int

class Handler:
    stream: TextIO
    level: int
    def __init__(self, stream: TextIO | None = ...) -> None: ...
    def setLevel(self, level: int) -> None: ...  # noqa: N802 - supervisor's own name
    def flush(self) -> None: ...
    def close(self) -> None: ...
    def emit(self, record: Any) -> None: ...
    def handleError(self) -> None: ...  # noqa: N802 - as above

class StreamHandler(Handler): ...

handle_stdout: Callable[[Any, str], None]
