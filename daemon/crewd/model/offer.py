"""Workers made over the API on their way to ``crewd-apply``, and what it ruled on each.

The daemon, which may be anybody by now, writes the offers; ``crewd-apply``, which is root, reads them. Rules:

1. A document travels as the text that was stored: one that cannot be read concerns that worker alone.
2. What is no list of offers at all is refused whole: ``OfferError``.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

OFFER_VERSION = 1
OFFERS_BYTES = 64 * 1024 * 1024
"""All of them together."""
DOCUMENT_BYTES = 1024 * 1024
"""One document, as text."""
OFFERS_MOST = 10_000


class OfferError(ValueError):
    """The text is no list of offers that this version knows."""


class Fate(StrEnum):
    """What became of an offer."""

    IN_FORCE = "in_force"
    WITHOUT_COMMAND = "without_command"
    """It is right, and has nothing to run."""
    SHADOWED = "shadowed"
    """The file has a worker of that name, which goes before it."""
    REFUSED = "refused"
    """It is wrong, or not admitted."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One worker as it is stored. ``document``: an object of JSON, as text."""

    worker_id: str
    document: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a document. ``field``: the way to the member, ``environment.A``; never a value."""

    field: str
    message: str

    def __str__(self) -> str:
        """Return both."""
        return f"{self.field}: {self.message}"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What ``crewd-apply`` ruled. ``file`` and ``line``: where the worker stands that shadows it."""

    fate: Fate
    complaints: tuple[Complaint, ...] = ()
    file: str = ""
    line: int = 0


def encode(offers: Iterable[Offer]) -> bytes:
    """Return what is written to crewd-apply."""
    workers = [{"worker_id": offer.worker_id, "document": offer.document} for offer in offers]
    return json.dumps({"version": OFFER_VERSION, "workers": workers}).encode()


def decode(text: bytes) -> tuple[Offer, ...]:
    """Return the offers, by worker; raises OfferError."""
    if len(text) > OFFERS_BYTES:
        raise OfferError(f"they have more than {OFFERS_BYTES // 1024 // 1024} MiB")
    try:
        raw: Any = json.loads(text)
        if raw["version"] != OFFER_VERSION:
            raise OfferError(f"they are of version {raw['version']!r}, not {OFFER_VERSION}")
        found = [_offer(cast("Mapping[str, Any]", one)) for one in raw["workers"]]
    except OfferError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as cause:
        raise OfferError(f"they are not what crewd writes ({type(cause).__name__})") from None
    if len(found) > OFFERS_MOST:
        raise OfferError(f"there are more than {OFFERS_MOST}")
    offers = {offer.worker_id: offer for offer in found}
    if len(offers) < len(found):
        raise OfferError("one worker stands there twice")
    return tuple(offers[name] for name in sorted(offers))


def _offer(members: Mapping[str, Any]) -> Offer:
    worker_id, document = members["worker_id"], members["document"]
    if not isinstance(worker_id, str) or not isinstance(document, str):
        raise TypeError
    return Offer(worker_id, document)


def rulings_to_json(rulings: Mapping[str, Ruling]) -> dict[str, Any]:
    """Return the rulings as crewd-apply prints them."""
    return {
        worker_id: {
            "fate": ruling.fate.value,
            "problems": [{"field": one.field, "message": one.message} for one in ruling.complaints],
            "file": ruling.file,
            "line": ruling.line,
        }
        for worker_id, ruling in rulings.items()
    }


def rulings_from_json(members: Mapping[str, Any]) -> dict[str, Ruling]:
    """Return the rulings that were printed; raises ValueError, TypeError, KeyError."""
    return {worker_id: _ruling(one) for worker_id, one in members.items()}


def _ruling(members: Mapping[str, Any]) -> Ruling:
    complaints = tuple(Complaint(str(one["field"]), str(one["message"])) for one in members["problems"])
    return Ruling(Fate(members["fate"]), complaints, str(members["file"]), int(members["line"]))
