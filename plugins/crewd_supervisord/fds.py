"""Which descriptors the loop polls, and for what: an epoll set kept true as processes and connections come and go.

Rules:

1. A descriptor is unregistered before it is closed; a number that is used again is registered anew.
2. Events of numbers that are not registered now, or are since this pass, are skipped: they belong to what was closed
   in it. (A dispatcher that reads without anything to read takes its pipe for closed.)
3. ``stale`` counts registrations found under a number that had been closed behind our back. It stays 0.
4. Standard input is registered only while its buffer is filled.
"""

import select
from typing import Any

READ = select.EPOLLIN | select.EPOLLPRI | select.EPOLLHUP | select.EPOLLERR
WRITE = select.EPOLLOUT
ERROR = select.EPOLLERR


class Registrations:
    """The epoll set. Dispatchers of processes are registered here; HTTP channels are asked every pass by the loop."""

    def __init__(self) -> None:
        self.epoll = select.epoll()  # close-on-exec, as all that Python opens
        self.stale = 0
        self._masks: dict[int, int] = {}
        self._dispatchers: dict[int, Any] = {}
        self._fresh: set[int] = set()

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        """Begin a pass: return what is ready, as descriptor and mask."""
        self._fresh.clear()
        return self.epoll.poll(timeout, most)

    def attach(self, process: Any) -> None:
        """Register the pipes of a process that was just spawned."""
        for fd, dispatcher in process.dispatchers.items():
            if fd in self._masks:
                self.stale += 1
                self.drop(fd)
            self._dispatchers[fd] = dispatcher
            self._fresh.add(fd)
            self.ask(fd, dispatcher)

    def detach(self, process: Any) -> None:
        """Unregister the pipes of a process, before they are closed."""
        for fd in process.dispatchers:
            self.drop(fd)

    def ask(self, fd: int, dispatcher: Any) -> None:
        """Register the descriptor for what its dispatcher wants now."""
        self.set(fd, (READ if dispatcher.readable() else 0) | (WRITE if dispatcher.writable() else 0))

    def set(self, fd: int, mask: int) -> None:
        """Register the descriptor for the mask; 0 unregisters it."""
        old = self._masks.get(fd, 0)
        if mask == old:
            return
        if not mask:
            self._unregister(fd)
            return
        self._masks[fd] = mask
        if old and self._modified(fd, mask):
            return
        try:
            self.epoll.register(fd, mask)
        except FileExistsError:
            self.epoll.modify(fd, mask)
        except OSError:
            del self._masks[fd]
            raise

    def drop(self, fd: int) -> None:
        """Forget the descriptor."""
        self._dispatchers.pop(fd, None)
        self._unregister(fd)

    def current(self, fd: int) -> bool:
        """Return whether an event of this pass for the number still concerns what is registered under it."""
        return fd in self._masks and fd not in self._fresh

    def dispatcher(self, fd: int) -> Any:
        """Return the process's dispatcher behind the number, or None."""
        return self._dispatchers.get(fd)

    def close(self) -> None:
        """Close the set."""
        self.epoll.close()

    def _modified(self, fd: int, mask: int) -> bool:
        try:
            self.epoll.modify(fd, mask)
        except FileNotFoundError:
            self.stale += 1
            return False
        return True

    def _unregister(self, fd: int) -> None:
        if self._masks.pop(fd, None) is None:
            return
        try:
            self.epoll.unregister(fd)
        except OSError:
            self.stale += 1
