"""The tokens that programs show to be let in, as a port. ``crewd.store`` has the real one, ``crewd.testing`` the fake.

A token is ``crw_<id>_<secret>``. The secret is known to whoever was given it, and to nobody else: its SHA-256 is kept.
No salt and no slow hash: what is guessed here has more than 200 bits, and each request is checked.
"""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass
from math import inf
from typing import Protocol

from crewd.model.access import Role

ID_BYTES = 6
SECRET_LENGTH = 40
_SIGNS = string.ascii_letters + string.digits
_SHOWN = re.compile(r"crw_([0-9A-Za-z]{0,32})_[A-Za-z0-9%_-]+")
ID_PATTERN = re.compile(rf"[0-9a-f]{{{2 * ID_BYTES}}}")
_FORM = re.compile(rf"crw_({ID_PATTERN.pattern})_[A-Za-z0-9]{{{SECRET_LENGTH}}}")


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

    @property
    def ended_at(self) -> float:
        """When it stops, or stopped, letting anybody in; inf: never."""
        return min(inf if end is None else end for end in (self.revoked_at, self.expires_at))

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

    async def forget(self, before: float) -> int:
        """Remove those that were worth nothing by then already; return how many."""
        ...


def minted() -> tuple[str, str]:
    """Return the id of a new token, and the token itself: letters and digits, so that two clicks select it."""
    token_id = secrets.token_hex(ID_BYTES)
    return token_id, f"crw_{token_id}_{''.join(secrets.choice(_SIGNS) for _ in range(SECRET_LENGTH))}"


def id_of(token: str) -> str | None:
    """Return the id in a token that somebody shows; None where it is none of ours."""
    found = _FORM.fullmatch(token)
    return None if found is None else found[1]


def without_secrets(text: str) -> str:
    """Return the text, what looks like a token of ours in it without its secret."""
    return _SHOWN.sub(r"crw_\1_***", text) if "crw_" in text else text


def digest_of(token: str) -> str:
    """Return what is kept of a token; compare it with ``hmac.compare_digest``."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
