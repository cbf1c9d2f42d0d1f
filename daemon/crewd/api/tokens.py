"""``/tokens``: who made which, and for what. The token itself is in one answer, once, and in no other."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from crewd.api.answering import answer
from crewd.api.bodies import Body
from crewd.api.envelope import iso
from crewd.api.parameters import TokenCursor
from crewd.api.ports import Ports
from crewd.api.refusals import Refusal, Refused, invalid
from crewd.model.access import Principal, Role
from crewd.reconcile.tokens import ID_PATTERN, Token, digest_of, minted, without_secrets

TOKENS_MOST = 1000
"""So many may be worth something at once."""
EXPIRY_MOST_SEC = 10 * 365 * 86400.0
GLOBS_MOST = 100
LIST, LIST_MOST = 100, 1000
_EXPIRY = "^(?:[1-9][0-9]{0,7}(?: ?s)?|[1-9][0-9]{0,3} ?[mh]|[1-9][0-9]{0,2} ?d|[1-9][0-9]? ?w)$"
"""Written in parts it is understood too; ten years at most."""
PRIVATE = {"cache-control": "no-store"}

Glob = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._*?\[\]!-]+$")]


LIMITED: dict[str, JsonValue] = {
    "anyOf": [
        {"properties": {"role": {"enum": [role.value for role in Role if role is not Role.ADMIN]}}},
        {"properties": {"workers": {"maxItems": 0}}},
    ]
}
"""For some workers alone is whoever is no admin."""


class NewToken(Body):
    """What it is for: a role, perhaps for some workers alone, perhaps for some time."""

    model_config = ConfigDict(json_schema_extra=LIMITED)

    role: Annotated[Role, Field(examples=["operator"])]
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["deployment"])]
    workers: Annotated[tuple[Glob, ...], Field(max_length=GLOBS_MOST, description="Globs; none: all.")] = ()
    expires_in: Annotated[
        Annotated[str, WithJsonSchema({"type": "string", "pattern": _EXPIRY})] | None,
        Field(description="How long it lasts; none: for ever.", examples=["30d"]),
    ] = None


@dataclass(frozen=True, slots=True)
class TokenRoutes:
    """The answers."""

    ports: Ports

    async def tokens(
        self,
        limit: Annotated[int, Query(ge=1, le=LIST_MOST, description="So many at most.")] = LIST,
        cursor: TokenCursor = None,
    ) -> Response:
        """The tokens, without what they are.

        Oldest first; those that were revoked or expired are among them for 90 days.
        """
        await self.ports.tokens.refresh()
        known = self.ports.tokens.all()
        begin = 0
        if cursor is not None:
            if not ID_PATTERN.fullmatch(cursor):
                raise invalid("cannot read cursor: it is the next_cursor of an earlier answer")
            places = {token.token_id: place for place, token in enumerate(known)}
            if cursor not in places:
                message = f"cannot go on behind {cursor}: there is no such token any more; begin anew"
                raise Refused(Refusal(404, "TOKEN_001", message))
            begin = places[cursor] + 1
        page = known[begin : begin + limit]
        more = begin + limit < len(known)
        shapes = [self._shape(token) for token in page]
        return answer({"tokens": shapes, "next_cursor": page[-1].token_id if more else None})

    async def create_token(self, request: Request, body: NewToken) -> Response:
        """Make a token.

        The answer is the only place where it ever stands.
        """
        principal = _unlimited(request, "create a token")
        if body.role is Role.ADMIN and body.workers:
            raise invalid("cannot create a token: an admin is one for all workers; leave workers out, or say operator")
        now = self.ports.wall()
        expires_at = self._expiry(body.expires_in, now)
        if sum(token.valid(now) for token in self.ports.tokens.all()) >= TOKENS_MOST:
            message = f"cannot create a token: there are {TOKENS_MOST} already; revoke some, or let them expire"
            raise Refused(Refusal(409, "TOKEN_002", message))
        token_id, text = minted()
        name = without_secrets(body.name)
        token = Token(token_id, digest_of(text), body.role, name, body.workers, now, principal.name, expires_at)
        _tell(request, token)
        await self.ports.tokens.add(token)
        return answer({**self._shape(token), "token": text}, 201, PRIVATE)

    async def revoke_token(
        self, request: Request, token_id: Annotated[str, Path(description="Its id.", examples=["7f3a9c01b2d4"])]
    ) -> Response:
        """Let a token be worth nothing from now on.

        Where it was worth nothing already, nothing changes. While the database is away it is worth nothing to this
        daemon, until it ends, and the answer says so: 202, and stored is false.
        """
        _unlimited(request, "revoke a token")
        ours = ID_PATTERN.fullmatch(token_id) is not None
        changed = ours and await self.ports.tokens.revoke(token_id)
        token = self.ports.tokens.find(token_id)
        if token is None:
            message = f"cannot revoke {without_secrets(token_id)}: there is no such token; its id is asked for"
            raise Refused(Refusal(404, "TOKEN_001", message))
        stored = self.ports.tokens.stored(token_id)
        _tell(request, token, changed=changed, stored=stored)
        return answer({**self._shape(token), "changed": changed, "stored": stored}, 200 if stored else 202)

    def _expiry(self, text: str | None, now: float) -> float | None:
        if text is None:
            return None
        try:
            seconds = self.ports.duration(text)
        except ValueError as why:
            raise invalid(f"cannot read expires_in: {why}") from None
        if not 0 < seconds <= EXPIRY_MOST_SEC:
            raise invalid("cannot read expires_in: more than 0 s, at most 3650d; without it it lasts for ever")
        return now + seconds

    def _shape(self, token: Token) -> dict[str, Any]:
        return {
            "id": token.token_id,
            "role": token.role.value,
            "name": token.name,
            "workers": list(token.workers),
            "created_at": iso(token.created_at),
            "created_by": token.created_by,
            "expires_at": iso(token.expires_at),
            "revoked_at": iso(token.revoked_at),
            "valid": token.valid(self.ports.wall()),
        }


def _unlimited(request: Request, verb: str) -> Principal:
    """Return who asks; refuse whoever is limited to some workers, or they could make a token that is not."""
    principal: Principal = request.state.principal
    if principal.workers:
        message = f"cannot {verb}: {principal.name} is for {', '.join(principal.workers)} alone"
        raise Refused(Refusal(403, "AUTH_002", message))
    return principal


def _tell(request: Request, token: Token, **more: bool) -> None:
    """Tell the audit which one it was."""
    request.state.details = {
        "token": token.token_id,
        "role": token.role.value,
        "name": token.name,
        "workers": list(token.workers),
        "expires_at": iso(token.expires_at),
        **more,
    }
