"""A log that cannot be written costs lines, and never supervisord.

supervisor prints what went wrong with a log to standard error. That lies on the same disk under crewd's daemon: where
it has no room either, the error leaves the call that wanted to log, and with it supervisord's loop.

Rules:

1. What is logged while there is no room is lost; the log goes on once there is some.
2. A log that could not be begun anew when it was due goes on as it is, and is tried again with the next line.
"""

from typing import Any

from supervisor import loggers


def outlive() -> None:
    """Have no log of supervisord's or of a worker's raise."""
    module: Any = loggers
    stock_handle_error = module.Handler.handleError
    stock_do_rollover = module.RotatingFileHandler.doRollover

    def handle_error(self: Any) -> None:
        try:
            stock_handle_error(self)
        except Exception:  # there is nobody left to tell
            return

    def do_rollover(self: Any) -> None:
        try:
            stock_do_rollover(self)
        except Exception:
            _go_on(self)

    module.Handler.handleError = handle_error
    module.RotatingFileHandler.doRollover = do_rollover


def _go_on(handler: Any) -> None:
    """Open the file again that a rollover closed."""
    try:
        if handler.stream.closed:
            handler.stream = open(handler.baseFilename, "ab")  # noqa: SIM115 - the handler closes it
    except OSError:
        return
