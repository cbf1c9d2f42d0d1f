"""The shapes of who may ask, and who did: tokens and the audit."""

from typing import Any

from typing_extensions import TypedDict

from crewd.api.describing import Answer, shape
from crewd.model.access import How, Role


@shape
class Token(TypedDict):
    """What is told of a token: never what it is."""

    id: str
    role: Role
    name: str
    """What it is for."""
    workers: list[str]
    """Globs of the workers that it is for; none: all."""
    created_at: str | None
    created_by: str
    expires_at: str | None
    """null: never."""
    revoked_at: str | None
    valid: bool
    """Whether it lets anybody in."""


@shape
class Tokens(TypedDict):
    """Tokens, oldest first."""

    tokens: list[Token]
    next_cursor: str | None
    """Where the next page begins; null at the end."""


@shape
class CreatedToken(Token):
    """A new token."""

    token: str
    """The token itself, here and nowhere else."""


@shape
class RevokedToken(Token):
    """A token that is worth nothing."""

    changed: bool
    """Whether it was worth something before."""
    stored: bool
    """Whether the database knows. False: it is away, and a daemon that starts before it was told lets the token in."""


@shape
class Entry(TypedDict):
    """One attempt."""

    id: int
    """Grows with every entry."""
    at: str | None
    principal: str
    """Who asked, as they were recognised."""
    how: How
    claimed: str | None
    """Whom the request says that it comes from: a claim, and no more."""
    source: str
    """From where: unix, or an address."""
    what: str
    granted: bool
    """Whether they might ask for it."""
    status: int
    """Of the answer; 0 where there was none."""
    result: str
    """ok, or the code of the no."""
    details: dict[str, Any]
    """What more there is to say: names, a token's id."""


@shape
class Audit(TypedDict):
    """Attempts, in the order in which they were made."""

    entries: list[Entry]
    next_cursor: str | None
    """Where the older ones are; null where there are none."""
    waiting: int
    """How many entries are not stored yet, so that they cannot be among these."""
    lost: int
    """How many never will be, since the daemon started: its log has them."""


_TOKEN: dict[str, Any] = {
    "id": "7f3a9c01b2d4",
    "role": "operator",
    "name": "deployment",
    "workers": ["web", "mail-*"],
    "created_at": "2026-01-31T09:00:00.000Z",
    "created_by": "uid 0 pid 42",
    "expires_at": "2026-03-02T09:00:00.000Z",
    "revoked_at": None,
    "valid": True,
}
_ENTRY: dict[str, Any] = {
    "id": 17,
    "at": "2026-01-31T09:00:00.000Z",
    "principal": "token 7f3a9c01b2d4",
    "how": "token",
    "claimed": "alice",
    "source": "192.0.2.7:51234",
    "what": "POST /api/v1/workers/batch",
    "granted": True,
    "status": 200,
    "result": "ok",
    "details": {"action": "stop", "names": ["web"], "count": 1},
}
TOKENS = Answer(Tokens, {"tokens": [_TOKEN], "next_cursor": None}, "The tokens.", refuses=(404,))
CREATED = Answer(
    CreatedToken,
    {**_TOKEN, "token": "crw_7f3a9c01b2d4_" + 40 * "x"},
    "The new token.",
    status=201,
    headers={"cache-control": "no-store: nobody is to keep it on the way."},
    refuses=(409,),
)
_REVOKED: dict[str, Any] = {
    **_TOKEN,
    "revoked_at": "2026-02-01T09:00:00.000Z",
    "valid": False,
    "changed": True,
    "stored": True,
}
REVOKED = Answer(
    RevokedToken,
    _REVOKED,
    "It is worth nothing from now on.",
    also=(Answer(RevokedToken, {**_REVOKED, "stored": False}, "Nor is it stored yet.", status=202),),
)
AUDIT = Answer(
    Audit,
    {"entries": [_ENTRY], "next_cursor": None, "waiting": 0, "lost": 0},
    "The newest of what was asked for.",
)
