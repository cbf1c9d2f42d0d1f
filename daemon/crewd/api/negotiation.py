"""Which form of an answer is preferred, by the header Accept (RFC 9110, 12.5.1)."""

from starlette.requests import Request

from crewd.api.refusals import Refusal, Refused

RANGES_MOST = 32
"""So many of them are looked at."""
_QUALITIES_MOST = 1.0


def preferred(request: Request, *offers: str) -> str:
    """Return that of the forms which is wanted most; of equals the first. Raises Refused where none is wanted."""
    accept = ",".join(request.headers.getlist("accept"))
    ranges = [_range(part) for part in accept.split(",")[:RANGES_MOST] if part.strip()]
    if not ranges:
        return offers[0]
    best, quality = max(((offer, _quality(offer, ranges)) for offer in offers), key=lambda pair: pair[1])
    if quality <= 0:
        message = f"cannot answer in {accept[:100]}: it is to be had as {', '.join(offers)}"
        raise Refused(Refusal(406, "NOT_ACCEPTABLE", message, {"types": list(offers)}))
    return best


def asks_for(request: Request, form: str) -> bool:
    """Return whether the header names this form, and not only one that includes it."""
    named = (_range(part) for part in ",".join(request.headers.getlist("accept")).split(",")[:RANGES_MOST])
    return any(kind == form and quality > 0 for kind, quality in named)


def _range(text: str) -> tuple[str, float]:
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return kind, min(_QUALITIES_MOST, max(0.0, float(quality)))
    except ValueError:
        return kind, 0.0


def _quality(offer: str, ranges: list[tuple[str, float]]) -> float:
    """Return how much it is wanted: what is said of it most precisely counts."""
    main = offer.partition("/")[0]
    for kind in (offer, f"{main}/*", "*/*"):
        said = [quality for name, quality in ranges if name == kind]
        if said:
            return max(said)
    return 0.0
