"""The descriptor that a signal makes readable, so that SIGCHLD ends a poll at once (PEP 475 restarts the call)."""

import os
import signal


class Wakeup:
    """Installed for as long as a main loop runs."""

    def __init__(self) -> None:
        self.fd, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def clear(self) -> None:
        """Take out what the signals put in."""
        try:
            os.read(self.fd, 65536)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Put back what was installed before."""
        signal.set_wakeup_fd(self._before)
        os.close(self.fd)
        os.close(self._write)
