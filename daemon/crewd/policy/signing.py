"""Requests that are signed with a shared key (HMAC-SHA256): pure. The recipe: ``docs/reference/access.md``.

``Authorization: CREWD-HMAC-SHA256 key=NAME, timestamp=SECONDS, nonce=TEXT, signature=HEX``. Six lines are signed: that
word, the method, the path with its query as it is sent, the timestamp, the nonce, the SHA-256 of the body.

Rules:

1. A signature holds from AHEAD_SEC before its timestamp until WINDOW_SEC after it, and once: its nonce is remembered as
   long as it holds. Where the clock was set back, what was forgotten meanwhile does not hold again.
2. What may have been used before the daemon began is refused: nothing of that is remembered. Since nothing holds sooner
   than AHEAD_SEC before its timestamp, that is what was signed for any time up to so long after the beginning.
3. Memory is bounded: where so many nonces are remembered that no more can be, requests are refused, never let through.
4. A nonce is looked at after the signature: who does not know the key fills nothing.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heappop, heappush
from math import inf

SCHEME = "CREWD-HMAC-SHA256"
WINDOW_SEC = 300.0
AHEAD_SEC = 30.0
"""So far ahead of the clock here a timestamp may be: the clock there, and no more."""
NONCES = 50_000
"""So many are remembered of a key: more than 160 requests in each second of WINDOW_SEC."""
NONCE_LEAST, NONCE_MOST = 16, 128
SECRET_LEAST = 32
"""So many bytes a secret has at least."""

_NONCE = re.compile(rf"[A-Za-z0-9_.~+/=-]{{{NONCE_LEAST},{NONCE_MOST}}}")
_MEMBER = re.compile(r'\s*([a-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]*))\s*')
_MEMBERS = ("key", "timestamp", "nonce", "signature")
_DIGITS_MOST = 12
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Question:
    """What is signed of a request. ``target``: path and query, as they stand in the request's first line."""

    method: str
    target: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Signed:
    """What stands in the header."""

    key: str
    timestamp: int
    nonce: str
    signature: str


class Verdict(StrEnum):
    """What becomes of a signed request; in words for whoever sent it."""

    GOOD = "good"
    FORGED = "the signature does not fit"
    UNTIMELY = "its timestamp is more than 5 minutes behind the clock here, or more than 30 seconds ahead of it"
    EARLY = "crewd began only now, and does not know whether this was used before: sign it again"
    REPLAYED = "its nonce was used already"
    FULL = "too many requests were signed with this key in the last minutes"


def text_of(question: Question, timestamp: int, nonce: str) -> bytes:
    """Return what is signed."""
    digest = hashlib.sha256(question.body).hexdigest()
    lines = (SCHEME, question.method.upper(), question.target, str(timestamp), nonce, digest)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def sign(secret: bytes, key: str, question: Question, timestamp: int, nonce: str) -> str:
    """Return the value of the header ``Authorization``; ``nonce`` is for this request alone."""
    signature = hmac.new(secret, text_of(question, timestamp, nonce), hashlib.sha256).hexdigest()
    return f"{SCHEME} key={key}, timestamp={timestamp}, nonce={nonce}, signature={signature}"


def read(header: str) -> Signed | None:
    """Return what stands in a header of this scheme; None where that is not what it should be."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.upper() != SCHEME:
        return None
    members: dict[str, str] = {}
    for part in rest.split(","):
        found = _MEMBER.fullmatch(part)
        if found is None or found[1] in members:
            return None
        members[found[1]] = found[2] if found[2] is not None else found[3]
    if set(members) != set(_MEMBERS):
        return None
    timestamp, nonce, signature = members["timestamp"], members["nonce"], members["signature"]
    timely = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _DIGITS_MOST
    if not (timely and _NONCE.fullmatch(nonce) and _SIGNATURE.fullmatch(signature)):
        return None
    return Signed(members["key"], int(timestamp), nonce, signature)


@dataclass(slots=True)
class _Used:
    """The nonces of a key that still matter."""

    nonces: set[str] = field(default_factory=set[str])
    ends: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """A heap: until when each matters."""
    forgotten: float = -inf
    """Until when the last one mattered that was let go of."""

    def forget(self, now: float) -> None:
        """Let go of what does not matter any more."""
        while self.ends and self.ends[0][0] < now:
            self.forgotten, nonce = heappop(self.ends)
            self.nonces.discard(nonce)

    def use(self, nonce: str, until: float) -> None:
        """Remember it."""
        self.nonces.add(nonce)
        heappush(self.ends, (until, nonce))


class Signatures:
    """Judges signed requests. ``began``: unix seconds.

    ``since``: what has an older timestamp may have been used before it began.
    """

    def __init__(self, began: float, nonces: int = NONCES) -> None:
        self.since = began + AHEAD_SEC
        self._nonces = nonces
        self._used: dict[str, _Used] = {}

    def doubt(self, signed: Signed, now: float) -> Verdict | None:
        """Return what its timestamp alone says against it; ``now`` in unix seconds."""
        if not -AHEAD_SEC <= now - signed.timestamp <= WINDOW_SEC:
            return Verdict.UNTIMELY
        if signed.timestamp < self.since:
            return Verdict.EARLY
        used = self._used.get(signed.key)
        gone = used is not None and signed.timestamp + WINDOW_SEC <= used.forgotten
        return Verdict.UNTIMELY if gone else None

    def judge(self, secret: bytes, signed: Signed, question: Question, now: float) -> Verdict:
        """Return what becomes of the request; where it is good, its nonce is used from now on."""
        text = text_of(question, signed.timestamp, signed.nonce)
        wanted = hmac.new(secret, text, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, signed.signature):
            return Verdict.FORGED
        if (doubt := self.doubt(signed, now)) is not None:
            return doubt
        used = self._used.setdefault(signed.key, _Used())
        used.forget(now)
        if signed.nonce in used.nonces:
            return Verdict.REPLAYED
        if len(used.nonces) >= self._nonces:
            return Verdict.FULL
        used.use(signed.nonce, signed.timestamp + WINDOW_SEC)
        return Verdict.GOOD
