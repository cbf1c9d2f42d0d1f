"""The tokens that programs show to be let in, as a port. ``crewd.store`` has the real one, ``crewd.testing`` the fake.

A token is ``crw_<id>_<secret>``. The secret is known to whoever was given it, and to nobody else: its SHA-256 is kept.
"""

from dataclasses import dataclass
from typing import Protocol

from crewd.model.access import Role


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of one. Times are unix seconds."""

    token_id: str
    digest: str
    """SHA-256 of the whole token, hexadecimal."""
    role: Role
    name: str = ""
    """What it is for, in the words of who made it."""
    workers: tuple[str, ...] = ()
    """Globs; empty: all workers."""
    created_at: float = 0.0
    created_by: str = ""
    expires_at: float | None = None
    revoked_at: float | None = None

    def valid(self, now: float) -> bool:
        """Return whether it lets anybody in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Tokens(Protocol):
    """All tokens. Raises StoreError."""

    async def add(self, token: Token) -> None:
        """Keep a new one."""
        ...

    async def all(self) -> tuple[Token, ...]:
        """Return all that were not forgotten, revoked ones included, oldest first."""
        ...

    async def revoke(self, token_id: str, now: float) -> bool:
        """Let it be worth nothing from now on; return whether there was one that was worth something."""
        ...
