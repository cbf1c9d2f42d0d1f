"""Who is let in, and as whom. This and the access column of the table of routes decide; nothing else does.

Rules:

1. The first that is there counts: credentials that a request shows (a token, a signature), a client's certificate, what
   the kernel tells of the other end. Credentials that are wrong are refused, whatever else there is.
2. Over the Unix socket the kernel knows who connected: root and the daemon's own user are admin, groups have the roles
   of the file, and who runs a worker may report for it. The socket's mode is not relied on.
3. Over the loopback interface the owner of the client's socket is asked for: root and the daemon's own user are admin,
   others are nobody; and so is whatever a page of another site, or somebody who speaks for others, may have sent.
   Where another interface is listened on, nobody is anybody by that.
4. Over TCP only a Host that means this machine is answered: no web page gets in by a name of its own (DNS rebinding).
5. Who shows wrong credentials too often is not listened to for a while, whatever they show. Tokens that cannot be
   judged yet are limited for themselves.
"""

import hmac
import math
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.types import Scope

from crewd.api.callers import Caller, Peer
from crewd.api.credentials import ShownSignature, ShownToken, shown, unknown
from crewd.api.ports import Ports
from crewd.api.refusals import Refusal, Refused, too_much
from crewd.api.rules import Rulebook, Rules
from crewd.api.runners import Runners
from crewd.api.signed_bodies import SignedBodies
from crewd.errors import StoreError
from crewd.model.access import Access, How, Principal, Role
from crewd.policy.access import permits, strongest
from crewd.policy.provenance import Headers, client_of, forwarded, limited_as, own_page, values, without_port
from crewd.policy.rate import Limiter
from crewd.policy.signing import AHEAD_SEC, Question, Signatures, Verdict
from crewd.reconcile.tokens import digest_of, id_of

HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
FAILURES, FAILURES_SEC = 10, 60.0
"""So many wrong credentials a client may show within so long."""
UNREAD, UNREAD_SEC = 30, 10.0
"""And so many tokens before they were read: that is no mistake of the client's, and forgotten soon."""
MACHINE = frozenset({0, os.geteuid()})
"""Who is admin because of who they are on this machine: root, and the user that crewd runs as."""
_SHOW = "show a token (Authorization: Bearer crw_…), or sign the request"

_log: Any = structlog.get_logger("crewd")

Whole = Callable[[], Awaitable[bytes]]
"""Reads the body."""


@dataclass(frozen=True, slots=True)
class Door:
    """What a listener makes of those who come. ``hosts``: by which names; None: by any, as over a Unix socket.

    ``attributes``: whether clients are known by the owner of their socket.
    """

    hosts: frozenset[str] | None = None
    attributes: bool = False


UNIX = Door()


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a request before it is let in."""

    scope: Scope
    caller: Caller
    headers: Headers
    rules: Rules
    client: str
    """The address that it comes from; "unix"."""

    @property
    def nobody(self) -> Principal:
        """Somebody who is not known."""
        return Principal("anonymous", source=self.source)

    @property
    def source(self) -> str:
        """From where, for the audit: with the port, where the client itself is at the other end."""
        peer = self.caller.client
        return self.client if peer is None or peer.host != self.client else _joined(peer.host, peer.port)


class Admission:
    """Lets in, or not. One for all listeners: what is counted is counted together."""

    def __init__(self, ports: Ports, rulebook: Rulebook) -> None:
        self._ports = ports
        self._rulebook = rulebook
        self._runners = Runners(rulebook, ports.view.crew.running, ports.boot)
        self._failures = Limiter(FAILURES, FAILURES_SEC)
        self._unread = Limiter(UNREAD, UNREAD_SEC)
        self._signatures = Signatures(ports.wall())
        self._said_of_clock = False
        self._bodies = SignedBodies()

    async def admit(self, scope: Scope, access: Access, door: Door, whole: Whole) -> Principal:
        """Return who asks; raises Refused where they may not. Who it was is in the scope's state then, too."""
        rules = await self._rulebook.now()
        caller: Caller = scope["state"]["caller"]
        headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"]]
        client = "unix" if caller.client is None else client_of(caller.client.host, headers, rules.proxies)
        request = Request(scope, caller, headers, rules, client)
        scope["state"]["principal"] = request.nobody
        if door.hosts is not None:
            _check_host(headers, door.hosts | rules.hosts)
        if access is Access.ANYONE:
            return request.nobody
        principal = scope["state"]["principal"] = await self._recognised(request, access, door, whole)
        if not permits(principal, access):
            raise _refused(principal, access)
        return principal

    async def _recognised(self, request: Request, access: Access, door: Door, whole: Whole) -> Principal:
        principal = await self._by_credentials(request, door, whole)
        if principal is None:
            principal = self._by_certificate(request) or await self._by_machine(request, access, door)
        return principal

    async def _by_credentials(self, request: Request, door: Door, whole: Whole) -> Principal | None:
        try:
            found = shown(request.headers)
        except Refused:
            await self._count(request, door)
            raise
        if found is None:
            return None
        limited = await self._limited(request, door)
        try:
            self._check_failures(limited)
            if isinstance(found, ShownToken):
                return self._by_token(request, found, limited)
            return await self._by_signature(request, found, limited, whole)
        except Refused as refused:
            request.scope["state"]["details"] = _claimed(found, request.rules)
            if refused.refusal.status in _FAILED:
                self._failures.count(limited, self._ports.boot())
            raise

    def _check_failures(self, limited: str) -> None:
        if wait := self._failures.wait_sec(limited, self._ports.boot()):
            seconds = math.ceil(wait)
            raise too_much(f"cannot let you in: too many wrong credentials, try again in {seconds} s", seconds)

    async def _count(self, request: Request, door: Door) -> None:
        self._failures.count(await self._limited(request, door), self._ports.boot())

    async def _limited(self, request: Request, door: Door) -> str:
        """Return whose failures are counted together: on this machine, a user's."""
        caller = request.caller
        if caller.peer is not None:
            return f"uid {caller.peer.uid}"
        itself = caller.client is not None and caller.client.host == request.client
        uid = await caller.owner() if door.attributes and itself else None
        return limited_as(request.client) if uid is None else f"uid {uid}"

    def _by_token(self, request: Request, found: ShownToken, limited: str) -> Principal:
        tokens = self._ports.tokens
        token_id = id_of(found.text)
        token = None if token_id is None else tokens.find(token_id)
        if token is None and token_id is not None and not tokens.loaded:
            raise self._unknowable(limited)
        kept = digest_of("") if token is None else token.digest
        if not hmac.compare_digest(digest_of(found.text), kept) or token is None:
            raise unknown("there is no such token")
        name = f"token {token.token_id}"
        if not token.valid(self._ports.wall()):
            request.scope["state"]["principal"] = Principal(name, How.TOKEN, source=request.source)
            raise unknown(f"the token {token.token_id} is {'expired' if token.revoked_at is None else 'revoked'}")
        return Principal(name, How.TOKEN, token.role, token.workers, source=request.source)

    def _unknowable(self, limited: str) -> StoreError | Refused:
        """Return the no to a token that may be right: the tokens were not read yet."""
        why = "the tokens could not be read from the database yet"
        if wait := self._unread.take(limited, self._ports.boot()):
            seconds = math.ceil(wait)
            return too_much(f"cannot let you in: {why}, try again in {seconds} s", seconds)
        return StoreError(f"cannot know the token: {why}", retryable=True)

    async def _by_signature(self, request: Request, found: ShownSignature, limited: str, whole: Whole) -> Principal:
        signed, now = found.signed, self._ports.wall()
        if (doubt := self._signatures.doubt(signed, now)) is not None:
            raise self._doubted(doubt, now)
        key = request.rules.keys.get(signed.key)
        if key is None:
            raise unknown(Verdict.FORGED)  # as where it does not fit: which keys there are is not told
        with self._bodies.reading(limited):
            question = Question(request.scope["method"], _target(request.scope), await whole())
        now = self._ports.wall()
        verdict = self._signatures.judge(key.secret, signed, question, now)
        if verdict is not Verdict.GOOD:
            raise self._doubted(verdict, now)
        return Principal(f"hmac {signed.key}", How.HMAC, key.role, key.workers, source=request.source)

    def _doubted(self, verdict: Verdict, now: float) -> Refused:
        """Return the no to a signature; one that may be right is no failure of whoever shows it."""
        match verdict:
            case Verdict.EARLY:
                seconds = math.ceil(self._signatures.since - now)
                self._say_of_clock(seconds)
                return too_much(f"cannot let you in: {verdict}, in {seconds} s", seconds)
            case Verdict.FULL:
                return too_much(f"cannot let you in: {verdict}")
            case _:
                return unknown(verdict)

    def _say_of_clock(self, shut_sec: int) -> None:
        """Say once that the clock was set back: else nobody knows why signed requests are refused for so long."""
        if shut_sec > AHEAD_SEC and not self._said_of_clock:
            self._said_of_clock = True
            _log.warning("signed requests are refused: the clock was set back since crewd began", for_sec=shut_sec)

    def _by_certificate(self, request: Request) -> Principal | None:
        """Return whom a verified certificate names; None where there is none, or a page of another site uses it."""
        names = request.caller.names
        if not names or not own_page(request.headers, request.scope["scheme"]):
            return None
        roles = {name: request.rules.certificates[name] for name in names if name in request.rules.certificates}
        role = strongest(roles.values())
        name = next((name for name, has in roles.items() if has is role), names[0])
        return Principal(f"certificate {name}", How.CERTIFICATE, role, source=request.source)

    async def _by_machine(self, request: Request, access: Access, door: Door) -> Principal:
        if (peer := request.caller.peer) is not None:
            return await self._by_peer(request, peer, access)
        headers = request.headers
        if not door.attributes or forwarded(headers) or not own_page(headers, request.scope["scheme"]):
            return request.nobody
        uid = await request.caller.owner()
        if uid not in MACHINE:
            return request.nobody
        return Principal(f"uid {uid}", How.LOOPBACK, Role.ADMIN, uid=uid, source=request.source)

    async def _by_peer(self, request: Request, peer: Peer, access: Access) -> Principal:
        name = f"uid {peer.uid} pid {peer.pid}"
        role, workers = await self._role(request, peer.uid), ()
        if access is Access.WORKER and role is not Role.ADMIN and (runs := await self._runners.runs(peer.uid)):
            role, workers = Role.WORKER, tuple(sorted(runs))
        return Principal(name, How.PEER, role, workers, peer.uid, request.source)

    async def _role(self, request: Request, uid: int) -> Role | None:
        if uid in MACHINE:
            return Role.ADMIN
        groups = request.rules.groups
        if not groups:
            return None
        return strongest(groups[gid] for gid in await request.caller.groups() if gid in groups)


_FAILED = frozenset({401, 413, 422})
"""What counts as wrong credentials: also a body that is too large, broken off or late, of an unknown signature."""


def _claimed(found: ShownToken | ShownSignature, rules: Rules) -> dict[str, str]:
    """Return as whom somebody wanted to be let in who was not, for the audit: nothing that may be a secret."""
    if isinstance(found, ShownSignature):
        return {"key": found.signed.key} if found.signed.key in rules.keys else {}
    token_id = id_of(found.text)
    return {} if token_id is None else {"token_id": token_id}


def _check_host(headers: Headers, hosts: frozenset[str]) -> None:
    named = values(headers, "host")
    if len(named) != 1 or without_port(named[0]) not in hosts:
        asked = repr(named[0][:100]) if named else "''"
        message = f"cannot answer for the host {asked}: it is not this machine, nor among allowed_hosts"
        raise Refused(Refusal(403, "AUTH_002", message))


def _refused(principal: Principal, access: Access) -> Refused:
    """Return the no to somebody who may not: who is not known is asked to say who they are."""
    if principal.how is How.NOTHING:
        return unknown(_SHOW)
    has = "no role" if principal.role is None else f"the role {principal.role.value}"
    if principal.workers:
        has += f" for {', '.join(principal.workers)} alone"
    return Refused(Refusal(403, "AUTH_002", f"cannot let {principal.name} do this: it takes {access.value}, not {has}"))


def _target(scope: Scope) -> str:
    """Return path and query as they came."""
    raw: Any = scope["raw_path"]
    query: Any = scope["query_string"]
    return (raw + (b"?" + query if query else b"")).decode("latin-1")


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
