"""How much is dealt with at once: a request has a seat, an answer that goes on for long changes to one of its own kind.

The last RESERVED of each kind are for admins: whoever else asks cannot keep them out.
"""

from crewd.api.refusals import too_much

RESERVED = 16


class Seats:
    """So many there are of a kind; ``words`` are for who finds none."""

    def __init__(self, most: int, words: str) -> None:
        self.free = most
        self._full = f"cannot answer: {most} {words}"

    def take(self, *, admin: bool) -> None:
        """Take one; raises Refused where none is free."""
        if self.free <= (0 if admin else RESERVED):
            raise too_much(self._full)
        self.free -= 1


class Seat:
    """One that is taken; raises Refused where none is free."""

    def __init__(self, among: Seats, *, admin: bool) -> None:
        among.take(admin=admin)
        self._among = among
        self._admin = admin

    def change(self, other: Seats) -> None:
        """Take one of another kind, and let go of this one."""
        other.take(admin=self._admin)
        self.leave()
        self._among = other

    def leave(self) -> None:
        """Let go of it."""
        self._among.free += 1
