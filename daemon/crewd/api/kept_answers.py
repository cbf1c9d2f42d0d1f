"""The answers to requests that came with an ``Idempotency-Key``, so that whoever lost one may ask again.

What is known of a key, in words:

- UNDER WAY: the first request with it has no whole answer yet.
- ANSWERED: it has, and the answer is kept.
- DONE: it was done, but its answer is not kept: a stream, one that holds a secret, one that is too large.

A key is forgotten after KEPT_SEC, and at once where nothing was done. Where there are too many, the oldest goes of
whoever has the most: nobody's keys are forgotten for another's.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

KEPT_SEC = 24 * 3600.0
COUNT_MOST = 2000
BYTES_MOST = 16 * 1024 * 1024
ANSWER_BYTES = 1024 * 1024
KEY_BYTES = 500
"""What a key takes besides its answer, about."""

Name = tuple[str, str]
"""Who asked, and with which key."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, whole."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def size(self) -> int:
        """How much it takes, about."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


@dataclass(slots=True)
class Known:
    """A key. ``request``: a fingerprint of what came with it."""

    request: bytes
    at: float
    under_way: bool = True
    answer: Kept | None = None

    @property
    def size(self) -> int:
        """How much it takes, about."""
        return KEY_BYTES + (0 if self.answer is None else self.answer.size)


class KeptAnswers:
    """All of them, in the order in which they were asked for; in memory."""

    def __init__(
        self,
        count_most: int = COUNT_MOST,
        bytes_most: int = BYTES_MOST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count_most = count_most
        self._bytes_most = bytes_most
        self._monotonic = monotonic
        self._known: OrderedDict[Name, Known] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        """Return how many keys are known."""
        return len(self._known)

    def find(self, name: Name) -> Known | None:
        """Return what is known of a key."""
        self._forget_old()
        return self._known.get(name)

    def begin(self, name: Name, request: bytes) -> None:
        """The first request with a key is under way."""
        self._known[name] = known = Known(request, self._monotonic())
        self.bytes += known.size
        self._make_room()

    def done(self, name: Name, answer: Kept | None) -> None:
        """It was done; keep the answer, where there is one to be kept."""
        known = self._known[name]
        self.bytes -= known.size
        known.under_way, known.answer = False, answer
        self.bytes += known.size
        self._make_room()

    def forget(self, name: Name) -> None:
        """Let whoever asks with this key be the first again."""
        known = self._known.pop(name, None)
        if known is not None:
            self.bytes -= known.size

    def _forget_old(self) -> None:
        before = self._monotonic() - KEPT_SEC
        old = takewhile(lambda item: item[1].at < before, self._known.items())
        for name in [name for name, known in old if not known.under_way]:
            self.forget(name)

    def _make_room(self) -> None:
        """Let some go that are not under way; those are as few as requests at once."""
        while (many := len(self._known) > self._count_most) or self.bytes > self._bytes_most:
            shares: Counter[str] = Counter()
            for (who, _), known in self._known.items():
                if not known.under_way:
                    shares[who] += 1 if many else known.size
            if not shares:
                return
            [(most, _)] = shares.most_common(1)
            self.forget(next(name for name, known in self._known.items() if name[0] == most and not known.under_way))
