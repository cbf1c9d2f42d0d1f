"""What a request shows to be let in: a token, or a signature. Whether it is worth anything is ``admission``'s to say.

Nothing that was shown stands in a message: a mistyped secret is nearly one.
"""

from dataclasses import dataclass, field

from crewd.api.refusals import Refusal, Refused
from crewd.policy import signing
from crewd.policy.provenance import Headers, values

CHALLENGE = f'Bearer realm="crewd", {signing.SCHEME} realm="crewd"'
"""The header ``WWW-Authenticate``: what may be shown."""


@dataclass(frozen=True, slots=True)
class ShownToken:
    """A token."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShownSignature:
    """A signature."""

    signed: signing.Signed


def shown(headers: Headers) -> ShownToken | ShownSignature | None:
    """Return what is shown; None where that is nothing. Raises Refused where it cannot be understood."""
    tokens, authorizations = values(headers, "x-api-key"), values(headers, "authorization")
    if len(tokens) + len(authorizations) > 1:
        raise unknown("Authorization and X-API-Key may stand in a request once, and only one of them")
    if tokens:
        return ShownToken(tokens[0])
    if not authorizations:
        return None
    scheme, _, rest = authorizations[0].partition(" ")
    if scheme.lower() == "bearer":
        return ShownToken(rest.strip())
    if scheme.upper() != signing.SCHEME:
        raise unknown(f"Authorization is understood as Bearer or {signing.SCHEME}")
    signed = signing.read(authorizations[0])
    if signed is None:
        raise unknown(f"write {signing.SCHEME} key=…, timestamp=…, nonce=…, signature=…, as the manual has it")
    return ShownSignature(signed)


def unknown(why: str) -> Refused:
    """Return the no to somebody who is not known."""
    message = f"cannot let you in: {why}"
    return Refused(Refusal(401, "AUTH_001", message, headers={"www-authenticate": CHALLENGE}))
